// FastGAN's networks and LPIPS against PyTorch's (tests/fixtures/fastgan/networks.txt): weights and
// inputs are those of the formulas in make_networks.py. Gradients and training steps are compared
// in tests/parity.

#include <algorithm>
#include <cmath>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <sstream>
#include <string>

#include "kernels/error.h"
#include "models/fastgan.h"
#include "models/lpips.h"
#include "nn/activations.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tests/formulas.h"
#include "tests/source_folder.h"

namespace gestalt::models {
namespace {

constexpr int64_t side = 64;
constexpr uint64_t generator_key = 0, discriminator_key = 1000, vgg_key = 2000, linear_key = 3000,
                   latents_key = 4000, images_key = 5000;

struct Value {
  size_t place;
  double value;
};
using Values = std::map<std::string, std::vector<Value>>;  // by "network what"

Values read_values() {
  std::ifstream file(tests::source_folder() / "tests/fixtures/fastgan/networks.txt");
  Values values;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) continue;
    std::istringstream words(line);
    std::string network, what;
    Value value{};
    words >> network >> what >> value.place >> value.value;
    values[network + " " + what].push_back(value);
  }
  return values;
}

Tensor uniform(const Shape& shape, uint64_t key) {
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = tests::uniform(i, key);
  return Tensor::from_vector(values, shape);
}

Tensor images(int64_t size, uint64_t key, DType dtype) {
  return (uniform({2, 3, size, size}, key) * 2 + -1).to(dtype);
}

void fill(nn::Module& network, uint64_t first_key, DType dtype) {
  network.to(dtype);
  StateDict state = network.state_dict();
  std::erase_if(
      state, [](const NamedTensor& entry) { return entry.name.ends_with("num_batches_tracked"); });
  std::sort(state.begin(), state.end(),
            [](const NamedTensor& a, const NamedTensor& b) { return a.name < b.name; });
  for (uint64_t place = 0; place < state.size(); ++place) {
    const auto& [name, tensor] = state[place];
    const Shape& shape = tensor.shape();
    const Tensor u = uniform(shape, first_key + place);
    Tensor value = (u + -0.5) * 0.4;
    if (shape.rank() == 4) {
      value = (u + -0.5) * std::sqrt(24 / static_cast<double>(shape.numel() / shape[0]));
    } else if (name.ends_with(".weight") || name.ends_with("running_var")) {
      value = u + 0.5;
    }
    Tensor(tensor).detach().copy_(value.to(dtype));
  }
}

class AgainstPyTorch : public testing::TestWithParam<DType> {
 protected:
  // Of all values of an output, relative to the largest.
  void check(const std::string& what, const Tensor& tensor) {
    const auto found = expected_.find(what);
    ASSERT_NE(found, expected_.end()) << what;
    const std::vector<double> values = tensor.to_vector<double>();
    double largest = 0;
    for (const Value& each : found->second) largest = std::max(largest, std::abs(each.value));
    for (const auto& [place, value] : found->second) {
      ASSERT_LT(place, values.size()) << what;
      EXPECT_TRUE(std::abs(values[place] - value) <= allowed() * largest)
          << what << " " << place << " is " << values[place] << ", in PyTorch " << value;
    }
    ++compared_;
  }
  DType dtype() const { return GetParam(); }
  double allowed() const { return dtype() == DType::f64 ? 1e-9 : 1e-4; }

  const Values expected_ = read_values();
  int compared_ = 0;
};

TEST_P(AgainstPyTorch, FastGansNetworks) {
  const NoGradGuard no_grad;
  for (const Excitation excitation : {Excitation::sigmoid, Excitation::linear}) {
    FastGanOptions options{.image_size = side, .latent_size = 8, .base_channels = 4};
    options.sparse = {{16, 0.25}, {32, 0.5}};
    options.excitation = excitation;
    Generator random(0);
    FastGanGenerator generator(options, random);
    FastGanDiscriminator discriminator(options, random);
    fill(generator, generator_key, dtype());
    fill(discriminator, discriminator_key, dtype());
    const std::string network = std::string(to_string(excitation)) + " ";
    const Tensor z = (uniform({2, 8}, latents_key) * 4 + -2).to(dtype());
    const FastGanImages real = {images(side, images_key, dtype()),
                                images(side / 2, images_key + 1, dtype())};
    for (int step = 0; step < 3; ++step) {
      const FastGanImages fake = generator.generate(z);
      const FastGanJudgement judgement = discriminator.judge_real(real, 2);
      if (step > 0) continue;
      check(network + "big", fake.big);
      check(network + "small", fake.small);
      check(network + "logits", judgement.logits);
      check(network + "whole", judgement.whole);
      check(network + "rebuilt_small", judgement.small);
      check(network + "part", judgement.part);
      check(network + "logits_fake", discriminator.judge_fake(fake).logits);
    }
    const std::pair<std::string, StateDict> states[] = {{"g.", generator.state_dict()},
                                                        {"d.", discriminator.state_dict()}};
    for (const auto& [prefix, state] : states) {
      for (const NamedTensor& entry : state) {
        const std::string what = network + prefix + entry.name;
        if (expected_.contains(what)) check(what, entry.tensor);
      }
    }
    generator.eval();
    check(network + "evaluated", generator.generate(z).big);
  }
  EXPECT_EQ(compared_, 2 * 15);
}

// A sixteenth of VGG-16's channels.
TEST_P(AgainstPyTorch, Lpips) {
  Generator random(0);
  const auto features = std::make_shared<nn::Sequential>();
  StateDict linear;
  int64_t channels = 3;
  for (const auto& [count, width] :
       {std::pair<int, int64_t>{2, 4}, {2, 8}, {3, 16}, {3, 32}, {3, 32}}) {
    if (channels > 3) features->append(std::make_shared<nn::MaxPool2d>(Pool2dDesc{}));
    for (int i = 0; i < count; ++i, channels = width) {
      features->append(std::make_shared<nn::Conv2d>(nn::Conv2dOptions{.in_channels = channels,
                                                                      .out_channels = width,
                                                                      .kernel = {3, 3},
                                                                      .desc = {.padding = {1, 1}}},
                                                    random));
      features->append(std::make_shared<nn::ReLU>());
    }
    const size_t tap = linear.size();
    linear.push_back({format("lin{}.model.1.weight", tap),
                      uniform({1, width, 1, 1}, linear_key + tap).to(dtype())});
  }
  fill(*features, vgg_key, dtype());
  const models::Lpips lpips("vgg16", features, linear);
  check("lpips vgg16",
        lpips(images(side, images_key, dtype()), images(side, images_key + 2, dtype())));
}

INSTANTIATE_TEST_SUITE_P(DTypes, AgainstPyTorch, testing::Values(DType::f32, DType::f64),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace gestalt::models
