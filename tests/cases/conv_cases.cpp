#include "nn/conv.h"
#include "nn/linear.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/shape.h"
#include "tests/cases/op_case.h"
#include "tests/ref/conv.h"

namespace gestalt::cases {
namespace {

OpCase conv_case(const std::string& name, std::vector<Input> inputs, const Conv2dDesc& desc = {}) {
  return {.name = "conv2d/" + name,
          .inputs = std::move(inputs),
          .run = [desc](const std::vector<Tensor>& in) -> std::vector<Tensor> {
            return {nn::conv2d(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), desc)};
          },
          .reference = [desc](const std::vector<Array>& in) -> std::vector<Array> {
            return {conv2d_reference(in[0], in[1], in.size() > 2 ? &in[2] : nullptr, desc)};
          },
          .tolerance_f32 = 5e-6};
}

// Away from zero, so that a finite difference does not step over the kink; all dtypes agree on the
// sign.
OpCase relu_case() {
  OpCase result = conv_case(
      "relu", {{.shape = {1, 2, 4, 4}, .low = 0.5}, {.shape = {4, 2, 3, 3}}, {.shape = {4}}},
      {.padding = {1, 1}, .activation = Activation::relu});
  std::vector<double> weight(4 * 2 * 9);
  for (size_t i = 0; i < weight.size(); ++i) {
    weight[i] = (i / 18 % 2 == 0 ? 1 : -1) * (0.25 + 0.03 * static_cast<double>(i % 7));
  }
  result.inputs[1].values = weight;
  result.inputs[2].values = {0.25, -0.25, 0.5, -0.5};
  return result;
}

// Shapes that the CPU gives to Winograd in f32: sizes that are no multiple of its tiles, paddings
// from 0 to the kernel's reach, more than one block of channels and, in the last, of tiles.
std::vector<OpCase> winograd_cases() {
  std::vector<OpCase> cases = {
      conv_case("winograd", {{.shape = {2, 9, 7, 10}}, {.shape = {18, 9, 3, 3}}, {.shape = {18}}},
                {.padding = {1, 1}}),
      conv_case("winograd_paddings", {{.shape = {1, 8, 8, 5}}, {.shape = {8, 8, 3, 3}}},
                {.padding = {0, 2}}),
      conv_case("winograd_many_tiles",
                {{.shape = {3, 5, 50, 67}}, {.shape = {17, 5, 3, 3}}, {.shape = {17}}},
                {.padding = {1, 1}}),
      conv_case("winograd_5x5",
                {{.shape = {2, 9, 8, 11}}, {.shape = {18, 9, 5, 5}}, {.shape = {18}}},
                {.padding = {2, 3}}),
      conv_case("winograd_5x5_many_tiles", {{.shape = {3, 5, 50, 67}}, {.shape = {17, 5, 5, 5}}},
                {.padding = {4, 2}})};
  for (OpCase& op_case : cases) op_case.tolerance_f32 = 2e-5;
  // Too large for finite differences.
  cases[0].dtypes = cases[3].dtypes = {DType::f32, DType::bf16, DType::f16};
  cases[2].dtypes = cases[4].dtypes = {DType::f32};
  return cases;
}

std::vector<Tensor> run_linear(const std::vector<Tensor>& in) {
  return {nn::linear(in[0], in[1], in.size() > 2 ? in[2] : Tensor())};
}

std::vector<Array> linear_reference(const std::vector<Array>& in) {
  const int64_t inner = in[1].shape[1], outer = in[1].shape[0];
  Shape shape = in[0].shape;
  shape[-1] = outer;
  Array y(shape);
  for (size_t i = 0; i < y.values.size(); ++i) {
    const int64_t row = static_cast<int64_t>(i) / outer, o = static_cast<int64_t>(i) % outer;
    double sum = in.size() > 2 ? in[2].values[o] : 0;
    for (int64_t k = 0; k < inner; ++k) {
      sum += in[0].values[row * inner + k] * in[1].values[o * inner + k];
    }
    y.values[i] = sum;
  }
  return {y};
}

OpCase matmul_case(const std::string& name, Input a, Input b) {
  return {.name = "matmul/" + name,
          .inputs = {std::move(a), std::move(b)},
          .run = [](const std::vector<Tensor>& in) -> std::vector<Tensor> {
            return {matmul(in[0], in[1])};
          },
          .reference = [](const std::vector<Array>& in) -> std::vector<Array> {
            return {matmul_reference(in[0], in[1])};
          },
          .tolerance_f32 = 2e-6};
}

const bool added = add_cases({
    conv_case("3x3", {{.shape = {2, 3, 6, 5}}, {.shape = {4, 3, 3, 3}}, {.shape = {4}}},
              {.padding = {1, 1}}),
    conv_case("no_bias_1x1", {{.shape = {2, 3, 4, 5}}, {.shape = {2, 3, 1, 1}}}),
    conv_case("1x1", {{.shape = {2, 5, 3, 17}}, {.shape = {7, 5, 1, 1}}, {.shape = {7}}}),
    conv_case("1x1_strided_input", {{.shape = {2, 3, 4, 5}, .layout = Layout::strided},
                                    {.shape = {3, 3, 1, 1}},
                                    {.shape = {3}}}),
    conv_case("channels_last",
              {{.shape = {2, 4, 6, 5}, .layout = Layout::channels_last},
               {.shape = {4, 4, 3, 3}},
               {.shape = {4}}},
              {.padding = {1, 1}}),
    conv_case("strided_input",
              {{.shape = {1, 2, 5, 5}, .layout = Layout::strided}, {.shape = {3, 2, 3, 3}}}),
    conv_case("stride2_4x4_odd_padding",
              {{.shape = {1, 2, 9, 8}}, {.shape = {3, 2, 4, 4}}, {.shape = {3}}},
              {.stride = {2, 3}, .padding = {1, 2}}),
    conv_case("dilation", {{.shape = {1, 2, 9, 8}}, {.shape = {2, 2, 3, 2}}, {.shape = {2}}},
              {.padding = {2, 1}, .dilation = {2, 3}}),
    conv_case("groups", {{.shape = {2, 4, 5, 5}}, {.shape = {6, 2, 3, 3}}, {.shape = {6}}},
              {.padding = {1, 0}, .groups = 2}),
    conv_case("depthwise", {{.shape = {1, 4, 5, 6}}, {.shape = {4, 1, 3, 3}}},
              {.stride = {2, 1}, .padding = {1, 1}, .groups = 4}),
    conv_case("padding_beyond_kernel", {{.shape = {1, 1, 3, 3}}, {.shape = {2, 1, 2, 2}}},
              {.padding = {3, 2}}),
    conv_case("batch_0", {{.shape = {0, 3, 6, 5}}, {.shape = {4, 3, 3, 3}}, {.shape = {4}}},
              {.padding = {1, 1}}),
    relu_case(),
    {.name = "linear/bias",
     .inputs = {{.shape = {5, 7}}, {.shape = {3, 7}}, {.shape = {3}}},
     .run = run_linear,
     .reference = linear_reference,
     .tolerance_f32 = 2e-6},
    {.name = "linear/rank3_no_bias",
     .inputs = {{.shape = {2, 3, 4}, .layout = Layout::strided}, {.shape = {5, 4}}},
     .run = run_linear,
     .reference = linear_reference,
     .tolerance_f32 = 2e-6},
    {.name = "linear/batch_0",
     .inputs = {{.shape = {0, 4}}, {.shape = {5, 4}}, {.shape = {5}}},
     .run = run_linear,
     .reference = linear_reference},
    matmul_case("2d", {.shape = {5, 7}}, {.shape = {7, 6}}),
    matmul_case("strided", {.shape = {5, 7}, .layout = Layout::strided},
                {.shape = {7, 6}, .layout = Layout::strided}),
    matmul_case("batched", {.shape = {3, 4, 5}}, {.shape = {3, 5, 2}}),
    matmul_case("broadcast_matrix", {.shape = {3, 4, 5}}, {.shape = {5, 2}}),
    matmul_case("broadcast_both", {.shape = {2, 1, 3, 4}}, {.shape = {3, 4, 2}}),
    // By vectors and by blocks of rows, with some left over.
    matmul_case("vectors", {.shape = {2, 9, 5}}, {.shape = {2, 5, 11}}),
    matmul_case("vectors_strided", {.shape = {17, 6}, .layout = Layout::strided},
                {.shape = {6, 8}, .layout = Layout::strided}),
    // Beyond what the CPU does by itself.
    matmul_case("large", {.shape = {2, 20, 30}}, {.shape = {2, 30, 25}}),
    matmul_case("large_strided", {.shape = {20, 30}, .layout = Layout::strided},
                {.shape = {30, 25}, .layout = Layout::strided}),
    matmul_case("large_broadcast", {.shape = {2, 1, 20, 30}}, {.shape = {2, 30, 25}}),
    matmul_case("large_row", {.shape = {1, 100}}, {.shape = {100, 90}}),
    // Dense, but the stride of the dimension of size 1 is none of the batch's.
    {.name = "matmul/batch_of_one_transposed",
     .inputs = {{.shape = {1, 2, 3, 4}}, {.shape = {4, 5}}},
     .run = [](const std::vector<Tensor>& in) -> std::vector<Tensor> {
       return {matmul(permute(in[0], {1, 0, 2, 3}), in[1])};
     },
     .reference = [](const std::vector<Array>& in) -> std::vector<Array> {
       return {matmul_reference({{2, 1, 3, 4}, in[0].values}, in[1])};
     }},
    matmul_case("rows_of_one", {.shape = {2, 1, 5}}, {.shape = {2, 5, 1}}),
    matmul_case("inner_0", {.shape = {3, 0}}, {.shape = {0, 2}}),
    matmul_case("batch_0", {.shape = {0, 3, 4}}, {.shape = {4, 2}}),
});

const bool winograd_added = add_cases(winograd_cases());

}  // namespace
}  // namespace gestalt::cases
