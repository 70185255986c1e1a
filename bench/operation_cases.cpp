// What any user of a tensor library calls, for op_case_bench alone, at the sizes of networks and at
// ten elements, where the call itself is what takes the time. bench/pytorch/operations.py has the
// counterpart of each, by name.

#include <cmath>
#include <memory>

#include "kernels/error.h"
#include "nn/dropout.h"
#include "nn/loss.h"
#include "nn/pad.h"
#include "nn/pool.h"
#include "nn/resize.h"
#include "nn/softmax.h"
#include "optim/adam.h"
#include "optim/clip.h"
#include "optim/ema.h"
#include "optim/sgd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/compare.h"
#include "tensor/ops/convert.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"
#include "tensor/random.h"
#include "tests/cases/op_case.h"

namespace gestalt::cases {
namespace {

using Inputs = std::vector<Tensor>;

const Shape image{8, 64, 56, 56}, late{8, 512, 7, 7}, rgb{1, 3, 256, 256}, rows{64, 1000}, ten{10};

class Cases {
 public:
  // Inputs are of the shapes given, in [low, 1).
  template <class Run>
  OpCase& add(const std::string& name, const std::vector<Shape>& shapes, Run run,
              Layout layout = Layout::contiguous, double low = -1) {
    OpCase& added = list_.emplace_back();
    added.name = "operation/" + name;
    for (const Shape& shape : shapes) {
      const bool is_image = shape.rank() == 4;
      added.name += "/" + to_string(shape);
      added.inputs.push_back(
          {.shape = shape, .low = low, .layout = is_image ? layout : Layout::contiguous});
    }
    if (layout == Layout::channels_last) added.name += "_channels_last";
    added.run = [run](const Inputs& in) -> Inputs { return {run(in)}; };
    return added;
  }
  // Of one tensor: large, in both layouts, and small.
  template <class Run>
  void one(const std::string& name, Run run, double low = -1) {
    const auto on_input = [run](const Inputs& in) { return run(in[0]); };
    add(name, {image}, on_input, Layout::contiguous, low);
    add(name, {image}, on_input, Layout::channels_last, low);
    add(name, {ten}, on_input, Layout::contiguous, low);
  }
  // Of one image in both layouts.
  template <class Run>
  void images(const std::string& name, const Shape& shape, Run run) {
    for (const Layout layout : {Layout::contiguous, Layout::channels_last}) {
      add(
          name, {shape}, [run](const Inputs& in) { return run(in[0]); }, layout);
    }
  }
  // Without a gradient.
  template <class Run>
  void plain(const std::string& name, const std::vector<Shape>& shapes, Run run, double low = -1) {
    add(name, shapes, run, Layout::contiguous, low).differentiable = false;
  }
  std::vector<OpCase> take() { return std::move(list_); }

 private:
  std::vector<OpCase> list_;
};

void add_elementwise(Cases& cases) {
  cases.one("exp", [](const Tensor& x) { return exp(x); });
  cases.one(
      "log", [](const Tensor& x) { return log(x); }, 0.1);
  cases.one(
      "sqrt", [](const Tensor& x) { return sqrt(x); }, 0.1);
  cases.one("abs", [](const Tensor& x) { return abs(x); });
  cases.one(
      "pow_1.5", [](const Tensor& x) { return pow(x, 1.5); }, 0.1);
  cases.one("pow_2", [](const Tensor& x) { return pow(x, 2); });
  cases.one("clamp", [](const Tensor& x) { return clamp(x, -0.5, 0.5); });
  cases.one("sigmoid", [](const Tensor& x) { return sigmoid(x); });
  cases.one("tanh", [](const Tensor& x) { return tanh(x); });
  cases.one("relu", [](const Tensor& x) { return relu(x); });
  cases.one("leaky_relu", [](const Tensor& x) { return leaky_relu(x, 0.2); });
  cases.one("add_scalar", [](const Tensor& x) { return x + 0.5; });
  cases.one("multiply_scalar", [](const Tensor& x) { return x * 0.5; });

  const auto sum_of = [](const Inputs& in) { return in[0] + in[1]; };
  const auto product_of = [](const Inputs& in) { return in[0] * in[1]; };
  const auto quotient_of = [](const Inputs& in) { return in[0] / in[1]; };
  const auto greater_of = [](const Inputs& in) { return maximum(in[0], in[1]); };
  const Shape channels{1, 64, 1, 1}, pixels{8, 1, 56, 56};
  for (const Layout layout : {Layout::contiguous, Layout::channels_last}) {
    cases.add("add", {image, image}, sum_of, layout);
    cases.add("add", {image, channels}, sum_of, layout);
    cases.add("add", {image, pixels}, sum_of, layout);
    cases.add("multiply", {image, image}, product_of, layout);
    cases.add("multiply", {image, channels}, product_of, layout);
    cases.add("divide", {image, image}, quotient_of, layout, 0.1);
    cases.add("maximum", {image, image}, greater_of, layout);
  }
  cases.add("add", {rows, {1000}}, sum_of);
  cases.add("add", {rows, {64, 1}}, sum_of);
  cases.add("add", {ten, ten}, sum_of);
  cases.add("multiply", {ten, ten}, product_of);
  cases.plain("add_in_place", {image, image}, [](const Inputs& in) {
    Tensor y = in[0];
    add_in_place(y, in[1], 0.5);
    return y;
  });
  cases.plain("greater", {image, image}, [](const Inputs& in) { return greater(in[0], in[1]); });
  cases.plain("greater_scalar", {image}, [](const Inputs& in) { return greater(in[0], 0.0); });
  cases.plain("equal", {ten, ten}, [](const Inputs& in) { return equal(in[0], in[1]); });
  const auto mask = std::make_shared<Tensor>();
  cases.add("where", {image, image}, [mask](const Inputs& in) {
    if (!*mask || mask->shape() != in[0].shape()) *mask = greater(in[0], 0.0);
    return where(*mask, in[0], in[1]);
  });
}

void add_conversions(Cases& cases) {
  for (const DType dtype : {DType::bf16, DType::f16, DType::f64}) {
    cases.add("to_" + to_string(dtype), {image},
              [dtype](const Inputs& in) { return in[0].to(dtype); });
  }
  for (const DType dtype : {DType::bf16, DType::f16, DType::f64, DType::u8}) {
    const auto source = std::make_shared<Tensor>();
    cases.plain(
        "from_" + to_string(dtype), {image},
        [source, dtype](const Inputs& in) {
          if (!*source) *source = in[0].to(dtype);
          return source->to(DType::f32);
        },
        0);
  }
  cases.plain(
      "to_u8", {image}, [](const Inputs& in) { return in[0].to(DType::u8); }, 0);
  cases.images("clone", image, [](const Tensor& x) { return x.clone(); });
  for (const Shape& shape : {image, late, rgb}) {
    const auto to_last = [](const Inputs& in) { return in[0].contiguous(Format::channels_last); };
    const auto to_first = [](const Inputs& in) { return in[0].contiguous(); };
    cases.add("to_channels_last", {shape}, to_last);
    cases.add("to_contiguous", {shape}, to_first, Layout::channels_last);
  }
  cases.add("permute_0231", {image}, [](const Inputs& in) {
    return permute(in[0], {0, 2, 3, 1}).contiguous();
  });
  cases.add("permute_1032", {image}, [](const Inputs& in) {
    return permute(in[0], {1, 0, 3, 2}).contiguous();
  });
  cases.add("transpose", {{1024, 1024}},
            [](const Inputs& in) { return transpose(in[0], 0, 1).contiguous(); });
  cases.add("narrow", {image},
            [](const Inputs& in) { return narrow(in[0], 1, 16, 32).contiguous(); });
  cases.add("cat_1", {image, image}, [](const Inputs& in) { return cat({in[0], in[1]}, 1); });
  cases.add(
      "cat_1", {image, image},
      [](const Inputs& in) {
        return cat({in[0], in[1]}, 1);
      },
      Layout::channels_last);
  cases.add("cat_0", {ten, ten}, [](const Inputs& in) { return cat({in[0], in[1]}, 0); });
  cases.add("stack", {image, image}, [](const Inputs& in) { return stack({in[0], in[1]}); });
  const auto indices = std::make_shared<Tensor>();
  cases.add("index_select_0", {{1000, 512}}, [indices](const Inputs& in) {
    if (!*indices) {
      std::vector<int64_t> of(4096);
      for (size_t i = 0; i < of.size(); ++i) of[i] = static_cast<int64_t>(i * 37 % 1000);
      *indices = Tensor::from_vector(of, {4096});
    }
    return index_select(in[0], 0, *indices);
  });
  cases.images("reflection_pad2d", rgb, [](const Tensor& x) {
    return nn::reflection_pad2d(x, {4, 4, 4, 4});
  });
  cases.images("reflection_pad2d", image, [](const Tensor& x) {
    return nn::reflection_pad2d(x, {1, 1, 1, 1});
  });
  cases.images("constant_pad2d", image, [](const Tensor& x) {
    return nn::constant_pad2d(x, {1, 1, 1, 1});
  });
  cases.images("resize_nearest", image, [](const Tensor& x) {
    return nn::resize_nearest(x, {112, 112});
  });
  cases.images("resize_bilinear", image, [](const Tensor& x) {
    return nn::resize_bilinear(x, {112, 112});
  });
  cases.images("resize_bilinear", rgb, [](const Tensor& x) {
    return nn::resize_bilinear(x, {128, 128});
  });
  cases.images("adaptive_avg_pool2d_1", late, [](const Tensor& x) {
    return nn::adaptive_avg_pool2d(x, {1, 1});
  });
  cases.images("adaptive_avg_pool2d_7", image, [](const Tensor& x) {
    return nn::adaptive_avg_pool2d(x, {7, 7});
  });
}

void add_reductions(Cases& cases) {
  const std::vector<std::pair<std::string, Dims>> choices = {
      {"all", {}}, {"0", {0}}, {"1", {1}}, {"3", {3}}, {"23", {2, 3}}, {"023", {0, 2, 3}}};
  for (const auto& [name, dims] : choices) {
    cases.images("sum_" + name, image, [dims](const Tensor& x) { return sum(x, dims); });
    cases.images("max_" + name, image, [dims](const Tensor& x) { return max(x, dims); });
  }
  cases.images("mean_23", late, [](const Tensor& x) { return mean(x, {2, 3}); });
  cases.add("sum_all", {ten}, [](const Inputs& in) { return sum(in[0]); });
  cases.add("sum_0", {rows}, [](const Inputs& in) { return sum(in[0], 0); });
  cases.add("sum_1", {rows}, [](const Inputs& in) { return sum(in[0], 1); });
  cases.add("variance_1", {rows}, [](const Inputs& in) { return variance(in[0], {1}); });
  cases.plain("argmax", {rows}, [](const Inputs& in) { return argmax(in[0], 1); });

  cases.add("softmax", {rows}, [](const Inputs& in) { return nn::softmax(in[0]); });
  cases.add("log_softmax", {rows}, [](const Inputs& in) { return nn::log_softmax(in[0]); });
  cases.add("softmax", {{8, 8, 196, 196}}, [](const Inputs& in) { return nn::softmax(in[0]); });
  cases.add("softmax_1", {image}, [](const Inputs& in) { return nn::softmax(in[0], 1); });
  const auto targets = std::make_shared<Tensor>();
  cases.add("cross_entropy", {rows}, [targets](const Inputs& in) {
    if (!*targets) *targets = Tensor::from_vector(std::vector<int64_t>(64, 7), {64});
    return nn::cross_entropy(in[0], *targets);
  });
  cases.add("mse_loss", {image, image},
            [](const Inputs& in) { return nn::mse_loss(in[0], in[1]); });
  cases.add("l1_loss", {image, image}, [](const Inputs& in) { return nn::l1_loss(in[0], in[1]); });
  OpCase& binary = cases.add("binary_cross_entropy", {image, image}, [](const Inputs& in) {
    return nn::binary_cross_entropy_with_logits(in[0], in[1]);
  });
  binary.inputs[1].gradient = false;
}

void add_products(Cases& cases) {
  const auto product = [](const Inputs& in) { return matmul(in[0], in[1]); };
  cases.add("matmul", {{2, 5}, {5, 2}}, product);
  cases.add("matmul", {{64, 64}, {64, 64}}, product);
  cases.add("matmul", {{64, 512}, {512, 1000}}, product);
  cases.add("matmul", {{8192, 64}, {64, 64}}, product);
  cases.add("matmul", {{64, 8192}, {8192, 64}}, product);
  cases.add("matmul", {{1, 1024}, {1024, 1024}}, product);
  cases.add("matmul", {{64, 196, 64}, {64, 64, 196}}, product);
  cases.add("matmul", {{256, 16, 16}, {256, 16, 16}}, product);
  cases.add("matmul_transposed", {{64, 512}, {1000, 512}},
            [](const Inputs& in) { return matmul(in[0], transpose(in[1], 0, 1)); });
}

void add_random(Cases& cases) {
  const auto generator = std::make_shared<Generator>(1);
  cases.plain("uniform", {image}, [generator](const Inputs& in) {
    generator->fill_uniform(in[0], 0, 1);
    return in[0];
  });
  cases.plain("normal", {image}, [generator](const Inputs& in) {
    generator->fill_normal(in[0], 0, 1);
    return in[0];
  });
  cases.add("dropout", {image}, [](const Inputs& in) { return nn::dropout(in[0], 0.5, {1, 2}); });
}

// The parameters of a ResNet-18, with gradients.
std::vector<Tensor> resnet_parameters() {
  std::vector<Shape> shapes = {{64, 3, 7, 7}, {64}, {64}};
  int64_t inputs = 64;
  for (const int64_t channels : {64, 128, 256, 512}) {
    for (int block = 0; block < 2; ++block) {
      for (const int64_t from : {inputs, channels}) {
        shapes.insert(shapes.end(), {{channels, from, 3, 3}, {channels}, {channels}});
      }
      if (inputs != channels) {
        shapes.insert(shapes.end(), {{channels, inputs, 1, 1}, {channels}, {channels}});
      }
      inputs = channels;
    }
  }
  shapes.insert(shapes.end(), {{1000, 512}, {1000}});
  std::vector<Tensor> parameters;
  Generator generator(3);
  for (const Shape& shape : shapes) {
    parameters.push_back(generator.normal(shape, 0, 0.01).set_requires_grad(true));
    parameters.back().set_grad(generator.normal(shape, 0, 0.01));
  }
  return parameters;
}

// Of an object made from those parameters at the first run.
template <class Make, class Run>
void add_step(Cases& cases, const std::string& name, Make make, Run run) {
  using Object = decltype(make(resnet_parameters()));
  const auto object = std::make_shared<std::shared_ptr<Object>>();
  cases.plain(name, {}, [object, make, run](const Inputs&) {
    if (!*object) *object = std::make_shared<Object>(make(resnet_parameters()));
    run(**object);
    return Tensor::empty({1});
  });
}

void add_steps(Cases& cases) {
  using Parameters = std::vector<Tensor>;
  const auto step = [](auto& optimizer) { optimizer.step(); };
  add_step(
      cases, "sgd",
      [](const Parameters& of) {
        return optim::Sgd(of, {.learning_rate = 1e-6, .momentum = 0.9, .weight_decay = 1e-4});
      },
      step);
  add_step(
      cases, "adam", [](const Parameters& of) { return optim::Adam(of, {.learning_rate = 1e-6}); },
      step);
  add_step(
      cases, "ema", [](const Parameters& of) { return optim::ExponentialMovingAverage(of, 0.999); },
      [](auto& average) { average.update(); });
  add_step(
      cases, "clip_gradient_norm", [](const Parameters& of) { return of; },
      [](const Parameters& of) { optim::clip_gradient_norm(of, 1e-3); });
}

std::vector<OpCase> make_cases() {
  Cases cases;
  add_elementwise(cases);
  add_conversions(cases);
  add_reductions(cases);
  add_products(cases);
  add_random(cases);
  add_steps(cases);
  return cases.take();
}

const bool added = add_cases(make_cases());

}  // namespace
}  // namespace gestalt::cases
