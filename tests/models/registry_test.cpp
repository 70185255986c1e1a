// The networks' names, forms and places; their numbers are compared with PyTorch's in
// tests/parity/models.py.

#include "models/registry.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>

#include "kernels/error.h"
#include "nn/init.h"
#include "tensor/autograd.h"

namespace gestalt::models {
namespace {

int64_t count_parameters(const nn::Module& network) {
  int64_t count = 0;
  for (const Tensor& parameter : network.parameters()) count += parameter.numel();
  return count;
}

// As torchvision documents them, for 1000 classes.
TEST(Registry, HasTorchvisionsNumbersOfParametersAndThePapersPlaces) {
  const std::map<std::string, int64_t> expected = {{"alexnet", 61100840},
                                                   {"resnet18", 11689512},
                                                   {"resnet34", 21797672},
                                                   {"resnet50", 25557032}};
  for (const auto& [name, count] : expected) {
    const auto network = make_model(name);
    EXPECT_EQ(count_parameters(*network), count) << name;
    EXPECT_NO_THROW(insert_topk(*network, find_model(name).topk_places, 0.5)) << name;
  }
  EXPECT_EQ(find_model("vgg16").topk_places,
            (std::vector<std::string>{"features.4", "features.9", "features.16", "features.23",
                                      "features.30"}));
  EXPECT_EQ(find_model("vgg11_bn").topk_places.back(), "features.28");
  EXPECT_THROW(find_model("lenet"), Error);
}

TEST(Registry, WeightsTellTheirClassesByTheHead) {
  const nn::SkipInitGuard skip_init;
  for (const std::string& name : classifier_names()) {
    const ModelEntry& entry = find_model(name);
    const StateDict weights = make_model(name, {.classes = 7, .image_size = 32})->state_dict();
    EXPECT_EQ(classes_of(entry, weights), 7) << name;
    EXPECT_EQ(classes_of(entry, {}), std::nullopt) << name;
  }
  for (const std::string& name : model_names()) {
    const ModelEntry& entry = find_model(name);
    EXPECT_EQ(entry.head.empty(), entry.topk_places.empty()) << name;
  }
}

TEST(Registry, TheLinearLayerOfTheCifarFormFollowsFromTheImageSize) {
  const auto inputs = [](int64_t image_size, int64_t stem_stride) {
    const auto network = make_model("resnet18-cifar", {10, image_size, stem_stride});
    for (const auto& [name, tensor, optional] : network->named_parameters()) {
      if (name == "linear.weight") return tensor->size(1);
    }
    return int64_t{0};
  };
  EXPECT_EQ(inputs(224, 1), 512 * 7 * 7);
  EXPECT_EQ(inputs(224, 2), 512 * 3 * 3);
  EXPECT_EQ(inputs(64, 1), 512 * 2 * 2);
  EXPECT_EQ(inputs(33, 1), 512);
  EXPECT_EQ(inputs(25, 1), 512);
  EXPECT_EQ(inputs(49, 2), 512);
  EXPECT_THROW(inputs(64, 3), Error);
  const auto refusal = [&](int64_t image_size, int64_t stem_stride) -> std::string {
    try {
      inputs(image_size, stem_stride);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(refusal(24, 1).find("stem stride 1: it takes at least 25"), std::string::npos);
  EXPECT_NE(refusal(48, 2).find("stem stride 2: it takes at least 49"), std::string::npos);
}

// Of 1000 classes' networks, without their own numbers: torchvision's penultimate features.
TEST(Registry, FeaturesAreSeenAtTorchvisionsAvgpool) {
  const std::map<std::string, Shape> expected = {{"alexnet", {1, 256, 6, 6}},
                                                 {"vgg11", {1, 512, 7, 7}},
                                                 {"resnet18", {1, 512, 1, 1}},
                                                 {"resnet50", {1, 2048, 1, 1}}};
  const NoGradGuard no_grad;
  for (const auto& [name, shape] : expected) {
    const auto network = make_model(name);
    network->eval();
    Shape seen;
    network->find("avgpool").register_forward_hook([&](const Tensor& y) {
      seen = y.shape();
      return Tensor();
    });
    (*network)(Tensor::zeros({1, 3, 64, 64}));
    EXPECT_EQ(seen, shape) << name;
    for (const NamedTensor& entry : network->state_dict()) {
      EXPECT_EQ(entry.name.find("pool"), std::string::npos) << entry.name;
    }
  }
  EXPECT_NO_THROW(make_model("resnet18")->find("maxpool"));
}

TEST(Registry, TopKStandsAtThePlacesWithoutChangingNames) {
  const auto network = make_model("resnet18-cifar", {3, 32, 1});
  const StateDict before = network->state_dict();
  const auto layers = insert_topk(*network, find_model("resnet18-cifar").topk_places, 0.2);
  ASSERT_EQ(layers.size(), 4u);
  int seen = 0;
  layers[1]->register_forward_hook([&](const Tensor& y) {
    EXPECT_EQ(y.shape(), (Shape{2, 128, 16, 16}));
    const auto values = y.to_vector<float>();
    EXPECT_LE(std::count_if(values.begin(), values.end(), [](float v) { return v != 0; }),
              2 * 128 * 51);
    ++seen;
    return Tensor();
  });
  const NoGradGuard no_grad;
  network->eval();
  Generator generator(1);
  EXPECT_EQ((*network)(generator.normal({2, 3, 32, 32})).shape(), (Shape{2, 3}));
  EXPECT_EQ(seen, 1);
  EXPECT_TRUE(network->load_state_dict(before).ok());
}

}  // namespace
}  // namespace gestalt::models
