// Blocks whose last batch norm, sum and ReLU run as one give the bits of separate ops, with Top-K
// after their sums and without.

#include <algorithm>
#include <gtest/gtest.h>

#include "models/registry.h"
#include "nn/loss.h"
#include "nn/topk.h"
#include "tensor/autograd.h"

namespace gestalt::models {
namespace {

struct Parameter {
  const char* model;
  bool topk;
};

class ResidualBlocks : public testing::TestWithParam<Parameter> {
 protected:
  std::shared_ptr<nn::Module> make() const {
    auto network = make_model(GetParam().model, {.classes = 3, .image_size = 32});
    if (GetParam().topk) insert_topk(*network, find_model(GetParam().model).topk_places, 0.3);
    return network;
  }
  bool is_bottleneck() const { return GetParam().model == std::string("resnet50"); }
  Tensor images() const {
    const int64_t size = is_bottleneck() ? 64 : 32;
    return Generator(5).normal({2, 3, size, size});
  }
};

// Behind every last batch norm of a block, a hook that changes nothing: the block must show it the
// norm's output. Returns how many there are.
int show_norms(nn::Module& network, int& seen) {
  int blocks = 0;
  for (const nn::Module::Child& child : network.children())
    blocks += show_norms(*child.module, seen);
  nn::Module* last = nullptr;
  for (const nn::Module::Child& child : network.children()) {
    if (child.name == "bn2" || child.name == "bn3") last = child.module.get();
  }
  if (last == nullptr) return blocks;
  last->register_forward_hook([&seen](const Tensor&) {
    ++seen;
    return Tensor();
  });
  return blocks + 1;
}

TEST_P(ResidualBlocks, HaveTheBitsOfSeparateOps) {
  const auto fused = make(), separate = make();
  int seen = 0;
  const int blocks = show_norms(*separate, seen);
  EXPECT_EQ(blocks, is_bottleneck() ? 16 : 8);
  const Tensor labels = Tensor::from_vector<int64_t>({2, 0}, {2});
  std::vector<std::vector<float>> logits[2], gradients[2];
  for (int side : {0, 1}) {
    nn::Module& network = side == 0 ? *fused : *separate;
    const Tensor y = network(images());
    logits[side].push_back(y.to_vector<float>());
    const Tensor loss = nn::cross_entropy(y, labels);
    backward(std::span(&loss, 1), std::vector{Tensor::ones(loss.shape())});
    for (const Tensor& parameter : network.parameters()) {
      gradients[side].push_back(parameter.grad().to_vector<float>());
    }
    network.eval();
    const NoGradGuard no_grad;
    logits[side].push_back(network(images()).to_vector<float>());
  }
  EXPECT_EQ(seen, 2 * blocks);
  EXPECT_EQ(logits[0], logits[1]);
  EXPECT_TRUE(gradients[0] == gradients[1]);
}

// Top-K sees the block's result after the ReLU, in training as in inference.
TEST_P(ResidualBlocks, AreRectified) {
  const auto network = make();
  int places = 0;
  for (const std::string& place : find_model(GetParam().model).topk_places) {
    network->find(place).register_forward_hook([&](const Tensor& y) {
      const auto values = y.to_vector<float>();
      const auto positive =
          std::count_if(values.begin(), values.end(), [](float v) { return v > 0; });
      const auto negative =
          std::count_if(values.begin(), values.end(), [](float v) { return v < 0; });
      EXPECT_GT(positive, 0) << place;
      EXPECT_EQ(negative, 0) << place;
      if (GetParam().topk) {
        const int64_t rows = y.size(0) * y.size(1),
                      kept = nn::topk_count(0.3, y.size(2), y.size(3));
        EXPECT_LE(positive, rows * kept) << place;
      }
      ++places;
      return Tensor();
    });
  }
  (*network)(images());
  network->eval();
  (*network)(images());
  EXPECT_EQ(places, 8);
}

INSTANTIATE_TEST_SUITE_P(All, ResidualBlocks,
                         testing::Values(Parameter{"resnet18-cifar", false},
                                         Parameter{"resnet18-cifar", true},
                                         Parameter{"resnet50", false}, Parameter{"resnet50", true}),
                         [](const auto& info) {
                           const std::string model =
                               info.param.model == std::string("resnet50") ? "bottleneck" : "basic";
                           return model + (info.param.topk ? "_topk" : "");
                         });

}  // namespace
}  // namespace gestalt::models
