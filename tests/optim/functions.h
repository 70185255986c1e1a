#pragma once

// The functions of tests/fixtures/optim/make_optim.py, operation by operation, so that both give
// the same bits.

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace gestalt::optim {

using Values = std::vector<double>;

struct Evaluation {
  double loss;
  Values gradient;
};

using Function = std::function<Evaluation(const Values& x)>;

inline Evaluation rosenbrock(const Values& x) {
  Evaluation e{0, Values(x.size())};
  for (size_t i = 0; i + 1 < x.size(); ++i) {
    const double a = x[i + 1] - x[i] * x[i];
    const double b = 1 - x[i];
    e.loss += 100 * a * a + b * b;
    e.gradient[i] += -400 * a * x[i] - 2 * b;
    e.gradient[i + 1] += 200 * a;
  }
  return e;
}

inline Evaluation quadratic(const Values& x) {
  Evaluation e{0, {}};
  double c = 1;
  for (double value : x) {
    e.loss += 0.5 * c * value * value;
    e.gradient.push_back(c * value);
    c *= 10;
  }
  return e;
}

inline Evaluation beale(const Values& x) {
  const double a = x[0], b = x[1];
  const double constants[] = {1.5, 2.25, 2.625};
  double loss = 0, ga = 0, gb = 0, power = 1;
  for (int k = 1; k <= 3; ++k) {
    const double before = power;
    power = power * b;
    const double r = constants[k - 1] - a + a * power;
    loss += r * r;
    ga += 2 * r * (power - 1);
    gb += 2 * r * a * k * before;
  }
  return {loss, {ga, gb}};
}

inline Evaluation himmelblau(const Values& x) {
  const double a = x[0], b = x[1];
  const double r = a * a + b - 11, s = a + b * b - 7;
  return {r * r + s * s, {4 * a * r + 2 * s, 2 * r + 4 * b * s}};
}

inline Evaluation wiggly(const Values& x) {
  Evaluation e{0, {}};
  for (double value : x) {
    e.loss += value * value + 2 * std::sin(5 * value) * std::sin(5 * value);
    e.gradient.push_back(2 * value + 20 * std::sin(5 * value) * std::cos(5 * value));
  }
  return e;
}

inline Evaluation kink(const Values& x) {
  Evaluation e{0, {}};
  double c = 1;
  for (double value : x) {
    e.loss += c * std::abs(value) + 0.1 * value * value;
    e.gradient.push_back((value > 0 ? c : -c) + 0.2 * value);
    c *= 10;
  }
  return e;
}

inline Evaluation slope(const Values& x) {
  double sum = 0;
  for (double value : x) sum += value;
  return {-sum, Values(x.size(), -1)};
}

inline Evaluation flat(const Values& x) {
  return {3, Values(x.size())};
}

inline Evaluation barrier(const Values& x) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Evaluation e{0, {}};
  for (double value : x) {
    e.loss += value > 0 ? value - std::log(value) : nan;
    e.gradient.push_back(value > 0 ? 1 - 1 / value : nan);
  }
  return e;
}

inline Evaluation wall(const Values& x) {
  const double inf = std::numeric_limits<double>::infinity();
  Evaluation e{0, {}};
  for (double value : x) {
    const double square = 1 + value * value;
    e.loss += value > 2 ? inf : (value - 1.5) * (value - 1.5) * square;
    e.gradient.push_back(2 * (value - 1.5) * square + 2 * value * (value - 1.5) * (value - 1.5));
  }
  return e;
}

inline Evaluation flatten_out(const Values& x) {
  Evaluation e{0, {}};
  for (double value : x) {
    const double r = std::sqrt(1 + 1e4 * (value - 1) * (value - 1));
    e.loss += r - 0.9 * 100 * value + 0.001 * value * value;
    e.gradient.push_back(1e4 * (value - 1) / r - 90 + 0.002 * value);
  }
  return e;
}

inline Evaluation stairs(const Values& x) {
  Evaluation e{0, {}};
  for (double value : x) {
    e.loss += std::floor(4 * value * value) / 4;
    e.gradient.push_back(2 * value);
  }
  return e;
}

inline Evaluation washboard(const Values& x) {
  Evaluation e{0, {}};
  for (double value : x) {
    e.loss += 0.05 * value * value - 3 * value + 2 * std::sin(2 * value);
    e.gradient.push_back(0.1 * value - 3 + 4 * std::cos(2 * value));
  }
  return e;
}

inline Evaluation plateau(const Values& x) {
  return {3, x};
}

inline const Function& function(const std::string& name) {
  static const std::map<std::string, Function> all{
      {"rosenbrock", rosenbrock},
      {"quadratic", quadratic},
      {"beale", beale},
      {"himmelblau", himmelblau},
      {"wiggly", wiggly},
      {"kink", kink},
      {"slope", slope},
      {"flat", flat},
      {"barrier", barrier},
      {"wall", wall},
      {"flatten_out", flatten_out},
      {"stairs", stairs},
      {"washboard", washboard},
      {"plateau", plateau},
  };
  return all.at(name);
}

}  // namespace gestalt::optim
