// Layers that end in a ReLU and Top-K, or in a residual and a ReLU, give the bits of their ops one
// after the other, forward and backward, in every dtype and format.

#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <random>

#include "kernels/error.h"
#include "nn/batch_norm.h"
#include "nn/conv.h"
#include "nn/topk.h"
#include "tensor/allocator.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"
#include "tests/error_of.h"

namespace gestalt::nn {
namespace {

Tensor gaussian(const Shape& shape, uint64_t seed, DType dtype, Format format) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal;
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (double& value : values) value = normal(engine);
  return Tensor::from_vector(values, shape).to(dtype).contiguous(format);
}

// NaN equals NaN; +0 and -0 differ.
void expect_same(const Tensor& got, const Tensor& expected, const std::string& what) {
  ASSERT_EQ(got.shape(), expected.shape()) << what;
  const std::vector<double> a = got.to_vector<double>(), b = expected.to_vector<double>();
  for (size_t i = 0; i < a.size(); ++i) {
    const bool same = std::isnan(b[i]) ? std::isnan(a[i])
                                       : a[i] == b[i] && std::signbit(a[i]) == std::signbit(b[i]);
    ASSERT_TRUE(same) << what << " at " << i << ": got " << a[i] << ", expected " << b[i];
  }
}

using Op = std::function<Tensor(const std::vector<Tensor>&)>;

// y and the gradients to every input, of fused and of steps.
void expect_same_op(const std::vector<Tensor>& inputs, const Op& fused, const Op& steps) {
  std::vector<Tensor> results[2];
  int side = 0;
  for (const Op& op : {fused, steps}) {
    std::vector<Tensor> leaves;
    for (const Tensor& input : inputs) leaves.push_back(input.clone().set_requires_grad(true));
    const Tensor y = op(leaves);
    results[side] = {y.detach()};
    const Tensor dy = gaussian(y.shape(), 99, y.dtype(), y.format());
    for (const Tensor& grad : gradients(std::span(&y, 1), std::span(&dy, 1), leaves)) {
      results[side].push_back(grad);
    }
    ++side;
  }
  for (size_t i = 0; i < results[0].size(); ++i) {
    expect_same(results[0][i], results[1][i],
                i == 0 ? std::string("y") : "gradient " + std::to_string(i - 1));
  }
}

struct Parameter {
  DType dtype;
  Format format;
  TopKMode mode;
};

class FusedTopK : public testing::TestWithParam<Parameter> {
 protected:
  DType stat() const { return GetParam().dtype == DType::f64 ? DType::f64 : DType::f32; }
  Tensor image(const Shape& shape, uint64_t seed) const {
    return gaussian(shape, seed, GetParam().dtype, GetParam().format);
  }
  TopKDesc topk_desc(int64_t k) const { return {.k = k, .mode = GetParam().mode}; }
};

TEST_P(FusedTopK, Relu) {
  for (const Shape& shape : {Shape{2, 5, 9, 11}, Shape{1, 3, 1, 1}, Shape{2, 3, 40, 41}}) {
    const TopKDesc desc = topk_desc(std::max<int64_t>(1, shape[2] * shape[3] / 7));
    expect_same_op(
        {image(shape, 1)}, [&](const auto& in) { return relu_topk(in[0], desc); },
        [&](const auto& in) { return topk(relu(in[0]), desc); });
  }
}

TEST_P(FusedTopK, ReluOfSpecialValues) {
  std::vector<double> values(4 * 49);
  const double special[] = {0, -0.0, -1, 1, 1, INFINITY, -INFINITY, NAN, 0.5, 1e-7};
  for (size_t i = 0; i < values.size(); ++i) values[i] = special[i * 7 % std::size(special)];
  const Tensor x =
      Tensor::from_vector(values, {2, 2, 7, 7}).to(GetParam().dtype).contiguous(GetParam().format);
  for (int64_t k : {1, 5, 12, 24, 48, 49}) {
    expect_same_op(
        {x}, [&](const auto& in) { return relu_topk(in[0], topk_desc(k)); },
        [&](const auto& in) { return topk(relu(in[0]), topk_desc(k)); });
  }
}

TEST_P(FusedTopK, BiasAndRelu) {
  const Shape shape{3, 21, 6, 7};
  const Tensor bias = gaussian({21}, 2, GetParam().dtype, Format::contiguous);
  expect_same_op(
      {image(shape, 1), bias},
      [&](const auto& in) { return relu_topk(in[0], topk_desc(6), in[1]); },
      [&](const auto& in) {
        // The bias of a convolution by one: what the fused form stands for.
        Tensor one = Tensor::zeros({21, 1, 1, 1}, {GetParam().dtype});
        one.fill_(1);
        return topk(relu(conv2d(in[0], one, in[1], {.groups = 21})), topk_desc(6));
      });
}

TEST_P(FusedTopK, Convolution) {
  const Tensor weight = gaussian({8, 6, 3, 3}, 3, GetParam().dtype, Format::contiguous);
  const Tensor bias = gaussian({8}, 4, GetParam().dtype, Format::contiguous);
  for (const int64_t stride : {1, 2}) {
    const Conv2dDesc desc{.stride = {stride, stride}, .padding = {1, 1}};
    expect_same_op(
        {image({2, 6, 9, 10}, 1), weight, bias},
        [&](const auto& in) {
          Conv2dDesc fused = desc;
          fused.activation = Activation::relu;
          fused.topk = topk_desc(7);
          return conv2d(in[0], in[1], in[2], fused);
        },
        [&](const auto& in) {
          return topk(relu(conv2d(in[0], in[1], in[2], desc)), topk_desc(7));
        });
  }
}

TEST_P(FusedTopK, BatchNorm) {
  const Shape shape{3, 19, 8, 9};
  const std::vector<Tensor> inputs{image(shape, 1) + 0.5,
                                   gaussian({19}, 5, stat(), Format::contiguous),
                                   gaussian({19}, 6, stat(), Format::contiguous)};
  const auto statistics = [&](double value) {
    return Tensor::full({19}, value, {.dtype = stat()});
  };
  for (const bool with_topk : {false, true}) {
    BatchNormDesc desc{.activation = Activation::relu};
    if (with_topk) desc.topk = topk_desc(9);
    const auto rest = [&](const Tensor& y) {
      return with_topk ? topk(relu(y), topk_desc(9)) : relu(y);
    };
    Tensor fused_running, running;
    expect_same_op(
        inputs,
        [&](const auto& in) {
          fused_running = statistics(0.25);
          return batch_norm_training(in[0], in[1], in[2], fused_running, statistics(1), desc);
        },
        [&](const auto& in) {
          running = statistics(0.25);
          return rest(batch_norm_training(in[0], in[1], in[2], running, statistics(1)));
        });
    expect_same(fused_running, running, "running mean");
    expect_same_op(
        inputs,
        [&](const auto& in) {
          return batch_norm_inference(in[0], in[1], in[2], statistics(0.25), statistics(1.5), desc);
        },
        [&](const auto& in) {
          return rest(batch_norm_inference(in[0], in[1], in[2], statistics(0.25), statistics(1.5)));
        });
  }
}

// relu(batch norm + residual), and the sum alone.
TEST_P(FusedTopK, BatchNormAndResidual) {
  const Shape shape{3, 19, 7, 9};
  const std::vector<Tensor> inputs{image(shape, 1) + 0.5,
                                   gaussian({19}, 5, stat(), Format::contiguous),
                                   gaussian({19}, 6, stat(), Format::contiguous), image(shape, 7)};
  const auto statistics = [&](double value) {
    return Tensor::full({19}, value, {.dtype = stat()});
  };
  for (const Activation activation : {Activation::none, Activation::relu}) {
    const BatchNormDesc desc{.activation = activation};
    const auto rest = [&](const Tensor& sum) {
      return activation == Activation::relu ? relu(sum) : sum;
    };
    expect_same_op(
        inputs,
        [&](const auto& in) {
          return batch_norm_training(in[0], in[1], in[2], {}, {}, desc, in[3]);
        },
        [&](const auto& in) {
          return rest(batch_norm_training(in[0], in[1], in[2], {}, {}) + in[3]);
        });
    expect_same_op(
        inputs,
        [&](const auto& in) {
          return batch_norm_inference(in[0], in[1], in[2], statistics(0.25), statistics(1.5), desc,
                                      in[3]);
        },
        [&](const auto& in) {
          return rest(batch_norm_inference(in[0], in[1], in[2], statistics(0.25), statistics(1.5)) +
                      in[3]);
        });
  }
}

// The gradient's way back takes no more memory than with separate ops, nor does what waits for it.
TEST(BatchNormAndResidual, TakesNoMoreMemoryThanSeparateOps) {
  const Shape shape{2, 16, 32, 32};
  const size_t bytes = sizeof(float) * static_cast<size_t>(shape.numel());
  const auto image = [&](uint64_t seed) {
    return gaussian(shape, seed, DType::f32, Format::contiguous).set_requires_grad(true);
  };
  const Tensor x = image(1), residual = image(2), ones = Tensor::ones({16});
  const BatchNormDesc desc{.activation = Activation::relu};
  struct Memory {
    size_t kept, peak;
  };
  const auto measure = [&](bool as_one) -> Memory {
    const auto in_use = [before = memory_stats({}).in_use](size_t bytes) { return bytes - before; };
    // Made by ops, as in a network: their gradients go on and are not kept.
    const Tensor added = multiply(residual, 2), in = multiply(x, 2);
    size_t peak = 0;
    in.register_hook([&](const Tensor&) {
      peak = in_use(memory_stats({}).peak);
      return Tensor();
    });
    const Tensor y = as_one ? batch_norm_training(in, ones, ones, {}, {}, desc, added)
                            : relu(batch_norm_training(in, ones, ones, {}, {}) + added);
    const size_t kept = in_use(memory_stats({}).in_use);
    const Tensor loss = sum(multiply(y, 3));
    reset_peak_memory({});
    gradients(std::span(&loss, 1), std::vector{Tensor::ones(loss.shape())},
              std::vector{x, residual});
    return {kept, peak};
  };
  const Memory separate = measure(false), as_one = measure(true);
  EXPECT_LE(as_one.kept, separate.kept);
  EXPECT_LE(as_one.peak, separate.peak);
  EXPECT_GE(as_one.kept, 3 * bytes);
}

std::vector<Parameter> parameters() {
  std::vector<Parameter> list;
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16, DType::f64}) {
    for (const Format format : {Format::contiguous, Format::channels_last}) {
      for (const TopKMode mode : {TopKMode::keep, TopKMode::reverse}) {
        list.push_back({dtype, format, mode});
      }
    }
  }
  return list;
}

INSTANTIATE_TEST_SUITE_P(All, FusedTopK, testing::ValuesIn(parameters()), [](const auto& info) {
  const Parameter& p = info.param;
  return to_string(p.dtype) + '_' + to_string(p.format) +
         (p.mode == TopKMode::keep ? "_keep" : "_reverse");
});

using tests::error_of;

TEST(FusedTopKErrors, AreNamed) {
  const Tensor x = Tensor::zeros({1, 2, 4, 4}), weight = Tensor::zeros({3, 2, 1, 1});
  const Tensor ones = Tensor::ones({2});
  EXPECT_EQ(error_of([&] { conv2d(x, weight, {}, {.topk = TopKDesc{.k = 2}}); }),
            "[conv2d] Top-K can end a layer only after a ReLU and with tau 1");
  EXPECT_EQ(error_of([&] {
              conv2d(x, weight, {},
                     {.activation = Activation::relu, .topk = TopKDesc{.k = 2, .tau = 0.5f}});
            }),
            "[conv2d] Top-K can end a layer only after a ReLU and with tau 1");
  EXPECT_EQ(error_of([&] {
              batch_norm_inference(x, ones, ones, ones, ones,
                                   {.activation = Activation::relu, .topk = TopKDesc{.k = 17}});
            }),
            "[batch_norm_inference] k must be in 1..H*W of the result, got 17 (result "
            "[1,2,4,4])");
  EXPECT_EQ(error_of([&] {
              batch_norm_inference(x, ones, ones, ones, ones, {}, Tensor::ones({1, 2, 4, 1}));
            }),
            "[batch_norm_inference] residual must be like the input, got f32[1,2,4,1] on cpu "
            "(input f32[1,2,4,4] on cpu)");
  EXPECT_EQ(error_of([&] {
              batch_norm_training(x, ones, ones, {}, {},
                                  {.activation = Activation::relu, .topk = TopKDesc{.k = 2}}, x);
            }),
            "[batch_norm_training] a residual and Top-K do not go together");
  EXPECT_EQ(error_of([&] { relu_topk(x, {.k = 2}, Tensor::ones({3})); }),
            "[relu_topk] bias expected 2 elements, got f32[3] (input f32[1,2,4,4])");
}

}  // namespace
}  // namespace gestalt::nn
