// Comparisons and choices are exact: no tolerance.

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "tensor/ops/compare.h"
#include "tests/cases/op_case.h"
#include "tests/ref/elementwise.h"

namespace gestalt::cases {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

struct Relation {
  std::string name;
  Tensor (*run)(const Tensor&, const Tensor&);
  Tensor (*run_scalar)(const Tensor&, double);
  bool (*reference)(double, double);
};

const Relation relations[] = {
    {"greater", greater, greater, [](double a, double b) { return a > b; }},
    {"greater_equal", greater_equal, greater_equal, [](double a, double b) { return a >= b; }},
    {"less", less, less, [](double a, double b) { return a < b; }},
    {"less_equal", less_equal, less_equal, [](double a, double b) { return a <= b; }},
    {"equal", equal, equal, [](double a, double b) { return a == b; }},
};

// `dtype`: what the inputs become first; none: they stay of the dtype under test.
OpCase make(const Relation& relation, const std::string& name, Input a, Input b,
            std::optional<DType> dtype = {}) {
  a.integer = b.integer = dtype.has_value();
  return {.name = relation.name + "/" + name,
          .inputs = {a, b},
          .run =
              [=](const std::vector<Tensor>& in) {
                if (!dtype) return std::vector{relation.run(in[0], in[1])};
                return std::vector{relation.run(in[0].to(*dtype), in[1].to(*dtype))};
              },
          .reference =
              [=](const std::vector<Array>& in) {
                return std::vector{ref::map(in[0], in[1], [&](double a, double b) {
                  return relation.reference(a, b) ? 1.0 : 0.0;
                })};
              },
          .differentiable = false};
}

OpCase make_scalar(const Relation& relation, const std::string& name, const Input& x,
                   double scalar) {
  OpCase result = make(relation, name, x, {.shape = {}});
  result.inputs = {x};
  result.run = [=](const std::vector<Tensor>& in) {
    return std::vector{relation.run_scalar(in[0], scalar)};
  };
  result.reference = [=](const std::vector<Array>& in) {
    return std::vector{ref::map(
        in[0], [&](double value) { return relation.reference(value, scalar) ? 1.0 : 0.0; })};
  };
  return result;
}

// The condition is an input of 0 and 1 (and 2, which counts as 1), made u8 on the way.
OpCase make_where(const std::string& name, Input condition, const Input& a, const Input& b) {
  condition.integer = true;
  condition.low = 0;
  condition.high = 3;
  return {.name = "where/" + name,
          .inputs = {condition, a, b},
          .run =
              [](const std::vector<Tensor>& in) {
                return std::vector{where(in[0].to(DType::u8), in[1], in[2])};
              },
          .reference =
              [](const std::vector<Array>& in) {
                // c > 0 ? a : b in two steps, each a broadcast
                const Array from_a =
                    ref::map(in[0], in[1], [](double c, double a) { return c > 0 ? a : nan; });
                const Array from_b =
                    ref::map(in[0], in[2], [](double c, double b) { return c > 0 ? nan : b; });
                return std::vector{ref::map(
                    from_a, from_b, [](double a, double b) { return std::isnan(a) ? b : a; })};
              }};
}

OpCase make_extreme(bool greatest, const std::string& name, const Input& a, const Input& b) {
  return {.name = (greatest ? "maximum/" : "minimum/") + name,
          .inputs = {a, b},
          .run =
              [=](const std::vector<Tensor>& in) {
                return std::vector{greatest ? maximum(in[0], in[1]) : minimum(in[0], in[1])};
              },
          .reference =
              [=](const std::vector<Array>& in) {
                return std::vector{ref::map(in[0], in[1], [=](double a, double b) {
                  if (std::isnan(a) || std::isnan(b)) return nan;
                  return greatest ? std::max(a, b) : std::min(a, b);
                })};
              }};
}

std::vector<OpCase> cases() {
  std::vector<OpCase> list;
  // Few values, so that many are equal.
  const std::vector<double> few{0, -0.0, 1, -1, 0.5, inf, -inf, nan, 3, 0.5, 1, -1};
  const std::vector<double> other{-0.0, 0, 1, 1, 0.5, inf, inf, nan, nan, -0.5, -1, -1};
  for (const Relation& relation : relations) {
    list.push_back(make(relation, "special", {.shape = {12}, .values = few},
                        {.shape = {12}, .values = other}));
    for (int64_t size : {0, 1, 3, 4, 5, 8, 16, 257}) {
      list.push_back(
          make(relation, "size_" + std::to_string(size), {.shape = {size}}, {.shape = {size}}));
    }
    list.push_back(make(relation, "broadcast_both", {.shape = {4, 1, 5}}, {.shape = {3, 1}}));
    list.push_back(
        make(relation, "strided", {.shape = {3, 301}, .layout = Layout::strided}, {.shape = {1}}));
    list.push_back(make(relation, "channels_last",
                        {.shape = {2, 3, 4, 5}, .layout = Layout::channels_last},
                        {.shape = {2, 3, 4, 5}, .layout = Layout::channels_last}));
    list.push_back(make_scalar(relation, "scalar", {.shape = {12}, .values = few}, 0.5));
    list.push_back(make_scalar(relation, "scalar_nan", {.shape = {12}, .values = few}, nan));
    Input whole{.shape = {40}, .low = 0, .high = 4, .integer = true};
    for (const DType dtype : {DType::i64, DType::u8}) {
      list.push_back(make(relation, to_string(dtype), whole, whole, dtype));
    }
    list.push_back(make_scalar(relation, "scalar_i64", whole, 2));
    for (OpCase& op_case : list) {
      if (op_case.inputs[0].integer) op_case.dtypes = {DType::f32};  // one is enough
    }
  }
  for (int64_t size : {0, 1, 7, 8, 9, 16, 257}) {
    const Input input{.shape = {size}};
    list.push_back(make_where("size_" + std::to_string(size), input, input, input));
  }
  const Input image{.shape = {2, 3, 4, 5}};
  const Input last{.shape = {2, 3, 4, 5}, .layout = Layout::channels_last};
  list.push_back(make_where("large", {.shape = {30, 300}}, {.shape = {30, 300}}, {.shape = {300}}));
  list.push_back(make_where("broadcast_condition", {.shape = {3, 1, 1}}, image, image));
  list.push_back(make_where("broadcast_a", image, {.shape = {1}}, image));
  list.push_back(make_where("broadcast_b", image, image, {.shape = {}}));
  list.push_back(
      make_where("broadcast_each", {.shape = {4, 1, 1}}, {.shape = {3, 1}}, {.shape = {1, 1, 5}}));
  list.push_back(
      make_where("longest_condition", {.shape = {2, 3, 4, 5}}, {.shape = {5}}, {.shape = {4, 1}}));
  list.push_back(make_where("channels_last", last, last, image));
  list.push_back(make_where("strided", {.shape = {4, 7}, .layout = Layout::strided},
                            {.shape = {4, 7}, .layout = Layout::strided}, {.shape = {4, 7}}));
  for (const bool greatest : {true, false}) {
    const Input left{.shape = {12}, .values = few}, right{.shape = {12}, .values = other};
    for (OpCase special : {make_extreme(greatest, "special", left, right),
                           make_extreme(greatest, "special_swapped", right, left)}) {
      special.differentiable = false;  // at kinks
      list.push_back(special);
    }
    list.push_back(make_extreme(greatest, "same_shape", image, last));
    list.push_back(make_extreme(greatest, "empty", {.shape = {0, 3}}, {.shape = {3}}));
    list.push_back(
        make_extreme(greatest, "broadcast_both", {.shape = {4, 1, 5}}, {.shape = {3, 1}}));
  }
  return list;
}

const bool added = add_cases(cases());

}  // namespace
}  // namespace gestalt::cases
