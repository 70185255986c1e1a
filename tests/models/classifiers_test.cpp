// The classifiers and AdaIN against PyTorch's and torchvision's, at weights and images that a
// formula gives (tests/fixtures/classifiers).

#include <algorithm>
#include <cmath>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

#include "models/adain.h"
#include "models/registry.h"
#include "tensor/autograd.h"
#include "tensor/context.h"
#include "tests/formulas.h"
#include "tests/source_folder.h"

namespace gestalt::models {
namespace {

using tests::formula_weights;
using tests::uniform_tensor;

// The values of the line "WORD NAME VALUE ...".
std::vector<double> expected_values(const std::string& word, const std::string& name) {
  std::ifstream file(tests::source_folder() / "tests/fixtures/classifiers/classifiers.txt");
  const std::string start = word + ' ' + name + ' ';
  std::vector<double> values;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(start)) continue;
    std::istringstream rest(line.substr(start.size()));
    for (double value = 0; rest >> value;) values.push_back(value);
  }
  EXPECT_FALSE(values.empty()) << start;
  return values;
}

// Within a part of the largest.
void expect_close(const std::vector<double>& got, const std::vector<double>& expected,
                  double tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  double largest = 0;
  for (const double value : expected) largest = std::max(largest, std::abs(value));
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], expected[i], tolerance * largest) << i;
  }
}

// Without the fast algorithms, which give accuracy for speed.
class Exactly : public testing::Test {
 protected:
  void SetUp() override { context({}).set_exact(true); }
  void TearDown() override { context({}).set_exact(false); }

  const NoGradGuard no_grad_;
};

class Classifiers : public Exactly, public testing::WithParamInterface<const char*> {};

TEST_P(Classifiers, GiveTorchvisionsLogits) {
  const auto network = make_model(GetParam(), {.classes = 10, .image_size = 64});
  network->to(Device{});
  network->load_state_dict(formula_weights(network->state_dict()));
  network->eval();
  const Tensor image = uniform_tensor({1, 3, 64, 64}, 1000, 4, -0.5);
  expect_close((*network)(image).to_vector<double>(), expected_values("logits", GetParam()), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(All, Classifiers,
                         testing::Values("alexnet", "vgg11", "vgg11_bn", "resnet18", "resnet50",
                                         "resnet18-cifar"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

class Adain : public Exactly {};

TEST_F(Adain, GivesPyTorchsFeaturesAndPicture) {
  Generator generator(0);
  const auto encoder = make_adain_encoder(generator), decoder = make_adain_decoder(generator);
  for (const auto& network : {encoder, decoder}) {
    network->to(Device{});
    network->load_state_dict(formula_weights(network->state_dict()));
  }
  const Tensor content = uniform_tensor({1, 3, 52, 44}, 1001);
  const Stylizer stylizer(encoder, decoder);
  const nn::ChannelStats style = stylizer.style(uniform_tensor({1, 3, 40, 48}, 1002));
  const auto check = [](const char* name, const Tensor& tensor, double tolerance) {
    SCOPED_TRACE(name);
    const std::vector<double> values = tensor.to_vector<double>();
    double squares = 0;
    std::vector<double> some;
    for (size_t i = 0; i < values.size(); ++i) {
      squares += values[i] * values[i];
      if (i % 1009 == 0) some.push_back(values[i]);
    }
    std::vector<double> expected = expected_values("adain", name);
    const double norm = expected.front();
    EXPECT_NEAR(std::sqrt(squares), norm, 1e-5 * norm);
    expected.erase(expected.begin());
    expect_close(some, expected, tolerance);
  };
  check("relu4_1", (*encoder)(content), 1e-5);
  // Through AdaIN, which divides by the channels' deviations, some of them small.
  check("picture", stylizer.stylize(content, style, 0.7), 5e-5);
}

}  // namespace
}  // namespace gestalt::models
