#include <cmath>

#include "nn/topk.h"
#include "tests/cases/op_case.h"
#include "tests/ref/topk.h"
#include "tests/ref/topk_array.h"

namespace gestalt::cases {
namespace {

// Distinct magnitudes, exact in every dtype, signs mixed, in an order that jumps about: rounding to
// another dtype must not change which are kept.
Input distinct(const Shape& shape, Layout layout = Layout::contiguous) {
  Input input{.shape = shape, .layout = layout};
  const int64_t length = shape[2] * shape[3];
  for (int64_t i = 0; i < shape.numel(); ++i) {
    const int64_t rank = i * 37 % length;  // length has no factor 37
    input.values.push_back(static_cast<double>((i / length + rank) % 2 ? -1 - rank : 1 + rank) /
                           16);
  }
  return input;
}

Array mean_replace_reference(const Array& x, int64_t k) {
  const int64_t length = x.shape[2] * x.shape[3];
  Array y(x.shape);
  for (int64_t r = 0; r < x.shape[0] * x.shape[1]; ++r) {
    const auto begin = x.values.begin() + r * length;
    const std::vector<double> row(begin, begin + length);
    const std::vector<bool> kept = ref::topk_signed_mask(row, k);
    double sum = 0;
    for (int64_t i = 0; i < length; ++i) sum += kept[i] ? row[i] : 0;
    for (int64_t i = 0; i < length; ++i) {
      y.values[r * length + i] = kept[i] ? sum / static_cast<double>(k) : 0;
    }
  }
  return y;
}

OpCase topk_case(const std::string& name, Input input, const TopKDesc& desc) {
  const double elements = static_cast<double>(input.shape.numel());
  return {.name = "topk/" + name,
          .inputs = {std::move(input)},
          .run = [desc](const std::vector<Tensor>& in) -> std::vector<Tensor> {
            return {nn::topk(in[0], desc)};
          },
          .reference = [desc](const std::vector<Array>& in) -> std::vector<Array> {
            return {topk_reference(in[0], desc)};
          },
          // A selection is exact; only the blend rounds.
          .tolerance_f32 = desc.tau == 1 ? 0 : 1e-6,
          .tolerance_bf16 = desc.tau == 1 ? 0 : 1e-2,
          .tolerance_f16 = desc.tau == 1 ? 0 : 2e-3,
          .bytes = 8 * elements};
}

OpCase mean_case(const std::string& name, Input input, int64_t k) {
  return {.name = "topk_mean_replace/" + name,
          .inputs = {std::move(input)},
          .run = [k](const std::vector<Tensor>& in) -> std::vector<Tensor> {
            return {nn::topk_mean_replace(in[0], k)};
          },
          .reference = [k](const std::vector<Array>& in) -> std::vector<Array> {
            return {mean_replace_reference(in[0], k)};
          }};
}

// Values that are no gradcheck's business: ties, zeros of both signs, infinities, NaN.
OpCase special_case(const std::string& name, std::vector<double> values, const TopKDesc& desc) {
  Input input{.shape = {1, 1, 1, static_cast<int64_t>(values.size())}, .values = values};
  OpCase result = topk_case(name, std::move(input), desc);
  result.differentiable = false;
  return result;
}

constexpr Layout last = Layout::channels_last;

const bool added = add_cases({
    topk_case("keep", distinct({2, 3, 9, 11}), {.k = 10}),
    topk_case("keep_one", distinct({2, 2, 5, 6}), {.k = 1}),
    topk_case("all_but_one", distinct({2, 2, 5, 6}), {.k = 29}),
    topk_case("all", distinct({2, 2, 5, 6}), {.k = 30}),
    topk_case("one_element", distinct({2, 3, 1, 1}), {.k = 1}),
    topk_case("reverse", distinct({2, 3, 9, 11}), {.k = 10, .mode = TopKMode::reverse}),
    topk_case("reverse_all", distinct({1, 2, 4, 4}), {.k = 16, .mode = TopKMode::reverse}),
    topk_case("tau", distinct({2, 3, 5, 7}), {.k = 10, .tau = 0.25f}),
    topk_case("reverse_tau", distinct({2, 3, 5, 7}),
              {.k = 10, .mode = TopKMode::reverse, .tau = 0.75f}),
    topk_case("channels_last", distinct({2, 19, 9, 11}, last), {.k = 10}),
    topk_case("channels_last_tau", distinct({2, 3, 5, 7}, last), {.k = 10, .tau = 0.25f}),
    topk_case("strided", distinct({2, 3, 5, 7}, Layout::strided), {.k = 10}),
    topk_case("empty", {.shape = {0, 3, 4, 4}}, {.k = 2}),
    special_case("ties", {1, -1, 1, 0, -0.0, 2, 1, 1, -2, 1}, {.k = 5}),
    special_case("zeros", {0, -0.0, 0, -0.0, 3, 0, 0}, {.k = 4}),
    special_case("infinities", {1, -INFINITY, NAN, INFINITY, 5, -NAN, 7}, {.k = 3}),
    special_case("reverse_infinities", {1, -INFINITY, NAN, INFINITY, 5, -NAN, 7},
                 {.k = 4, .mode = TopKMode::reverse}),
    mean_case("distinct", distinct({2, 3, 5, 7}), 6),
    mean_case("one", distinct({2, 3, 5, 7}), 1),
    mean_case("all", distinct({2, 3, 3, 3}), 9),
    mean_case("channels_last", distinct({2, 3, 5, 7}, last), 6),
    mean_case("strided", distinct({2, 3, 5, 7}, Layout::strided), 6),
    mean_case("empty", {.shape = {0, 3, 4, 4}}, 2),
});

}  // namespace
}  // namespace gestalt::cases
