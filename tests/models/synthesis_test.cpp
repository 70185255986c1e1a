#include "models/synthesis.h"

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "models/vgg.h"
#include "tensor/random.h"

namespace gestalt::models {
namespace {

TEST(LayersFor, AreThoseThatTheTapsNeed) {
  Generator generator(0);
  const auto network = make_texture_vgg19(Pooling::average, generator);
  const std::vector<std::string> taps = {"pool1", "relu1_1"};
  const auto layers = layers_for(taps, *network);
  EXPECT_EQ(layers->children().back().name, "pool1");
  EXPECT_EQ(layers->state_dict().size(), 4u);  // weights and biases of conv1_1 and conv1_2
  const Tensor image = generator.normal({1, 3, 16, 16}, 0, 50);
  SynthesisOptions options;
  options.taps = taps;
  const Tensor other = generator.normal({1, 3, 16, 16}, 0, 50);
  EXPECT_EQ(SynthesisLoss(layers, options, image)(other).item(),
            SynthesisLoss(network, options, image)(other).item());
  EXPECT_THROW(layers_for({"pool6"}, *network), Error);
}

}  // namespace
}  // namespace gestalt::models
