// Checkpoints of the published form (tests/fixtures/fastgan) and of our own, into the networks.

#include "models/fastgan_checkpoint.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <gtest/gtest.h>
#include <map>

#include "kernels/error.h"
#include "models/fastgan_published.h"
#include "tensor/io/checkpoint.h"
#include "tests/error_of.h"
#include "tests/source_folder.h"
#include "tests/temporary_folder.h"

namespace gestalt::models {
namespace {

namespace fs = std::filesystem;

std::string fixture(const std::string& name) {
  return (tests::source_folder() / "tests/fixtures/fastgan" / name).string();
}

// As make_fastgan.py fills the tensor of that name.
double value(const std::string& name) {
  int64_t hashed = 0;
  for (const char byte : name) hashed = (hashed * 31 + byte) % 1000003;
  return static_cast<double>(hashed % 4096) / 8 + 1;
}

using tests::error_of;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::map<std::string, Tensor> by_name(const StateDict& state) {
  std::map<std::string, Tensor> result;
  for (const NamedTensor& entry : state) result[entry.name] = entry.tensor;
  return result;
}

void expect_filled(const Tensor& tensor, double expected, const std::string& name) {
  for (const double each : tensor.to_vector<double>()) {
    if (each != expected) {
      ADD_FAILURE() << name << " holds " << each << ", expected " << expected;
      return;
    }
  }
}

double as_stored(const nn::Module::Named& entry) {
  const double number = value(entry.name);
  return entry.tensor->dtype() == DType::i64 ? std::floor(number) : number;
}

std::string difference(const FastGanCheckpoint& checkpoint, const FastGanOptions& here) {
  const auto found = first_difference(checkpoint, here);
  return found ? format("{}: {}, here {}", found->setting, found->there, found->here) : "";
}

class FastGanCheckpointTest : public testing::Test {
 protected:
  static FastGanOptions options() {
    return {.image_size = 256, .latent_size = 8, .base_channels = 4};
  }

  Generator random_{1};
  FastGanGenerator generator_{options(), random_};
  FastGanDiscriminator discriminator_{options(), random_};
};

class PublishedCheckpoint : public FastGanCheckpointTest,
                            public testing::WithParamInterface<std::string> {};

TEST_P(PublishedCheckpoint, FillsBothNetworksAndTheAverageByName) {
  const FastGanCheckpoint checkpoint = read_fastgan_checkpoint(fixture(GetParam()));
  EXPECT_EQ(checkpoint.options.image_size, 256);
  EXPECT_EQ(checkpoint.options.latent_size, 8);
  EXPECT_EQ(checkpoint.options.base_channels, 4);
  EXPECT_FALSE(checkpoint.options.noise);
  EXPECT_FALSE(checkpoint.sparsity_known);
  EXPECT_EQ(checkpoint.iterations, GetParam() == "named.pth" ? 30000 : 12000);
  EXPECT_FALSE(first_difference(checkpoint, options()));

  generator_.load_state_dict(checkpoint.generator);
  discriminator_.load_state_dict(checkpoint.discriminator);
  for (nn::Module* network :
       {static_cast<nn::Module*>(&generator_), static_cast<nn::Module*>(&discriminator_)}) {
    for (const auto& entry : network->named_parameters()) {
      expect_filled(*entry.tensor, as_stored(entry), entry.name);
    }
    for (const auto& entry : network->named_buffers()) {
      expect_filled(*entry.tensor, as_stored(entry), entry.name);
    }
  }
  generator_.load_state_dict(averaged_generator(checkpoint));
  for (const auto& entry : generator_.named_parameters()) {
    expect_filled(*entry.tensor, value(entry.name) + 3, entry.name);
  }
  for (const auto& entry : generator_.named_buffers()) {
    expect_filled(*entry.tensor, as_stored(entry), entry.name);
  }
}

TEST_P(PublishedCheckpoint, GivesTheStatesOfBothOptimizers) {
  const FastGanCheckpoint checkpoint = read_fastgan_checkpoint(fixture(GetParam()));
  const std::pair<const StateDict*, nn::Module*> both[] = {
      {&checkpoint.generator_optimizer, &generator_},
      {&checkpoint.discriminator_optimizer, &discriminator_}};
  for (const auto& [state, network] : both) {
    const auto found = by_name(optimizer_by_number(*state, *network));
    const auto parameters = network->named_parameters();
    EXPECT_EQ(found.size(), 3 * parameters.size() + 6);
    for (size_t i = 0; i < parameters.size(); ++i) {
      const std::string& name = parameters[i].name;
      const std::string prefix = "state." + std::to_string(i) + '.';
      ASSERT_TRUE(found.contains(prefix + "step")) << name;
      EXPECT_EQ(found.at(prefix + "step").dtype(), DType::i64);
      EXPECT_EQ(found.at(prefix + "step").item(), 7);
      EXPECT_EQ(found.at(prefix + "exp_avg").shape(), parameters[i].tensor->shape()) << name;
      expect_filled(found.at(prefix + "exp_avg"), value(name) + 1, name);
      expect_filled(found.at(prefix + "exp_avg_sq"), value(name) + 2, name);
    }
    EXPECT_EQ(found.at("param_groups.0.lr").item(), 2e-4);
    EXPECT_EQ(found.at("param_groups.0.betas.0").item(), 0.5);
    EXPECT_EQ(found.at("param_groups.0.betas.1").item(), 0.999);
    EXPECT_EQ(found.at("param_groups.0.eps").item(), 1e-8);
    EXPECT_EQ(found.at("param_groups.0.decoupled_weight_decay").item(), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, PublishedCheckpoint, testing::Values("named.pth", "numbered.pth"),
                         [](const auto& info) {
                           return info.param.substr(0, info.param.find('.'));
                         });

TEST_F(FastGanCheckpointTest, NoiseThatWasOnIsASettingOfTheCheckpoint) {
  const FastGanCheckpoint checkpoint = read_fastgan_checkpoint(fixture("noisy.pth"));
  EXPECT_TRUE(checkpoint.options.noise);
  EXPECT_EQ(difference(checkpoint, options()), "noise: 1, here 0");
  FastGanOptions noisy = options();
  noisy.noise = true;
  EXPECT_FALSE(first_difference(checkpoint, noisy));
  FastGanGenerator generator(noisy, random_);
  generator.load_state_dict(averaged_generator(checkpoint));
  for (const auto& entry : generator.named_parameters()) {
    expect_filled(*entry.tensor, value(entry.name) + 3, entry.name);
  }
  EXPECT_TRUE(checkpoint.generator_optimizer.empty());
}

// Of the same names, with the sigmoid and without. The code with Top-K alone writes `iter`,
// `performance` or blocks whose children have names.
TEST_F(FastGanCheckpointTest, TheExcitationIsThatOfTheCodeThatWroteTheFile) {
  const auto excitation_of = [](Checkpoint file) {
    const FastGanCheckpoint checkpoint = from_published_form(std::move(file));
    EXPECT_FALSE(checkpoint.excitation_known);
    return checkpoint.options.excitation;
  };
  Checkpoint numbered = read_checkpoint(fixture("numbered.pth"), {.training_state = true});
  EXPECT_EQ(excitation_of(numbered), Excitation::linear);
  std::erase_if(numbered.numbers, [](const auto& number) { return number.name == "iter"; });
  EXPECT_EQ(excitation_of(numbered), Excitation::sigmoid);
  numbered.numbers.push_back({"performance.fid", 41.5});
  EXPECT_EQ(excitation_of(numbered), Excitation::linear);
  Checkpoint named = read_checkpoint(fixture("named.pth"));  // without numbers
  EXPECT_EQ(excitation_of(named), Excitation::linear);
  Checkpoint noisy = read_checkpoint(fixture("noisy.pth"), {.training_state = true});
  EXPECT_EQ(excitation_of(noisy), Excitation::sigmoid);
}

TEST_F(FastGanCheckpointTest, AnExcitationThatTheFileTellsIsCompared) {
  FastGanOptions linear = options();
  linear.excitation = Excitation::linear;
  FastGanGenerator generator(linear, random_);
  EXPECT_EQ(generator.state_dict().size(), generator_.state_dict().size());
  StateDict all;
  for (const NamedTensor& entry : generator.state_dict()) {
    all.push_back({"g." + entry.name, entry.tensor});
  }
  const tests::TemporaryFolder folder;
  const std::string path = (folder / "all.safetensors").string();
  const auto written_with = [&](const Metadata& metadata) {
    write_safetensors(path, all, metadata);
    return read_fastgan_checkpoint(path);
  };
  const FastGanCheckpoint told = written_with(fastgan_metadata(linear));
  EXPECT_EQ(difference(told, options()), "excitation: linear, here sigmoid");
  EXPECT_EQ(difference(told, linear), "");
  Metadata metadata = fastgan_metadata(linear);
  metadata.erase("excitation");  // before there was another
  EXPECT_EQ(difference(written_with(metadata), linear), "excitation: sigmoid, here linear");
  metadata["excitation"] = "other";
  EXPECT_TRUE(
      has(error_of([&] { written_with(metadata); }), "its metadata has excitation 'other'"));
  // The published form does not tell it.
  EXPECT_EQ(difference(read_fastgan_checkpoint(fixture("noisy.pth")), linear), "noise: 1, here 0");
  EXPECT_EQ(difference(read_fastgan_checkpoint(fixture("named.pth")), options()), "");
}

TEST_F(FastGanCheckpointTest, TheFirstSettingThatDiffersIsGiven) {
  FastGanCheckpoint checkpoint = read_fastgan_checkpoint(fixture("named.pth"));
  const auto differing = [&](const auto& change) {
    FastGanOptions here = options();
    change(here);
    return difference(checkpoint, here);
  };
  EXPECT_EQ(differing([](FastGanOptions& o) { o.image_size = 512; }), "im_size: 256, here 512");
  EXPECT_EQ(differing([](FastGanOptions& o) { o.latent_size = 100; }), "nz: 8, here 100");
  EXPECT_EQ(differing([](FastGanOptions& o) { o.noise = true; }), "noise: 0, here 1");
  EXPECT_EQ(differing([](FastGanOptions& o) { o.base_channels = 64; }),
            "base_channels: 4, here 64");
  // The published form does not tell what was sparse.
  EXPECT_EQ(differing([](FastGanOptions& o) { set_sparse(o, "32_5", "TopKMaskHW"); }), "");

  checkpoint.sparsity_known = true;
  set_sparse(checkpoint.options, "16-32_10-5", "TopKMaskHW");
  EXPECT_EQ(differing([](FastGanOptions&) {}), "sparse_hw_info: 16-32_10-5, here none");
  EXPECT_EQ(
      differing([](FastGanOptions& o) { set_sparse(o, "16-32_10-5", "TopKMaskHWMeanReplace"); }),
      "sp_hw_policy_name: TopKMaskHW, here TopKMaskHWMeanReplace");
  set_sparse(checkpoint.options, "none", "TopKMaskHW");
  EXPECT_EQ(differing([](FastGanOptions& o) { set_sparse(o, "32_5", "TopKMaskHW"); }),
            "sparse_hw_info: none, here 32_5");
}

TEST_F(FastGanCheckpointTest, AnAdamOfOtherStepsIsRefused) {
  for (const char* option : {"amsgrad", "maximize"}) {
    Checkpoint file = read_checkpoint(fixture("named.pth"), {.training_state = true});
    file.numbers.push_back({format("opt_d.param_groups.0.{}", option), 1});
    EXPECT_EQ(error_of([&] { from_published_form(file); }),
              format("'opt_d' has '{}', which is not supported", option));
  }
}

TEST_F(FastGanCheckpointTest, OurOwnFormKeepsEverything) {
  FastGanOptions sparse = options();
  set_sparse(sparse, "16-32_10-2.5", "TopKMaskHWMeanReplace");
  StateDict all = {{"iter", Tensor::from_vector<int64_t>({77}, {1})},
                   {"history.fid", Tensor::ones({3})},
                   {"opt_g.state.3.step", Tensor::from_vector<int64_t>({5}, {1})},
                   {"opt_d.state.rf_small.weight_orig.step", Tensor::ones({1})}};
  for (const NamedTensor& entry : generator_.state_dict()) {
    all.push_back({"g." + entry.name, entry.tensor});
  }
  for (const auto& entry : generator_.named_parameters()) {
    all.push_back({"g_ema." + entry.name, Tensor::full(entry.tensor->shape(), 2)});
  }
  const tests::TemporaryFolder folder;
  const std::string path = (folder / "all.safetensors").string();
  write_safetensors(path, all, fastgan_metadata(sparse));
  const FastGanCheckpoint checkpoint = read_fastgan_checkpoint(path);
  EXPECT_FALSE(first_difference(checkpoint, sparse));
  EXPECT_TRUE(checkpoint.sparsity_known);
  EXPECT_EQ(checkpoint.iterations, 77);
  ASSERT_EQ(checkpoint.other.size(), 1u);
  EXPECT_EQ(checkpoint.other[0].name, "history.fid");
  EXPECT_EQ(optimizer_by_number(checkpoint.generator_optimizer, generator_)[0].name,
            "state.3.step");
  const auto parameters = discriminator_.named_parameters();
  const auto at = std::find_if(parameters.begin(), parameters.end(), [](const auto& entry) {
    return entry.name == "rf_small.weight_orig";
  });
  EXPECT_EQ(optimizer_by_number(checkpoint.discriminator_optimizer, discriminator_)[0].name,
            format("state.{}.step", at - parameters.begin()));
  generator_.load_state_dict(averaged_generator(checkpoint));
  expect_filled(*generator_.named_parameters()[4].tensor, 2, "an average");
}

TEST_F(FastGanCheckpointTest, WhatIsNoCheckpointIsSaid) {
  const std::string other = error_of([] { read_fastgan_checkpoint(fixture("other.pth")); });
  EXPECT_TRUE(has(other, "other.pth' as a FastGAN checkpoint: it has no generator 'g'")) << other;
  FastGanCheckpoint without = read_fastgan_checkpoint(fixture("named.pth"));
  without.average.clear();
  EXPECT_TRUE(has(error_of([&] { averaged_generator(without); }), "no average"));
  EXPECT_TRUE(has(error_of([] { read_fastgan_checkpoint("/nowhere.pth"); }), "/nowhere.pth"));
}

}  // namespace
}  // namespace gestalt::models
