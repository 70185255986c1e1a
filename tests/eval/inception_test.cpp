// Inception-v3 and the preprocessing of FID against torch-fidelity's (tests/fixtures/inception).

#include "models/inception.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <gtest/gtest.h>
#include <iomanip>
#include <sstream>
#include <string>
#include <vector>

#include "eval/inception_features.h"
#include "eval/tensorflow_resize.h"
#include "tensor/autograd.h"
#include "tensor/io/bytes.h"
#include "tensor/io/checkpoint.h"
#include "tensor/io/known_files.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tests/cuda_device.h"
#include "tests/eval/files.h"
#include "tests/formulas.h"
#include "tests/source_folder.h"

namespace gestalt::eval {
namespace {

using tests::formula_weights;

const std::string fixture = tests::source_folder() / "tests/fixtures/inception/inception.txt";

std::vector<std::istringstream> lines_of(const std::string& word) {
  std::ifstream file(fixture);
  std::vector<std::istringstream> lines;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(word + " ")) lines.emplace_back(line.substr(word.size() + 1));
  }
  return lines;
}

Tensor image(int64_t height, int64_t width, uint64_t key) {
  std::vector<uint8_t> values(3 * height * width);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<uint8_t>(tests::uniform(i, key) * 256);
  }
  return Tensor::from_vector(values, {1, 3, height, width}, {.device = Device{}});
}

std::string fnv(const std::vector<float>& values) {
  uint64_t value = 0xCBF29CE484222325;
  const auto* bytes = reinterpret_cast<const uint8_t*>(values.data());
  for (size_t i = 0; i < values.size() * sizeof(float); ++i) {
    value = (value ^ bytes[i]) * 0x100000001B3;
  }
  std::ostringstream text;
  text << std::hex << std::setw(16) << std::setfill('0') << value;
  return text.str();
}

TEST(TensorFlowResize, EqualsTorchFidelitysBitForBit) {
  TensorFlowResize resize(299, 299);
  std::vector<std::istringstream> lines = lines_of("resize");
  ASSERT_EQ(lines.size(), 5u);
  for (std::istringstream& line : lines) {
    SCOPED_TRACE(line.str());
    int64_t height = 0, width = 0;
    std::string expected;
    line >> height >> width >> expected;
    const Tensor x = image(height, width, 1000 + width).to(DType::f32);
    EXPECT_EQ(fnv(resize(x).to_vector<float>()), expected);
    EXPECT_EQ(fnv(resize(x).to_vector<float>()), expected);  // by what the first call kept
  }
  EXPECT_THROW(resize(image(4, 4, 1)), Error);  // u8
}

// A small network in Inception's place: the means of the prepared planes.
FeatureNetwork means_of_planes() {
  return {.features =
              [](const Tensor& x) {
                return flatten(mean(x, {2, 3}), 1);
              },
          .width = 3,
          .weights = Weights::untrained,
          .description = "means",
          .hash = ""};
}

TEST(InceptionFeatures, PixelsKeepTheirLevelsOrTakeThePapersRange) {
  const Tensor bytes = image(299, 299, 7);
  InceptionFeatures features(means_of_planes());
  const std::vector<uint8_t> levels = bytes.to_vector<uint8_t>();
  const auto prepared = [&](const Tensor& x, PixelRange range) {
    return features.prepare(x, range).to_vector<float>();
  };
  const std::vector<float> full = prepared(bytes, PixelRange::full);
  const std::vector<float> paper = prepared(bytes, PixelRange::paper);
  std::vector<float> unit(levels.size());
  for (size_t i = 0; i < levels.size(); ++i) {
    unit[i] = static_cast<float>(levels[i]) / 255.0f;
    ASSERT_EQ(full[i], (static_cast<float>(levels[i]) - 128) / 128);
    const float once_more = (unit[i] * 0.5f + 0.5f) * 255;
    ASSERT_EQ(paper[i], (std::floor(once_more) - 128) / 128);
    ASSERT_TRUE(std::floor(once_more) >= 127 && std::floor(once_more) <= 255);
  }
  const Tensor floats = Tensor::from_vector(unit, bytes.shape(), {.device = Device{}});
  EXPECT_EQ(prepared(floats, PixelRange::full), full);
  EXPECT_EQ(prepared(floats, PixelRange::paper), paper);
  // In between: to the nearest level, and clamped.
  const Tensor odd = Tensor::full({1, 3, 299, 299}, 100.6 / 255, {.device = Device{}});
  EXPECT_EQ(prepared(odd, PixelRange::full)[0], (101.0f - 128) / 128);
  EXPECT_EQ(prepared(odd * 10, PixelRange::full)[0], 127.0f / 128);
  const Tensor nan = Tensor::full({1, 3, 8, 8}, std::nan(""), {.device = Device{}});
  EXPECT_TRUE(std::isnan(prepared(nan, PixelRange::full)[0]));
  EXPECT_TRUE(std::isnan(prepared(nan, PixelRange::paper)[0]));
}

TEST(InceptionFeatures, BatchesAreTheirImages) {
  InceptionFeatures features(means_of_planes());
  const Tensor a = image(20, 30, 1), b = image(20, 30, 2), c = image(40, 25, 3);
  const std::vector<float> both = features(cat({a, b}, 0)).to_vector<float>();
  const std::vector<float> first = features(a).to_vector<float>();
  EXPECT_EQ(std::vector<float>(both.begin(), both.begin() + 3), first);
  const Tensor mixed = features.of_prepared(cat({features.prepare(a), features.prepare(c)}, 0));
  EXPECT_EQ(mixed.shape(), (Shape{2, 3}));
  EXPECT_EQ(std::vector<float>(first), narrow(mixed, 0, 0, 1).to_vector<float>());
  EXPECT_THROW(features(Tensor::zeros({3, 8, 8}, {.device = Device{}})), Error);
}

TEST(Inception, FeaturesEqualTorchFidelitys) {
  Generator generator(0);
  models::Inception network(generator);
  network.to(Device{});
  network.load_state_dict(formula_weights(network.state_dict()));
  network.eval();
  network.set_requires_grad(false);
  const Tensor x = InceptionFeatures(means_of_planes()).prepare(image(64, 80, 5));
  const auto check = [&](double allowed) {
    const std::vector<Tensor> taps = network.features(x, models::inception_taps);
    std::vector<std::istringstream> lines = lines_of("feature");
    ASSERT_EQ(lines.size(), 32u);
    for (std::istringstream& line : lines) {
      int64_t tap = 0, index = 0;
      double expected = 0;
      line >> tap >> index >> expected;
      const auto place =
          std::find(models::inception_taps.begin(), models::inception_taps.end(), tap);
      const Tensor& features = taps.at(place - models::inception_taps.begin());
      ASSERT_EQ(features.shape(), (Shape{1, tap}));
      const std::vector<double> values = features.to_vector<double>();
      const double largest = *std::max_element(values.begin(), values.end());
      EXPECT_LE(std::abs(values[index] - expected), allowed * largest) << line.str();
    }
  };
  check(1e-5);  // with its batch norms
  network.freeze();
  check(1e-5);  // without
  const std::vector<int64_t> first = {64};
  EXPECT_EQ(network.features(x, first).size(), 1u);
  const std::vector<int64_t> unknown = {100};
  EXPECT_THROW(network.features(x, unknown), Error);
}

TEST(Inception, WeightsLoadedIntoAFoldedNetworkHaveTheirNorms) {
  const std::vector<int64_t> taps = {64};
  const Tensor x = InceptionFeatures(means_of_planes()).prepare(image(64, 80, 5));
  Generator generator(0);
  models::Inception network(generator), folded(generator);
  network.to(Device{});
  folded.to(Device{});
  network.load_state_dict(formula_weights(network.state_dict()));
  network.eval();
  folded.eval();
  folded.freeze();
  folded.load_state_dict(network.state_dict());
  const NoGradGuard no_grad;
  const std::vector<float> expected = network.features(x, taps)[0].to_vector<float>();
  EXPECT_EQ(folded.features(x, taps)[0].to_vector<float>(), expected);
  folded.freeze();
  const std::vector<float> again = folded.features(x, taps)[0].to_vector<float>();
  for (size_t i = 0; i < again.size(); ++i) EXPECT_NEAR(again[i], expected[i], 1e-5) << i;
  EXPECT_NE(again, expected);  // folded indeed
}

// Versions of storages begin anew with a move: some number of loads brings back those of folding.
TEST(Inception, WeightsLoadedBehindAMoveHaveTheirNorms) {
  const std::vector<int64_t> taps = {64};
  const Tensor x = InceptionFeatures(means_of_planes()).prepare(image(64, 80, 5));
  Generator generator(0);
  models::Inception network(generator);
  network.to(Device{});
  const StateDict weights = formula_weights(network.state_dict());
  network.load_state_dict(weights);
  network.eval();
  const NoGradGuard no_grad;
  const std::vector<float> expected = network.features(x, taps)[0].to_vector<float>();
  for (int loads = 1; loads <= 3; ++loads) {
    network.freeze();
    network.to(DType::bf16);
    network.to(DType::f32);
    for (int i = 0; i < loads; ++i) network.load_state_dict(weights);
    EXPECT_EQ(network.features(x, taps)[0].to_vector<float>(), expected) << loads << " loads";
  }
}

// TF32 would be a thousand times further off.
TEST(Inception, FeaturesOnCudaAreThoseOfTheCpu) {
  const Device cuda{DeviceType::cuda, 0};
  GESTALT_NEEDS_DEVICE(cuda);
  const auto features_on = [](Device device) {
    InceptionFeatures features(load_inception("", 2048, device));
    return features(image(64, 80, 5).to(device)).to_vector<double>();
  };
  const std::vector<double> expected = features_on(Device{}), got = features_on(cuda);
  const double largest = *std::max_element(expected.begin(), expected.end());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_LE(std::abs(got[i] - expected[i]), 2e-5 * largest) << i;
  }
  EXPECT_FALSE(context(cuda).exact());  // it was not the caller's
}

TEST(Inception, LoadsWhatIsPublishedAndNamesWhatIsNot) {
  const tests::TemporaryFolder folder;
  Generator generator(1);
  models::Inception network(generator);
  StateDict state = network.state_dict();
  state.push_back({"fc.weight", Tensor::zeros({1008, 2048})});
  state.push_back({"fc.bias", Tensor::zeros({1008})});
  const std::string path = (folder.path() / "weights.safetensors").string();
  write_safetensors(path, state);
  const FeatureNetwork loaded = load_inception(path, 64, Device{});
  EXPECT_EQ(loaded.weights, Weights::given);  // of these no published file is made
  EXPECT_EQ(loaded.width, 64);
  EXPECT_TRUE(loaded.description.starts_with("Inception-v3 of " + path)) << loaded.description;
  const std::string digest = sha256(map_file(path));
  EXPECT_NE((loaded.description + ".").find(digest.substr(0, 8)), std::string::npos);
  EXPECT_EQ(loaded.hash, load_inception(path, 192, Device{}).hash);  // of the weights alone
  state.erase(state.begin());
  write_safetensors(path, state);
  const std::string message = tests::thrown_by([&] { load_inception(path, 64, Device{}); });
  EXPECT_NE(message.find(path), std::string::npos) << message;
  EXPECT_NE(message.find("Conv2d_1a_3x3.conv.weight"), std::string::npos) << message;
  EXPECT_THROW(load_inception("", 100, Device{}), Error);
}

TEST(Inception, UntrainedIsWellScaledAndAlwaysTheSame) {
  const FeatureNetwork a = load_inception("", 2048, Device{}), b = load_inception("", 64, Device{});
  EXPECT_EQ(a.weights, Weights::untrained);
  EXPECT_EQ(a.hash, b.hash);
  EXPECT_NE(a.description.find("untrained"), std::string::npos);
  InceptionFeatures features(a);
  const std::vector<double> values =
      features(image(64, 64, 9)).to_vector<double>();  // no photograph: white noise
  double sum = 0, largest = 0;
  for (const double value : values) {
    sum += value;
    largest = std::max(largest, value);
  }
  EXPECT_GT(sum / 2048, 0.05);
  EXPECT_LT(largest, 100);
}

}  // namespace
}  // namespace gestalt::eval
