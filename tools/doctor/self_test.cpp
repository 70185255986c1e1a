#include "tools/doctor/self_test.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "kernels/error.h"
#include "kernels/philox.h"
#include "nn/conv.h"
#include "nn/gram.h"
#include "nn/topk.h"
#include "tensor/autograd.h"
#include "tensor/ops/matmul.h"
#include "tensor/random.h"

namespace gestalt::tools {
namespace {

using Values = std::vector<float>;

// f32 convolutions may multiply in TF32 on a GPU, which has 10 bits.
constexpr double tolerance = 2e-3;

Values random_values(int64_t count, uint64_t seed) {
  return Generator(seed).normal({count}, 0, 1, {.device = Device{}}).to_vector<float>();
}

Tensor on(Device device, const Values& values, const Shape& shape) {
  return Tensor::from_vector(values, shape, {.device = device});
}

// Norm of the difference over the norm of what is right; not a number counts as infinitely far.
double relative_error(const Values& got, const Values& expected) {
  if (got.size() != expected.size()) return INFINITY;
  double difference = 0, norm = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    difference += std::pow(static_cast<double>(got[i]) - expected[i], 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  const double error = std::sqrt(difference / norm);
  return std::isnan(error) ? INFINITY : error;
}

std::string judge_close(const Values& got, const Values& expected) {
  const double error = relative_error(got, expected);
  return error <= tolerance ? "" : format("off by {} of the right values' norm", error);
}

std::string judge_equal(const Values& got, const Values& expected) {
  for (size_t i = 0; i < expected.size(); ++i) {
    if (got.size() != expected.size() || got[i] != expected[i]) {
      return format("element {} is {}, expected {}", i, i < got.size() ? got[i] : 0, expected[i]);
    }
  }
  return "";
}

// ---- each returns what is wrong; empty: nothing ----

std::string test_random_bits(Device device) {
  const PhiloxState state{11, 3};
  Generator generator(state.seed);
  generator.set_state(state);
  const Values got = generator.uniform({4096}, 0, 1, {.device = device}).to_vector<float>();
  Values expected(got.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    expected[i] = philox_uniform(philox(state, i / 4).word[i % 4]);
  }
  return judge_equal(got, expected);
}

std::string test_topk(Device device) {
  const int64_t rows = 32, length = 28 * 28, k = 78;
  const Values x = random_values(rows * length, 1);
  Values expected(x.size(), 0);
  for (int64_t row = 0; row < rows; ++row) {
    std::vector<int64_t> order(length);
    std::iota(order.begin(), order.end(), row * length);
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return std::abs(x[a]) > std::abs(x[b]); });
    for (int64_t i = 0; i < k; ++i) expected[order[i]] = x[order[i]];
  }
  const Tensor y = nn::topk(on(device, x, {4, 8, 28, 28}), TopKDesc{.k = k});
  return judge_equal(y.to_vector<float>(), expected);
}

std::string test_matmul(Device device) {
  const int64_t m = 65, n = 48, inner = 33;
  const Values a = random_values(m * inner, 1), b = random_values(inner * n, 2);
  Values expected(m * n, 0);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      for (int64_t k = 0; k < inner; ++k) expected[i * n + j] += a[i * inner + k] * b[k * n + j];
    }
  }
  const Tensor y = matmul(on(device, a, {m, inner}), on(device, b, {inner, n}));
  return judge_close(y.to_vector<float>(), expected);
}

std::string test_convolution(Device device) {
  const int64_t inputs = 8, outputs = 16, size = 20;
  const Values x = random_values(inputs * size * size, 1),
               w = random_values(outputs * inputs * 9, 2);
  Values expected(outputs * size * size, 0);
  for (int64_t o = 0; o < outputs; ++o) {
    for (int64_t row = 0; row < size; ++row) {
      for (int64_t column = 0; column < size; ++column) {
        float sum = 0;
        for (int64_t i = 0; i < inputs * 9; ++i) {
          const int64_t r = row + i % 9 / 3 - 1, c = column + i % 3 - 1;
          if (r < 0 || r >= size || c < 0 || c >= size) continue;
          sum += w[o * inputs * 9 + i] * x[(i / 9 * size + r) * size + c];
        }
        expected[(o * size + row) * size + column] = sum;
      }
    }
  }
  const Tensor y = nn::conv2d(on(device, x, {1, inputs, size, size}),
                              on(device, w, {outputs, inputs, 3, 3}), {}, {.padding = {1, 1}});
  return judge_close(y.to_vector<float>(), expected);
}

std::string test_gram(Device device) {
  const int64_t channels = 16, length = 32 * 32;
  const Values x = random_values(channels * length, 1);
  Values expected(channels * channels);
  for (int64_t i = 0; i < channels; ++i) {
    for (int64_t j = 0; j < channels; ++j) {
      double sum = 0;
      for (int64_t l = 0; l < length; ++l) sum += x[i * length + l] * x[j * length + l];
      expected[i * channels + j] = static_cast<float>(sum / (channels * length));
    }
  }
  const Tensor y = nn::gram_matrix(on(device, x, {1, channels, 32, 32}));
  return judge_close(y.to_vector<float>(), expected);
}

}  // namespace

std::vector<SelfTestResult> self_test(Device device) {
  const std::pair<const char*, std::string (*)(Device)> tests[] = {
      {"random bits", test_random_bits},
      {"Top-K", test_topk},
      {"matrix product", test_matmul},
      {"convolution", test_convolution},
      {"Gram matrix", test_gram}};
  const NoGradGuard no_grad;
  std::vector<SelfTestResult> results;
  for (const auto& [name, test] : tests) {
    SelfTestResult& result = results.emplace_back();
    result.name = name;
    const auto start = std::chrono::steady_clock::now();
    try {
      result.detail = test(device);
      result.ok = result.detail.empty();
    } catch (const std::exception& error) {
      result.detail = error.what();
    }
    result.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  return results;
}

}  // namespace gestalt::tools
