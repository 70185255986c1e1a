// Augmentation of images against plain definitions.

#include <algorithm>

#include "nn/augment.h"
#include "tests/cases/op_case.h"

namespace gestalt::cases {
namespace {

constexpr auto last = Layout::channels_last;

// Statistics are f32, or f64 for f64 images.
Tensor stat(const Tensor& x) {
  return x.dtype() == DType::f64 ? x : x.to(DType::f32);
}

Array adjust_color_reference(const std::vector<Array>& in) {
  const Array& x = in[0];
  const int64_t channels = x.shape[1], height = x.shape[2], width = x.shape[3];
  Array y(x.shape);
  for (int64_t n = 0; n < x.shape[0]; ++n) {
    double mean = 0;
    const auto of_pixel = [&](int64_t h, int64_t w) {
      double sum = 0;
      for (int64_t c = 0; c < channels; ++c) sum += x(n, c, h, w);
      return sum / static_cast<double>(channels);
    };
    for (int64_t h = 0; h < height; ++h) {
      for (int64_t w = 0; w < width; ++w) {
        mean += of_pixel(h, w) / static_cast<double>(height * width);
      }
    }
    for (int64_t h = 0; h < height; ++h) {
      for (int64_t w = 0; w < width; ++w) {
        const double grey = of_pixel(h, w);
        for (int64_t c = 0; c < channels; ++c) {
          const double saturated = in[2].values[n] * (x(n, c, h, w) - grey) + grey;
          y(n, c, h, w) = in[3].values[n] * (saturated - mean) + mean + in[1].values[n];
        }
      }
    }
  }
  return y;
}

OpCase color_case(const std::string& name, const Input& x) {
  const Shape one{x.shape[0]};
  return {.name = "adjust_color/" + name,
          .inputs = {x,
                     {.shape = one, .low = -0.5, .high = 0.5, .gradient = false},
                     {.shape = one, .low = 0, .high = 2, .gradient = false},
                     {.shape = one, .low = 0.5, .high = 1.5, .gradient = false}},
          .run = [](const std::vector<Tensor>& in) -> std::vector<Tensor> {
            return {nn::adjust_color(in[0], {stat(in[1]), stat(in[2]), stat(in[3])})};
          },
          .reference = [](const std::vector<Array>& in) -> std::vector<Array> {
            return {adjust_color_reference(in)};
          },
          .tolerance_f32 = 2e-6};
}

Input positions(const std::vector<double>& values) {
  return {.shape = {static_cast<int64_t>(values.size()) / 2, 2},
          .values = values,
          .gradient = false,
          .integer = true};
}

OpCase translate_case(const std::string& name, const Input& x, const std::vector<double>& offsets,
                      Pair size) {
  return {.name = "translate/" + name,
          .inputs = {x, positions(offsets)},
          .run = [size](const std::vector<Tensor>& in) -> std::vector<Tensor> {
            return {nn::translate(in[0], in[1], size)};
          },
          .reference = [size](const std::vector<Array>& in) -> std::vector<Array> {
            const Array& x = in[0];
            Array y(Shape{x.shape[0], x.shape[1], size[0], size[1]});
            for (int64_t n = 0; n < x.shape[0]; ++n) {
              for (int64_t c = 0; c < x.shape[1]; ++c) {
                for (int64_t h = 0; h < size[0]; ++h) {
                  for (int64_t w = 0; w < size[1]; ++w) {
                    const double row = static_cast<double>(h) + in[1].values[2 * n];
                    const double column = static_cast<double>(w) + in[1].values[2 * n + 1];
                    if (row < 0 || row >= static_cast<double>(x.shape[2])) continue;
                    if (column < 0 || column >= static_cast<double>(x.shape[3])) continue;
                    y(n, c, h, w) =
                        x(n, c, static_cast<int64_t>(row), static_cast<int64_t>(column));
                  }
                }
              }
            }
            return {y};
          }};
}

OpCase cutout_case(const std::string& name, const Input& x, const std::vector<double>& corners,
                   Pair size) {
  return {.name = "cutout/" + name,
          .inputs = {x, positions(corners)},
          .run = [size](const std::vector<Tensor>& in) -> std::vector<Tensor> {
            return {nn::cutout(in[0], in[1], size)};
          },
          .reference = [size](const std::vector<Array>& in) -> std::vector<Array> {
            Array y = in[0];
            for (int64_t n = 0; n < y.shape[0]; ++n) {
              const auto top = static_cast<int64_t>(in[1].values[2 * n]);
              const auto left = static_cast<int64_t>(in[1].values[2 * n + 1]);
              for (int64_t h = std::max<int64_t>(top, 0); h < std::min(top + size[0], y.shape[2]);
                   ++h) {
                for (int64_t w = std::max<int64_t>(left, 0);
                     w < std::min(left + size[1], y.shape[3]); ++w) {
                  for (int64_t c = 0; c < y.shape[1]; ++c) y(n, c, h, w) = 0;
                }
              }
            }
            return {y};
          }};
}

const Shape odd{3, 3, 7, 6};
const Input channels_last{.shape = odd, .layout = last};
const Input strided{.shape = odd, .layout = Layout::strided};
const Input empty{.shape = {0, 3, 7, 6}};

const bool added = add_cases({
    color_case("rgb", {.shape = odd}),
    color_case("channels_last", channels_last),
    color_case("strided", strided),
    color_case("five_channels", {.shape = {2, 5, 4, 33}}),
    color_case("one_pixel", {.shape = {1, 1, 1, 1}}),
    color_case("batch_0", empty),
    translate_case("each_way", {.shape = odd}, {1, -2, 0, 0, -6, 5}, {7, 6}),
    translate_case("channels_last", channels_last, {-1, 2, 3, 0, 1, 1}, {7, 6}),
    translate_case("strided", strided, {-1, 2, 3, 0, 1, 1}, {7, 6}),
    translate_case("all_gone", {.shape = odd}, {7, 0, 0, -6, 1000000000000, -1000000000000},
                   {7, 6}),
    translate_case("to_a_part", {.shape = odd}, {4, 0, 4, 3, 0, 3}, {3, 3}),
    translate_case("to_more", channels_last, {-2, -1, 0, 0, 3, -4}, {9, 11}),
    translate_case("batch_0", empty, {}, {7, 6}),
    cutout_case("inside", {.shape = odd}, {1, 2, 0, 0, 4, 3}, {3, 3}),
    cutout_case("beyond_the_edges", channels_last, {-2, 4, 5, -1, -3, -3}, {4, 3}),
    cutout_case("strided", strided, {-2, 4, 5, -1, 100, 100}, {4, 3}),
    cutout_case("nothing", {.shape = odd}, {1, 2, 0, 0, 4, 3}, {0, 3}),
    cutout_case("batch_0", empty, {}, {4, 3}),
});

}  // namespace
}  // namespace gestalt::cases
