#include <algorithm>
#include <cmath>

#include "nn/pad.h"
#include "nn/pool.h"
#include "nn/resize.h"
#include "tests/cases/op_case.h"
#include "tests/ref/conv.h"

namespace gestalt::cases {
namespace {

using Run = std::function<Tensor(const Tensor&)>;
using Reference = std::function<Array(const Array&)>;

OpCase image_case(const std::string& name, Input input, Run run, Reference reference) {
  return {
      .name = name,
      .inputs = {std::move(input)},
      .run = [run](const std::vector<Tensor>& in) -> std::vector<Tensor> { return {run(in[0])}; },
      .reference = [reference](const std::vector<Array>& in) -> std::vector<Array> {
        return {reference(in[0])};
      }};
}

// Distinct values far enough apart for every dtype, in an order that jumps about.
Input distinct(const Shape& shape, Layout layout = Layout::contiguous) {
  Input input{.shape = shape, .layout = layout};
  const int64_t count = shape.numel();
  for (int64_t i = 0; i < count; ++i) {
    input.values.push_back(static_cast<double>(i * 37 % count) / 64);
  }
  return input;
}

OpCase max_case(const std::string& name, Input input, const Pool2dDesc& desc) {
  return image_case(
      "max_pool2d/" + name, std::move(input),
      [desc](const Tensor& x) { return nn::max_pool2d(x, desc); },
      [desc](const Array& x) { return max_pool2d_reference(x, desc); });
}

OpCase avg_case(const std::string& name, Input input, const Pool2dDesc& desc) {
  return image_case(
      "avg_pool2d/" + name, std::move(input),
      [desc](const Tensor& x) { return nn::avg_pool2d(x, desc); },
      [desc](const Array& x) { return avg_pool2d_reference(x, desc); });
}

OpCase adaptive_case(const std::string& name, Input input, Pair size) {
  return image_case(
      "adaptive_avg_pool2d/" + name, std::move(input),
      [size](const Tensor& x) { return nn::adaptive_avg_pool2d(x, size); },
      [size](const Array& x) { return adaptive_avg_pool2d_reference(x, size); });
}

OpCase pad_case(const std::string& name, Input input, const Padding2d& padding) {
  return image_case(
      "reflection_pad2d/" + name, std::move(input),
      [padding](const Tensor& x) { return nn::reflection_pad2d(x, padding); },
      [padding](const Array& x) { return reflection_pad2d_reference(x, padding); });
}

OpCase constant_pad_case(const std::string& name, Input input, const Padding2d& padding,
                         double value) {
  return image_case(
      "constant_pad2d/" + name, std::move(input),
      [=](const Tensor& x) { return nn::constant_pad2d(x, padding, value); },
      [=](const Array& x) {
        Array y({x.shape[0], x.shape[1], x.shape[2] + padding.top + padding.bottom,
                 x.shape[3] + padding.left + padding.right});
        std::fill(y.values.begin(), y.values.end(), value);
        for (int64_t n = 0; n < x.shape[0]; ++n) {
          for (int64_t c = 0; c < x.shape[1]; ++c) {
            for (int64_t h = 0; h < x.shape[2]; ++h) {
              for (int64_t w = 0; w < x.shape[3]; ++w) {
                y(n, c, h + padding.top, w + padding.left) = x(n, c, h, w);
              }
            }
          }
        }
        return y;
      });
}

OpCase nearest_case(const std::string& name, Input input, Pair size) {
  return image_case(
      "resize_nearest/" + name, std::move(input),
      [size](const Tensor& x) { return nn::resize_nearest(x, size); },
      [size](const Array& x) { return resize_nearest_reference(x, size); });
}

OpCase bilinear_case(const std::string& name, Input input, Pair size, const ResizeDesc& desc) {
  OpCase result = image_case(
      "resize_bilinear/" + name, std::move(input),
      [size, desc](const Tensor& x) { return nn::resize_bilinear(x, size, desc); },
      [size, desc](const Array& x) { return resize_bilinear_reference(x, size, desc); });
  result.tolerance_f32 = 2e-6;
  return result;
}

OpCase max_nan_case() {
  OpCase result = max_case("nan_wins", {.shape = {1, 1, 2, 4}}, {});
  result.inputs[0].values = {1, 2, 3, 4, 5, NAN, 7, 8};
  result.differentiable = false;
  return result;
}

const Shape odd{2, 3, 7, 6};
const Input channels_last{.shape = odd, .layout = Layout::channels_last};
const Input strided{.shape = odd, .layout = Layout::strided};
const Input empty{.shape = {0, 3, 7, 6}};

const bool added = add_cases({
    max_case("2x2", distinct({2, 3, 6, 4}), {}),
    max_case("3x3_stride2_padding", distinct(odd),
             {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}),
    max_case("ceil", distinct({1, 2, 7, 5}), {.ceil_mode = true}),
    max_case("ceil_window_beyond_the_input", distinct({2, 3, 2, 3}),
             {.kernel = {3, 5}, .stride = {2, 3}, .ceil_mode = true}),
    max_case("ceil_window_beyond_the_input_channels_last",
             distinct({2, 8, 2, 3}, Layout::channels_last),
             {.kernel = {3, 5}, .stride = {2, 3}, .ceil_mode = true}),
    max_case("overlapping_channels_last", distinct(odd, Layout::channels_last),
             {.kernel = {3, 2}, .stride = {1, 1}}),
    // More than one round of the vector loops, with a rest.
    max_case("wide", distinct({1, 2, 5, 171}),
             {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}),
    max_case("wide_stride1", distinct({1, 1, 4, 140}),
             {.kernel = {2, 3}, .stride = {1, 1}, .padding = {1, 1}}),
    max_case("many_channels_last", distinct({1, 150, 5, 4}, Layout::channels_last),
             {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}),
    max_case("packs_channels_last", distinct({2, 16, 7, 6}, Layout::channels_last),
             {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}),
    max_case("packs_ceil_channels_last", distinct({1, 8, 7, 5}, Layout::channels_last),
             {.ceil_mode = true}),
    max_case("window_of_more_than_a_byte", distinct({1, 2, 19, 18}),
             {.kernel = {17, 17}, .stride = {1, 2}, .padding = {1, 0}}),
    max_case("batch_0", empty, {}),
    max_nan_case(),
    avg_case("2x2", {.shape = {2, 3, 6, 4}}, {}),
    avg_case("2x2_odd_size", {.shape = odd}, {}),
    avg_case("2x2_odd_width", {.shape = {1, 2, 4, 5}}, {}),
    avg_case("strided", strided, {}),
    avg_case("3x3_padding", {.shape = odd},
             {.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}}),
    avg_case("3x3_padding_not_counted", {.shape = odd},
             {.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}, .count_include_pad = false}),
    avg_case("ceil_channels_last", channels_last,
             {.kernel = {3, 2}, .stride = {2, 3}, .padding = {1, 1}, .ceil_mode = true}),
    avg_case("ceil_window_beyond_the_input", {.shape = {2, 3, 2, 1}},
             {.kernel = {3, 4}, .stride = {2, 3}, .padding = {0, 1}, .ceil_mode = true}),
    avg_case("ceil_window_beyond_the_input_channels_last",
             {.shape = {2, 8, 2, 1}, .layout = Layout::channels_last},
             {.kernel = {3, 4}, .stride = {2, 3}, .padding = {0, 1}, .ceil_mode = true}),
    avg_case("wide", {.shape = {1, 2, 5, 171}},
             {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}),
    avg_case("many_channels_last", {.shape = {1, 150, 5, 4}, .layout = Layout::channels_last},
             {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}, .count_include_pad = false}),
    avg_case("one_pixel", {.shape = {2, 5, 1, 1}},
             {.kernel = {3, 3}, .stride = {3, 3}, .padding = {1, 1}}),
    avg_case("stride_of_the_kernel", {.shape = {1, 2, 8, 9}}, {.kernel = {4, 3}}),
    avg_case("batch_0", empty, {}),
    adaptive_case("uneven", {.shape = odd}, {3, 4}),
    adaptive_case("one_channels_last", channels_last, {1, 1}),
    adaptive_case("larger", {.shape = {1, 2, 3, 2}}, {5, 4}),
    // Of one pixel, channels lie beside each other in either layout.
    adaptive_case("one_pixel", {.shape = {2, 5, 1, 1}}, {1, 1}),
    adaptive_case("one_pixel_to_more", {.shape = {2, 5, 1, 1}}, {2, 2}),
    adaptive_case("batch_0", empty, {2, 2}),
    pad_case("each_side", {.shape = odd}, {.left = 1, .right = 2, .top = 3, .bottom = 6}),
    pad_case("channels_last", channels_last, {1, 1, 1, 1}),
    pad_case("wide", {.shape = {1, 2, 4, 40}}, {.left = 3, .right = 2, .top = 1, .bottom = 0}),
    pad_case("strided", {.shape = odd, .layout = Layout::strided}, {1, 2, 0, 1}),
    pad_case("none", {.shape = odd}, {}),
    pad_case("batch_0", empty, {1, 1, 1, 1}),
    pad_case("channels_0", {.shape = {2, 0, 3, 4}, .layout = Layout::channels_last}, {1, 1, 1, 1}),
    constant_pad_case("each_side", {.shape = odd}, {.left = 1, .right = 2, .top = 3, .bottom = 9},
                      0.5),
    constant_pad_case("channels_last", channels_last, {1, 2, 0, 1}, 0),
    constant_pad_case("strided", {.shape = odd, .layout = Layout::strided}, {1, 2, 0, 1}, 0),
    constant_pad_case("none", {.shape = odd}, {}, 1),
    constant_pad_case("batch_0", empty, {1, 1, 1, 1}, 0),
    nearest_case("twice", {.shape = odd}, {14, 12}),
    nearest_case("uneven_channels_last", channels_last, {5, 8}),
    nearest_case("wide_up", {.shape = {2, 2, 3, 30}}, {7, 33}),
    nearest_case("one_pixel", {.shape = {2, 5, 1, 1}}, {1, 1}),
    nearest_case("batch_0", empty, {5, 8}),
    bilinear_case("up", {.shape = odd}, {11, 13}, {}),
    bilinear_case("down_channels_last", channels_last, {4, 3}, {}),
    bilinear_case("corners", {.shape = odd}, {5, 9}, {.align_corners = true}),
    bilinear_case("to_one", {.shape = odd}, {1, 1}, {.align_corners = true}),
    bilinear_case("one_pixel", {.shape = {2, 5, 1, 1}}, {1, 1}, {}),
    bilinear_case("batch_0", empty, {5, 9}, {}),
});

}  // namespace
}  // namespace gestalt::cases
