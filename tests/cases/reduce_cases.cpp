#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/table.h"
#include "tensor/context.h"
#include "tensor/ops/reduce.h"
#include "tests/cases/op_case.h"
#include "tests/ref/elementwise.h"

namespace gestalt::cases {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

double plus(double a, double b) {
  return a + b;
}
double larger(double a, double b) {
  return std::isnan(a) || a > b ? a : b;
}

Array scaled(Array x, double scale) {
  for (double& value : x.values) value *= scale;
  return x;
}

// Without the dimensions of size 1 that `dims` left.
Array dropped(const Array& x, std::vector<int> dims) {
  if (dims.empty()) return ref::reshaped(x, {});
  std::sort(dims.rbegin(), dims.rend());
  Shape shape = x.shape;
  for (int dim : dims) shape.erase(dim);
  return ref::reshaped(x, shape);
}

OpCase make_sum(const std::string& name, const Input& input, const std::vector<int>& dims) {
  return {.name = "sum/" + name,
          .inputs = {input},
          .run = [dims](const std::vector<Tensor>& in) { return std::vector{sum(in[0], dims)}; },
          .reference =
              [dims](const std::vector<Array>& in) {
                return std::vector{dropped(ref::fold(in[0], dims, 0, plus), dims)};
              }};
}

OpCase make_mean(const std::string& name, const Input& input, const std::vector<int>& dims) {
  return {
      .name = "mean/" + name,
      .inputs = {input},
      .run = [dims](const std::vector<Tensor>& in) { return std::vector{mean(in[0], dims, true)}; },
      .reference =
          [dims](const std::vector<Array>& in) {
            const Array total = ref::fold(in[0], dims, 0, plus);
            return std::vector{scaled(total, static_cast<double>(total.values.size()) /
                                                 static_cast<double>(in[0].values.size()))};
          }};
}

OpCase make_variance(const std::string& name, const Input& input, const std::vector<int>& dims,
                     bool unbiased) {
  return {
      .name = "variance/" + name,
      .inputs = {input},
      .run =
          [=](const std::vector<Tensor>& in) {
            return std::vector{variance(in[0], dims, {.unbiased = unbiased, .keep_dims = true})};
          },
      .reference =
          [=](const std::vector<Array>& in) {
            const Array total = ref::fold(in[0], dims, 0, plus);
            const double count =
                static_cast<double>(in[0].values.size()) / static_cast<double>(total.values.size());
            const Array squares =
                ref::map(in[0], scaled(total, 1 / count),
                         [](double x, double mean) { return (x - mean) * (x - mean); });
            return std::vector{
                scaled(ref::fold(squares, dims, 0, plus), 1 / (count - (unbiased ? 1 : 0)))};
          },
      .tolerance_bf16 = 3e-2,
      .tolerance_f16 = 4e-3};
}

double smaller(double a, double b) {
  return std::isnan(a) || a < b ? a : b;
}

OpCase make_max(const std::string& name, const Input& input, const std::vector<int>& dims) {
  return {.name = "max/" + name,
          .inputs = {input},
          .run = [dims](const std::vector<Tensor>& in) { return std::vector{max(in[0], dims)}; },
          .reference =
              [dims](const std::vector<Array>& in) {
                return std::vector{dropped(ref::fold(in[0], dims, -inf, larger), dims)};
              }};
}

OpCase make_min(const std::string& name, const Input& input, const std::vector<int>& dims) {
  OpCase result = make_max(name, input, dims);
  result.name = "min/" + name;
  result.run = [dims](const std::vector<Tensor>& in) { return std::vector{min(in[0], dims)}; };
  result.reference = [dims](const std::vector<Array>& in) {
    return std::vector{dropped(ref::fold(in[0], dims, inf, smaller), dims)};
  };
  return result;
}

OpCase make_argmax(const std::string& name, const Input& input, int dim) {
  return {
      .name = "argmax/" + name,
      .inputs = {input},
      .run = [dim](const std::vector<Tensor>& in) { return std::vector{argmax(in[0], dim, true)}; },
      .reference =
          [dim](const std::vector<Array>& in) {
            const Array& x = in[0];
            Shape kept = x.shape;
            kept[dim] = 1;
            Array y(kept);
            for (size_t i = 0; i < y.values.size(); ++i) {
              Shape index = ref::index_of(kept, static_cast<int64_t>(i));
              double most = ref::at(x, index);
              for (int64_t k = 1; k < x.shape[dim]; ++k) {
                index[dim] = k;
                const double value = ref::at(x, index);
                if (!std::isnan(most) && (std::isnan(value) || value > most)) {
                  most = value;
                  y.values[i] = static_cast<double>(k);
                }
              }
            }
            return std::vector{y};
          },
      .differentiable = false};
}

// Kernels without an op of their own: one number of whole tensors, in f32 (f64 for f64).
Tensor stat(const Tensor& x) {
  return Tensor::empty({1}, {x.dtype() == DType::f64 ? DType::f64 : DType::f32, x.device()});
}

OpCase make_dot(const std::string& name, const Input& a, const Input& b) {
  return {.name = "dot/" + name,
          .inputs = {a, b},
          .run =
              [](const std::vector<Tensor>& in) {
                const Tensor y = stat(in[0]);
                Context& ctx = context(y.device());
                ctx.kernels().dot(ctx, in[0].view(), in[1].view(), y.view());
                return std::vector{y};
              },
          .reference =
              [](const std::vector<Array>& in) {
                double sum = 0;
                for (size_t i = 0; i < in[0].values.size(); ++i) {
                  sum += in[0].values[i] * in[1].values[i];
                }
                return std::vector{Array({1}, {sum})};
              },
          .tolerance_bf16 = 1e-6,
          .tolerance_f16 = 1e-6,
          .differentiable = false};
}

OpCase make_norm(const std::string& name, const Input& input, int order) {
  return {.name = "absolute_norm/" + name + "_order_" + std::to_string(order),
          .inputs = {input},
          .run =
              [order](const std::vector<Tensor>& in) {
                const Tensor y = stat(in[0]);
                Context& ctx = context(y.device());
                ctx.kernels().absolute_norm(ctx, in[0].view(), order, y.view());
                return std::vector{y};
              },
          .reference =
              [order](const std::vector<Array>& in) {
                double result = 0;
                for (double value : in[0].values) {
                  result = order == 1 ? result + std::abs(value) : larger(result, std::abs(value));
                }
                return std::vector{Array({1}, {result})};
              },
          .tolerance_bf16 = 1e-6,
          .tolerance_f16 = 1e-6,
          .differentiable = false};
}

std::vector<OpCase> cases() {
  std::vector<OpCase> list;
  const Input image{.shape = {2, 5, 4, 3}};
  const Input nhwc{.shape = {2, 5, 4, 3}, .layout = Layout::channels_last};
  const Input strided{.shape = {4, 3, 35}, .layout = Layout::strided};
  const auto each = [&](auto make) {
    list.push_back(make("all", image, std::vector<int>{}));
    list.push_back(make("inner", image, std::vector<int>{3}));
    list.push_back(make("outer", image, std::vector<int>{0}));
    list.push_back(make("middle", image, std::vector<int>{1, 2}));
    list.push_back(make("channels", image, std::vector<int>{0, 2, 3}));
    list.push_back(make("channels_last", nhwc, std::vector<int>{0, 2, 3}));
    list.push_back(make("channels_last_pixel", nhwc, std::vector<int>{1}));
    list.push_back(make("strided", strided, std::vector<int>{2}));
    list.push_back(make("strided_outer", strided, std::vector<int>{0, 1}));
    list.push_back(make("size_1", Input{.shape = {1}}, std::vector<int>{}));
    for (int64_t size : {15, 16, 17, 33}) {
      list.push_back(
          make("row_" + std::to_string(size), Input{.shape = {3, size}}, std::vector<int>{1}));
    }
    list.push_back(make("wide_outer", Input{.shape = {5, 515}}, std::vector<int>{0}));
    // Long enough for several chunks, along rows and along columns.
    list.push_back(make("large_all", Input{.shape = {300, 333}}, std::vector<int>{}));
    list.push_back(make("large_outer", Input{.shape = {40000, 3}}, std::vector<int>{0}));
    list.push_back(make("large_middle", Input{.shape = {2, 700, 70}}, std::vector<int>{1}));
  };
  each(make_sum);
  each(make_mean);
  each(make_max);
  each(make_min);
  list.push_back(make_sum("empty_sum", {.shape = {3, 0}}, {1}));
  list.push_back(make_sum("no_results", {.shape = {0, 3}}, {1}));
  list.push_back(make_sum("rank_0", {.shape = {}}, {}));
  // Added one after the other in f32 this would lose three digits.
  OpCase offset = make_sum("offset", {.shape = {70000}, .low = 100, .high = 101}, {});
  offset.dtypes = {DType::f32, DType::bf16, DType::f64};  // beyond f16
  offset.differentiable = false;                          // too large for difference quotients
  list.push_back(offset);
  for (bool unbiased : {true, false}) {
    const std::string suffix = unbiased ? "_unbiased" : "";
    list.push_back(make_variance("inner" + suffix, image, {2, 3}, unbiased));
    list.push_back(make_variance("channels_last" + suffix, nhwc, {0, 2, 3}, unbiased));
  }
  for (const auto make : {make_max, make_min}) {
    OpCase with_nan = make("nan", {.shape = {2, 40}, .values = std::vector<double>(80, 1)}, {1});
    with_nan.inputs[0].values[57] = nan;
    with_nan.differentiable = false;
    list.push_back(with_nan);
  }

  list.push_back(make_argmax("inner", image, 3));
  list.push_back(make_argmax("channels", image, 1));
  list.push_back(make_argmax("channels_last", nhwc, 1));
  list.push_back(make_argmax("strided", strided, 2));
  list.push_back(make_argmax("large", {.shape = {1000, 100}}, 1));
  list.push_back(make_argmax("ties", {.shape = {2, 4}, .values = {1, 3, 3, 2, 5, 5, 5, 5}}, 1));
  list.push_back(make_argmax("nan", {.shape = {1, 5}, .values = {1, 7, nan, 9, nan}}, 1));
  list.push_back(make_argmax("no_results", {.shape = {0, 4}}, 1));

  for (int64_t size : {0, 1, 31, 32, 33, 100000}) {
    const Input input{.shape = {size}};
    list.push_back(make_dot("size_" + std::to_string(size), input, input));
    for (int order : {0, 1}) {
      list.push_back(make_norm("size_" + std::to_string(size), input, order));
    }
  }
  list.push_back(make_dot("strided", strided, {.shape = {4, 3, 35}}));
  list.push_back(make_norm("nan", {.shape = {3}, .values = {1, nan, 2}}, 0));
  return list;
}

const bool added = add_cases(cases());

}  // namespace
}  // namespace gestalt::cases
