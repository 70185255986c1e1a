#include "nn/conv_transpose.h"
#include "tests/cases/op_case.h"

namespace gestalt::cases {
namespace {

using nn::ConvTranspose2dDesc;

// Every input element spreads the kernel over the output.
Array reference(const Array& x, const Array& weight, const Array* bias,
                const ConvTranspose2dDesc& desc) {
  const auto size = [&](int axis) {
    return (x.shape[2 + axis] - 1) * desc.stride[axis] - 2 * desc.padding[axis] +
           desc.dilation[axis] * (weight.shape[2 + axis] - 1) + desc.output_padding[axis] + 1;
  };
  const int64_t per_group = weight.shape[1];
  const int64_t inputs_per_group = x.shape[1] / desc.groups;
  Array y(Shape{x.shape[0], per_group * desc.groups, size(0), size(1)});
  for (int64_t n = 0; n < y.shape[0]; ++n) {
    for (int64_t o = 0; o < y.shape[1]; ++o) {
      for (int64_t h = 0; h < y.shape[2]; ++h) {
        for (int64_t w = 0; w < y.shape[3]; ++w) y(n, o, h, w) = bias ? bias->values[o] : 0;
      }
    }
    for (int64_t c = 0; c < x.shape[1]; ++c) {
      for (int64_t o = 0; o < per_group; ++o) {
        for (int64_t ih = 0; ih < x.shape[2]; ++ih) {
          for (int64_t iw = 0; iw < x.shape[3]; ++iw) {
            for (int64_t kh = 0; kh < weight.shape[2]; ++kh) {
              for (int64_t kw = 0; kw < weight.shape[3]; ++kw) {
                const int64_t h = ih * desc.stride[0] - desc.padding[0] + kh * desc.dilation[0];
                const int64_t w = iw * desc.stride[1] - desc.padding[1] + kw * desc.dilation[1];
                if (h < 0 || h >= y.shape[2] || w < 0 || w >= y.shape[3]) continue;
                y(n, c / inputs_per_group * per_group + o, h, w) +=
                    x(n, c, ih, iw) * weight(c, o, kh, kw);
              }
            }
          }
        }
      }
    }
  }
  return y;
}

OpCase transpose_case(const std::string& name, std::vector<Input> inputs,
                      const ConvTranspose2dDesc& desc = {}) {
  return {.name = "conv_transpose2d/" + name,
          .inputs = std::move(inputs),
          .run = [desc](const std::vector<Tensor>& in) -> std::vector<Tensor> {
            return {nn::conv_transpose2d(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), desc)};
          },
          .reference = [desc](const std::vector<Array>& in) -> std::vector<Array> {
            return {reference(in[0], in[1], in.size() > 2 ? &in[2] : nullptr, desc)};
          },
          .tolerance_f32 = 5e-6};
}

const bool added = add_cases({
    transpose_case("from_1x1", {{.shape = {2, 5, 1, 1}}, {.shape = {5, 6, 4, 4}}}),
    transpose_case("stride2_bias",
                   {{.shape = {2, 3, 4, 5}}, {.shape = {3, 4, 4, 4}}, {.shape = {4}}},
                   {.stride = {2, 2}, .padding = {1, 1}}),
    transpose_case("output_padding", {{.shape = {1, 2, 4, 3}}, {.shape = {2, 3, 3, 3}}},
                   {.stride = {2, 3}, .padding = {1, 0}, .output_padding = {1, 2}}),
    transpose_case("dilation_groups", {{.shape = {2, 4, 4, 5}}, {.shape = {4, 3, 3, 2}}},
                   {.padding = {1, 1}, .dilation = {2, 3}, .groups = 2}),
    transpose_case(
        "channels_last",
        {{.shape = {2, 4, 3, 5}, .layout = Layout::channels_last}, {.shape = {4, 2, 3, 3}}},
        {.stride = {2, 1}}),
    transpose_case("batch_0", {{.shape = {0, 3, 4, 5}}, {.shape = {3, 4, 4, 4}}, {.shape = {4}}},
                   {.stride = {2, 2}, .padding = {1, 1}}),
});

}  // namespace
}  // namespace gestalt::cases
