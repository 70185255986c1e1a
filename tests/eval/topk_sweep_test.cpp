#include "eval/topk_sweep.h"

#include <gtest/gtest.h>

#include "eval/category_choice.h"
#include "models/registry.h"
#include "nn/sequential.h"
#include "tensor/autograd.h"
#include "tensor/random.h"
#include "tests/eval/files.h"
#include "tests/largest_difference.h"

namespace gestalt::eval {
namespace {

using tests::thrown_by;

// conv, ReLU, conv, ReLU, flatten, linear; the same weights each time.
std::shared_ptr<nn::Sequential> make_network() {
  Generator generator(3);
  auto network = std::make_shared<nn::Sequential>();
  const auto conv = [&](int64_t in, int64_t out) {
    nn::Conv2dOptions options;
    options.in_channels = in;
    options.out_channels = out;
    options.desc.padding = {1, 1};
    return std::make_shared<nn::Conv2d>(options, generator);
  };
  network->add("conv1", conv(3, 4));
  network->add("relu1", std::make_shared<nn::ReLU>());
  network->add("conv2", conv(4, 5));
  network->add("relu2", std::make_shared<nn::ReLU>());
  network->add("flatten", std::make_shared<nn::Flatten>());
  network->add("fc", std::make_shared<nn::Linear>(5 * 8 * 8, 7, generator));
  network->eval();
  return network;
}

std::shared_ptr<nn::Module> make_resnet() {
  auto network = models::make_model("resnet18", {.classes = 7}, 3);
  network->eval();
  return network;
}

// Top-K applied by hand between the children.
Tensor by_hand(const Tensor& images, const std::vector<std::string>& places, double fraction,
               nn::TopKMethod method) {
  nn::TopK topk(fraction, method);
  Tensor y = images;
  const auto network = make_network();
  for (const nn::Module::Child& child : network->children()) {
    y = (*child.module)(y);
    if (std::find(places.begin(), places.end(), child.name) == places.end()) continue;
    y = topk(y);
  }
  return y;
}

double difference(const Tensor& a, const Tensor& b) {
  return tests::largest_difference(a.to_vector<float>(), b.to_vector<float>());
}

class Sweep : public testing::TestWithParam<nn::TopKMethod> {
 protected:
  const NoGradGuard no_grad_;
  const Tensor images_ = Generator(1).normal({3, 3, 8, 8}, 0, 1);
};

TEST_P(Sweep, GivesWhatEachFractionGivesAlone) {
  const std::vector<std::string> places = {"relu1", "relu2"};
  const std::vector<double> fractions = {0.1, 0.5, 1};
  TopKSweep sweep(make_network(), places, GetParam());
  sweep.set_fractions(fractions);
  const std::vector<Tensor> logits = sweep(images_);
  ASSERT_EQ(logits.size(), fractions.size());
  for (size_t i = 0; i < fractions.size(); ++i) {
    EXPECT_LE(difference(logits[i], by_hand(images_, places, fractions[i], GetParam())), 1e-6);
  }
  EXPECT_GT(difference(logits[0], logits[2]), 1e-3);
  EXPECT_GT(difference(logits[1], logits[2]), 1e-3);
}

TEST_P(Sweep, OnlyActivePlacesCount) {
  TopKSweep sweep(make_network(), {"relu1", "relu2"}, GetParam());
  sweep.set_fractions({0.1, 0.3});
  for (const std::string place : {"relu2", "relu1"}) {
    const std::vector<std::string> active = {place};
    sweep.activate(active);
    const std::vector<Tensor> logits = sweep(images_);
    EXPECT_LE(difference(logits[1], by_hand(images_, active, 0.3, GetParam())), 1e-6) << place;
  }
}

INSTANTIATE_TEST_SUITE_P(Methods, Sweep,
                         testing::Values(nn::TopKMethod::keep, nn::TopKMethod::reverse,
                                         nn::TopKMethod::mean_replace));

// Its branches meet: each must hold every sparsity.
TEST(SweepInBlocks, GivesWhatEachFractionGivesAlone) {
  const NoGradGuard no_grad;
  const Tensor images = Generator(1).normal({2, 3, 32, 32}, 0, 1);
  const std::vector<double> fractions = {0.1, 1};
  using Places = std::vector<std::string>;
  for (const Places& places : {Places{"layer1.0.bn1"},
                               {"layer2.0.downsample.0"},
                               {"layer1.0.bn1", "layer1.0.bn2"},
                               {"maxpool", "layer1.1.bn1", "layer3"},
                               {"layer3.0", "layer4.1.conv1"}}) {
    TopKSweep sweep(make_resnet(), places, nn::TopKMethod::keep);
    sweep.set_fractions(fractions);
    const std::vector<Tensor> logits = sweep(images);
    ASSERT_EQ(logits.size(), 2u);
    for (size_t i = 0; i < fractions.size(); ++i) {
      TopKSweep alone(make_resnet(), places, nn::TopKMethod::keep);
      alone.set_fractions({fractions[i]});
      EXPECT_LE(difference(logits[i], alone(images)[0]), 1e-5) << places[0];
    }
    EXPECT_GT(difference(logits[0], logits[1]), 1e-3) << places[0];
  }
}

TEST(SweepErrors, AreNamed) {
  constexpr auto keep = nn::TopKMethod::keep;
  EXPECT_NE(thrown_by([] { TopKSweep(make_network(), {"relu9"}, keep); }).find("relu9"),
            std::string::npos);
  EXPECT_NE(thrown_by([] { TopKSweep(make_network(), {}, keep); }).find("no layers"),
            std::string::npos);
  TopKSweep sweep(make_network(), {"fc"}, keep);
  EXPECT_NE(thrown_by([&] { sweep.set_fractions({0}); }).find("must be in (0, 1], got 0"),
            std::string::npos);
  EXPECT_NE(thrown_by([&] {
              sweep(Tensor::zeros({1, 3, 8, 8}));
            }).find("Top-K after 'fc'"),
            std::string::npos);
}

TEST(CategoryChoice, IsTheLargestMeanProbability) {
  // Of two classes of "a" one is certain, but the mean is below that of "b".
  const Categories categories({{"a", {0, 1}}, {"b", {2}}, {"c", {3}}});
  const std::vector<float> logits = {5, -9,   4.5f, 0,  // exp: mean of a 74, b 90
                                     5, 4.5f, 4.5f, 0,  // mean of a 119, b 90
                                     0, 0,    0,    900};
  const std::vector<size_t> choices =
      choose_categories(Tensor::from_vector(logits, {3, 4}), categories);
  EXPECT_EQ(choices, (std::vector<size_t>{1, 0, 2}));
  const std::string too_few = "category 'c' has class 3, the network has 3 classes";
  EXPECT_EQ(thrown_by([&] { check_classes(categories, 3); }), too_few);
  EXPECT_NO_THROW(check_classes(categories, 4));
  EXPECT_EQ(thrown_by([&] { choose_categories(Tensor::zeros({1, 3}), categories); }), too_few);
  EXPECT_NE(thrown_by([&] {
              choose_categories(Tensor::full({1, 4}, std::nan("")), categories);
            }).find("not finite"),
            std::string::npos);
}

}  // namespace
}  // namespace gestalt::eval
