// Batch norm and Top-K as layers, and layers put after others.

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <tuple>
#include <type_traits>

#include "kernels/error.h"
#include "nn/conv.h"
#include "nn/layers.h"
#include "nn/sequential.h"
#include "nn/weight_format.h"
#include "tensor/autograd.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/unary.h"
#include "tensor/random.h"
#include "tests/error_of.h"

namespace gestalt::nn {
namespace {

TEST(BatchNorm2d, TrainsItsStatisticsAndUsesThemInEvaluation) {
  BatchNorm2d norm(1, {.epsilon = 0, .momentum = 0.5});
  const Tensor x = Tensor::from_vector<float>({1, 3, 5, 7}, {2, 1, 1, 2});
  const auto y = norm(x).to_vector<float>();  // mean 4, biased variance 5
  EXPECT_NEAR(y[0], -3 / std::sqrt(5.0), 1e-6);
  EXPECT_NEAR(norm.running_mean().item(), 2, 1e-6);                       // 0 and 4
  EXPECT_NEAR(norm.running_variance().item(), (1 + 20.0 / 3) / 2, 1e-6);  // unbiased
  EXPECT_EQ(norm.state_dict().back().tensor.item(), 1);
  norm.eval();
  const auto z = norm(x).to_vector<float>();
  EXPECT_NEAR(z[0], (1 - 2) / std::sqrt((1 + 20.0 / 3) / 2), 1e-6);
  EXPECT_EQ(norm.state_dict().back().tensor.item(), 1);
}

// Two layers share a weight.
class Tied : public Module {
 public:
  Tied() {
    register_parameter("first", first_, Tensor::ones({2, 3, 2, 2}));
    register_parameter("second", second_, first_);
  }
  Tensor first_, second_;
};

TEST(Module, StaysWithItsTensorsWhereverItGoes) {
  Tied network;
  const Tensor handle = network.first_;
  const StateDict before = network.state_dict();
  network.to(DType::bf16);
  set_weight_format(network, Format::channels_last);
  for (const Tensor& tensor : {network.first_, network.second_}) {
    EXPECT_TRUE(tensor.is_same(handle));
    EXPECT_EQ(tensor.dtype(), DType::bf16);
    EXPECT_EQ(tensor.format(), Format::channels_last);
    EXPECT_TRUE(tensor.requires_grad());
  }
  EXPECT_EQ(before[0].tensor.dtype(), DType::f32);
}

TEST(Linear, MayHaveNoBias) {
  Generator generator(0);
  Linear layer(3, 2, generator, false);
  EXPECT_FALSE(layer.bias().defined());
  ASSERT_EQ(layer.state_dict().size(), 1u);
  EXPECT_EQ(layer.state_dict()[0].name, "weight");
  EXPECT_EQ(layer(Tensor::zeros({4, 3})).to_vector<float>(), std::vector<float>(8, 0));
}

TEST(Module, NamesEveryModuleOnce) {
  Sequential network;
  const auto block = network.add("block", std::make_shared<Sequential>());
  const auto norm = block->append(std::make_shared<BatchNorm2d>(2));
  network.add("again", norm);
  std::vector<std::string> names;
  for (const auto& [name, module] : network.named_modules()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"", "block", "block.0"}));
  EXPECT_EQ(network.named_modules()[0].module, &network);
  EXPECT_EQ(network.named_modules()[2].module, norm.get());
}

TEST(Module, CopiesBuffersByName) {
  BatchNorm2d trained(2), shadow(2), other(3);
  trained.running_mean().fill_(5);
  trained.weight().detach().fill_(7);
  shadow.to(DType::f64);
  copy_buffers(trained, shadow);
  EXPECT_EQ(shadow.running_mean().to_vector<double>(), (std::vector<double>{5, 5}));
  EXPECT_EQ(shadow.weight().to_vector<double>(), (std::vector<double>{1, 1}));
  other.running_mean().fill_(1);
  EXPECT_EQ(
      tests::error_of([&] { copy_buffers(trained, other); }),
      "[copy_buffers] buffer 'running_mean' is f32[2] in the source and f32[3] in the target");
  Sequential nothing;
  EXPECT_EQ(tests::error_of([&] { copy_buffers(nothing, other); }),
            "[copy_buffers] the source has no buffer 'running_mean'");
  EXPECT_EQ(tests::error_of([&] {
              copy_buffers(other, nothing);
            }).find("[copy_buffers] the target has no buffer '"),
            0u);
  EXPECT_EQ(other.running_mean().to_vector<float>(), std::vector<float>(3, 1));
}

// The last maps of a network on small images: its weights would be converted at every call.
TEST(Conv2d, AnImageOfOnePixelTakesTheFormatOfTheWeight) {
  const Tensor weight = Tensor::ones({4, 2, 3, 3});
  const auto format = [&](const Shape& x, Format given) {
    return conv2d(Tensor::ones(x), weight.contiguous(given), {}, {.padding = {2, 2}}).format();
  };
  for (const Format given : {Format::contiguous, Format::channels_last}) {
    EXPECT_EQ(format({1, 2, 1, 1}, given), given);
    EXPECT_EQ(format({1, 2, 2, 2}, given), Format::contiguous);
  }
}

TEST(Module, AForwardHookMayRemoveItselfAndAddAnother) {
  ReLU layer;
  int first = 0, second = 0;
  int64_t number = 0;
  number = layer.register_forward_hook([&](const Tensor&) {
    layer.remove_forward_hook(number);
    for (int i = 0; i < 20; ++i) {
      layer.register_forward_hook([&](const Tensor&) {
        ++second;
        return Tensor();
      });
    }
    ++first;
    return Tensor();
  });
  layer(Tensor::ones({1}));
  layer(Tensor::ones({1}));
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 20);
}

TEST(Module, ThatStandsTwiceHasItsParametersOnce) {
  Generator generator(1);
  Sequential network;
  const auto layer = network.append(std::make_shared<Linear>(2, 2, generator));
  network.append(layer);
  EXPECT_EQ(network.parameters().size(), 2u);
  EXPECT_EQ(network.named_parameters().size(), 4u);  // as a state dict has them
  EXPECT_EQ(Tied().parameters().size(), 1u);
}

// As DataParallel leaves names, around the whole network or a part of it.
TEST(Module, LoadsNamesOfWrappedModules) {
  Generator generator(1);
  Sequential network;
  const auto features = network.add("features", std::make_shared<Sequential>());
  features->append(std::make_shared<Linear>(2, 3, generator));
  network.add("module", std::make_shared<Linear>(1, 1, generator));
  const auto load = [&](const std::string& first, const std::string& second) {
    StateDict state;
    for (const std::string name : {"weight", "bias"}) {
      for (const auto& [prefix, out, in] : {std::tuple{first, 3, 2}, std::tuple{second, 1, 1}}) {
        state.push_back({prefix + name,
                         name == "weight" ? Tensor::full({out, in}, 5) : Tensor::full({out}, 5)});
      }
    }
    network.load_state_dict(state);
    return network.parameters()[0].to_vector<float>()[0];
  };
  EXPECT_EQ(load("features.0.", "module."), 5);
  EXPECT_EQ(load("features.module.0.", "module."), 5);
  EXPECT_EQ(load("module.module.features.0.", "module."), 5);
  EXPECT_THROW(load("features.1.", "module."), Error);
}

TEST(BatchNorm2d, LoadsFilesFromBeforeBatchesWereCounted) {
  BatchNorm2d norm(2);
  StateDict state = BatchNorm2d(2).state_dict();
  ASSERT_EQ(state.back().name, "num_batches_tracked");
  state.pop_back();
  EXPECT_TRUE(norm.load_state_dict(state).ok());
  state.pop_back();
  EXPECT_THROW(norm.load_state_dict(state), Error);
}

struct Doubling : Module {
  Tensor forward(const Tensor& x) override {
    auto y = x.to_vector<float>();
    for (float& value : y) value *= 2;
    return Tensor::from_vector(y, x.shape());
  }
};

struct Wrapper : Module {
  Wrapper() {
    inner = register_module("inner", std::make_shared<Sequential>());
    inner->append(std::make_shared<Doubling>());
    inner->append(std::make_shared<ReLU>());
  }
  Tensor forward(const Tensor& x) override { return (*inner)(x); }
  std::shared_ptr<Sequential> inner;
};

TEST(InsertAfter, StandsBehindAChildOfASequentialAndBehindAnyOtherModule) {
  Wrapper network;
  Generator generator(0);
  const Tensor x = generator.uniform({1, 2, 4, 5}, -1, 1);
  const auto topk = std::make_shared<TopK>(0.3);
  insert_after(network, "inner.0", topk);
  EXPECT_EQ(network.inner->children()[1].name, "after_0");
  EXPECT_EQ(network.inner->children()[2].name, "1");
  const auto y = network(x).to_vector<float>();
  EXPECT_LE(std::count_if(y.begin(), y.end(), [](float v) { return v != 0; }), 12);  // 6 a row
  insert_after(network, "inner", std::make_shared<Doubling>());
  const auto twice = network(x).to_vector<float>();
  for (size_t i = 0; i < y.size(); ++i) EXPECT_EQ(twice[i], 2 * y[i]);
  topk->set_fraction(1);
  const auto all = network(x).to_vector<float>();
  EXPECT_GT(std::count_if(all.begin(), all.end(), [](float v) { return v != 0; }), 12);
  EXPECT_THROW(insert_after(network, "inner.7", topk), Error);
}

TEST(Modules, NameWhatIsWrongWithTheirOptions) {
  Generator generator(0);
  const auto message_of = [&](const Conv2dOptions& options) {
    return tests::error_of([&] { Conv2d(options, generator); });
  };
  EXPECT_EQ(message_of({.out_channels = 4}),
            "[Conv2d] in_channels and out_channels must be positive, got 0 and 4");
  EXPECT_EQ(message_of({.in_channels = 3, .out_channels = 4, .desc = {.groups = 2}}),
            "[Conv2d] 2 groups do not divide 3 input and 4 output channels");
  EXPECT_EQ(message_of({.in_channels = 3, .out_channels = 4, .desc = {.groups = 0}}),
            "[Conv2d] 0 groups do not divide 3 input and 4 output channels");
  EXPECT_EQ(message_of({.in_channels = 3, .out_channels = 4, .kernel = {3, 0}}),
            "[Conv2d] the kernel must be positive, got 3 x 0");
  EXPECT_EQ(tests::error_of([&] {
              ConvTranspose2d({.in_channels = 3, .out_channels = 4, .desc = {.groups = 2}},
                              generator);
            }),
            "[ConvTranspose2d] 2 groups do not divide 3 input and 4 output channels");
  EXPECT_THROW(Linear(0, 3, generator), Error);
  EXPECT_THROW(conv2d(Tensor::zeros({1, 3, 8, 8}), Tensor::zeros({4, 3, 0, 3})), Error);
  Sequential network;
  EXPECT_THROW(network.append(std::shared_ptr<ReLU>()), Error);
  network.append(std::make_shared<ReLU>());
  EXPECT_THROW(network.insert_after("0", "next", nullptr), Error);
}

TEST(ConvTranspose2d, HasPyTorchsNamesShapesAndInitialValues) {
  Generator generator(0);
  const ConvTranspose2dOptions options{.in_channels = 64,
                                       .out_channels = 32,
                                       .kernel = {2, 3},
                                       .desc = {.stride = {2, 2}, .groups = 2}};
  ConvTranspose2d layer(options, generator);
  const StateDict state = layer.state_dict();
  ASSERT_EQ(state.size(), 2u);
  EXPECT_EQ(state[0].name, "weight");
  EXPECT_EQ(state[0].tensor.shape(), (Shape{64, 16, 2, 3}));
  EXPECT_EQ(state[1].name, "bias");
  EXPECT_EQ(state[1].tensor.shape(), Shape{32});
  const double bound = 1 / std::sqrt(16.0 * 2 * 3);
  EXPECT_LE(max(abs(state[0].tensor)).item(), bound);
  EXPECT_GT(max(state[0].tensor).item(), 0.99 * bound);
  EXPECT_LT(min(state[0].tensor).item(), -0.99 * bound);
  EXPECT_LE(max(abs(state[1].tensor)).item(), bound);
  EXPECT_GT(max(abs(state[1].tensor)).item(), 0.7 * bound);

  const Tensor x = generator.normal({1, 64, 3, 2}, 0, 1);
  EXPECT_EQ(layer(x).to_vector<float>(),
            conv_transpose2d(x, layer.weight(), layer.bias(), options.desc).to_vector<float>());
  ConvTranspose2dOptions plain = options;
  plain.bias = false;
  EXPECT_EQ(ConvTranspose2d(plain, generator).parameters().size(), 1u);
}

TEST(ConstantPad2d, PadsEachSideAndNamesWhatItCanNot) {
  const Tensor x = Tensor::ones({1, 1, 1, 1});
  ConstantPad2d zeros({.left = 1, .bottom = 1}), twos({.top = 1}, 2);
  EXPECT_EQ(zeros(x).to_vector<float>(), (std::vector<float>{0, 1, 0, 0}));
  EXPECT_EQ(twos(x.to(DType::i64)).to_vector<int64_t>(), (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(tests::error_of([&] { ConstantPad2d({.top = -1})(x); }),
            "[constant_pad2d] paddings (left 0, right 0, top -1, bottom 0) must be non-negative");
  EXPECT_EQ(tests::error_of([&] { ReflectionPad2d(1)(x); }),
            "[reflection_pad2d] paddings (left 1, right 1, top 1, bottom 1) must be less than the "
            "size of the input f32[1,1,1,1]");
  EXPECT_EQ(tests::error_of([&] { zeros(Tensor::ones({1})); }),
            "[constant_pad2d] expected a 4-d input, got f32[1]");
}

TEST(Modules, HaveOneTensorAName) {
  struct Twice : Module {
    Tensor first, second;
    Twice() {
      register_parameter("weight", first, Tensor::ones({1}));
      register_buffer("weight", second, Tensor::ones({2}));
    }
  };
  EXPECT_THROW(Twice(), Error);
}

// Names are parts of dotted paths: find("a.b") would look for b in a.
TEST(Modules, RefuseNamesWithADotAndUndefinedValues) {
  struct With : Module {
    Tensor member;
    With(const std::string& parameter, const std::string& buffer, const Tensor& value) {
      if (!parameter.empty()) register_parameter(parameter, member, value);
      if (!buffer.empty()) register_buffer(buffer, member, value);
    }
  };
  const Tensor one = Tensor::ones({1});
  EXPECT_EQ(tests::error_of([&] { With("a.b", "", one); }),
            "the name of a parameter can't be 'a.b': it is one part of a dotted path");
  EXPECT_EQ(tests::error_of([&] { With("", "a.b", one); }),
            "the name of a buffer can't be 'a.b': it is one part of a dotted path");
  EXPECT_EQ(tests::error_of([&] { With("a", "", Tensor()); }),
            "the parameter 'a' is an undefined tensor");
  EXPECT_EQ(tests::error_of([&] { With("", "a", Tensor()); }),
            "the buffer 'a' is an undefined tensor");
  Sequential network;
  EXPECT_EQ(tests::error_of([&] { network.add("a.b", std::make_shared<ReLU>()); }),
            "the name of a module can't be 'a.b': it is one part of a dotted path");
  EXPECT_THROW(network.add("", std::make_shared<ReLU>()), Error);
}

TEST(Sequential, NamesItsLayersWhereATapIsNone) {
  Sequential network;
  network.add("conv", std::make_shared<ReLU>());
  network.add("relu", std::make_shared<ReLU>());
  const std::vector<std::string> taps = {"1"};
  EXPECT_EQ(tests::error_of([&] { network.forward_taps(Tensor::ones({1}), taps); }),
            "no module '1'; the network has conv, relu");
}

// A layer's tensors get other values in place: optimizers hold them too, and no other tensor can be
// put where they are.
TEST(Modules, GetOtherValuesInTheTensorsThatTheyHave) {
  static_assert(std::is_same_v<decltype(std::declval<Linear>().weight()), const Tensor&>);
  static_assert(std::is_same_v<decltype(std::declval<Conv2d>().bias()), const Tensor&>);
  static_assert(std::is_same_v<decltype(std::declval<BatchNorm2d>().weight()), const Tensor&>);
  Generator generator(0);
  Linear layer(2, 1, generator);
  const Tensor held = layer.parameters()[0];
  {
    const NoGradGuard no_grad;
    layer.weight().copy_(Tensor::full({1, 2}, 3));
  }
  EXPECT_EQ(held.to_vector<float>(), (std::vector<float>{3, 3}));
  layer.weight().set_data(Tensor::full({1, 2}, 4));
  EXPECT_EQ(held.to_vector<float>(), (std::vector<float>{4, 4}));
  EXPECT_TRUE(held.requires_grad());
}

TEST(ForwardHooks, AreRemovedByNumber) {
  ReLU layer;
  int first = 0, second = 0;
  const int64_t number = layer.register_forward_hook([&](const Tensor&) {
    ++first;
    return Tensor();
  });
  layer.register_forward_hook([&](const Tensor&) {
    ++second;
    return Tensor();
  });
  layer(Tensor::zeros({1}));
  layer.remove_forward_hook(number);
  layer.remove_forward_hook(number);
  layer(Tensor::zeros({1}));
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 2);
  EXPECT_TRUE(layer.has_forward_hooks());
}

TEST(ForwardHooks, SeeAndReplaceInputsAndOutputs) {
  ReLU layer;
  const auto run = [&] {
    return layer(Tensor::from_vector<float>({-1, 2}, {2})).to_vector<float>();
  };
  const int64_t before =
      layer.register_forward_pre_hook([](const Tensor& input) { return input + 3; });
  EXPECT_TRUE(layer.has_forward_hooks());
  EXPECT_EQ(run(), (std::vector<float>{2, 5}));
  layer.register_forward_pre_hook([](const Tensor& input) { return input * -1; });
  EXPECT_EQ(run(), (std::vector<float>{0, 0})) << "the second sees what the first gave";
  std::vector<float> input, output;
  const int64_t behind = layer.register_forward_hook([&](const Tensor& x, const Tensor& y) {
    input = x.to_vector<float>();
    output = y.to_vector<float>();
    return y - x;
  });
  EXPECT_EQ(run(), (std::vector<float>{2, 5}));
  EXPECT_EQ(input, (std::vector<float>{-2, -5})) << "as forward had it";
  EXPECT_EQ(output, (std::vector<float>{0, 0}));
  layer.register_forward_hook([](const Tensor& y) { return y * 10; });
  EXPECT_EQ(run(), (std::vector<float>{20, 50})) << "in the order they were added";
  layer.remove_forward_hook(before);
  EXPECT_EQ(run(), (std::vector<float>{0, 20}));
  layer.remove_forward_hook(behind);
  EXPECT_EQ(run(), (std::vector<float>{10, 0}));
}

// Of the fused forms: what one sees or gives must not be passed by.
TEST(ForwardHooks, BeforeALayerOfASequence) {
  Generator generator(1);
  Sequential network;
  network.append(std::make_shared<Conv2d>(Conv2dOptions{2, 3}, generator));
  const auto relu_layer = network.append(std::make_shared<ReLU>());
  const Tensor x = Tensor::ones({1, 2, 3, 3});
  const Tensor plain = (*network.children()[0].module)(x);
  int64_t number = relu_layer->register_forward_pre_hook(
      [](const Tensor& input) { return Tensor::ones(input.shape()); });
  EXPECT_EQ(network(x).to_vector<float>(), (std::vector<float>{1, 1, 1}));
  relu_layer->remove_forward_hook(number);
  EXPECT_EQ(network(x).to_vector<float>(), relu(plain).to_vector<float>());
  Module& conv = *network.children()[0].module;
  conv.register_forward_pre_hook([](const Tensor& input) { return input * 2; });
  EXPECT_EQ(network(x).to_vector<float>(), relu(conv(x)).to_vector<float>());
  EXPECT_NE(conv(x).to_vector<float>(), plain.to_vector<float>());
}

TEST(TopKLayer, HasThreeMethods) {
  const Tensor x = Tensor::from_vector<float>({1, -4, 2, 0}, {1, 1, 2, 2});
  const auto run = [&](TopKMethod method) { return TopK(0.5, method)(x).to_vector<float>(); };
  EXPECT_EQ(run(TopKMethod::keep), (std::vector<float>{0, -4, 2, 0}));
  EXPECT_EQ(run(TopKMethod::reverse), (std::vector<float>{1, 0, 0, 0}));
  EXPECT_EQ(run(TopKMethod::mean_replace), (std::vector<float>{1.5, 0, 1.5, 0}));
  EXPECT_THROW(TopK(0), Error);
}

}  // namespace
}  // namespace gestalt::nn
