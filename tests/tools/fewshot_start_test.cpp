// How a run of train_fewshot_gan begins: by the published commands, from checkpoints of other runs
// and of the published code, and by one command for start and resumption.

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "models/fastgan_checkpoint.h"
#include "tensor/io/checkpoint.h"
#include "tensor/io/safetensors.h"
#include "tests/tools/fewshot_fixture.h"
#include "tests/tools/killed_run.h"
#include "tests/tools/run_tool.h"
#include "tools/common/json_file.h"

namespace gestalt::tests {
namespace {

namespace fs = std::filesystem;

// As run.sh has them, in its order; behind them what makes the run small.
TEST_F(TrainFewshotGan, TakesThePublishedCommands) {
  const Flags published = {"--path",
                           folder_ / "data",
                           "--im_size",
                           "32",
                           "--batch_size",
                           "2",
                           "--iter",
                           "1",
                           "--start_iter",
                           "0",
                           "--name",
                           "topk",
                           "--nonoise",
                           "--eps_G",
                           "1e-4",
                           "--sparse_hw_info",
                           "16_25",
                           "--sp_hw_policy_name",
                           "TopKMaskHW",
                           "--fid_feature_extractor_name",
                           "inception-v3-compat",
                           "--ckpt",
                           "restart"};
  const Flags small = {"--output",        folder_ / "runs",
                       "--base_channels", "8",
                       "--n_sample",      "2",
                       "--device",        "cpu",
                       "--n_eval_draws",  "1",
                       "--compat",        "paper"};
  Flags all = published;
  all.insert(all.end(), small.begin(), small.end());
  const ToolResult result = run_tool("train_fewshot_gan", all);
  ASSERT_EQ(result.exit_code, 0) << result.output;
  const auto settings = tools::read_json(run("topk") / "config.json")["settings"];
  EXPECT_EQ(settings["ckpt"], "");
  EXPECT_EQ(settings["eps_G"], 1e-4);
  EXPECT_EQ(settings["eps_D"], 0.0);
  EXPECT_EQ(settings["sparse_hw_info"], "16_25");

  // The published defaults, and what is another matter here.
  set(all, "--sparse_hw_info", "None");
  set(all, "--cuda", "0");
  set(all, "--name", "plain");
  ASSERT_EQ(run_tool("train_fewshot_gan", all).exit_code, 0);
  EXPECT_EQ(tools::read_json(run("plain") / "config.json")["settings"]["sparse_hw_info"], "none");
  set(all, "--ckpt", "Default");
  const ToolResult refused = run_tool("train_fewshot_gan", all);
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.output.find("is --resume_if_any here"), std::string::npos) << refused.output;
}

// One command for the first start and for every other.
TEST_F(TrainFewshotGan, ResumesIfThereIsSomethingToResume) {
  Flags all = flags("queued"), whole = flags("whole");
  for (Flags* each : {&all, &whole}) set(*each, "--eval_every", "2");
  all.push_back("--resume_if_any");
  for (const char* steps : {"2", "4"}) {
    set(all, "--iter", steps);
    const ToolResult result = run_tool("train_fewshot_gan", all);
    ASSERT_EQ(result.exit_code, 0) << result.output;
    EXPECT_EQ(result.output.find("continues after step 2") != std::string::npos,
              steps == std::string("4"))
        << result.output;
  }
  set(whole, "--iter", "4");
  ASSERT_EQ(run_tool("train_fewshot_gan", whole).exit_code, 0);
  expect_same_files(run("whole"), run("queued"), {"checkpoint.safetensors"});
}

// A file that tells neither where the network was sparse nor how its excitations end.
TEST_F(TrainFewshotGan, WhatAPublishedCheckpointDoesNotTellIsSaid) {
  Flags first = flags("first"), second = flags("second");
  set(first, "--iter", "1");
  ASSERT_EQ(run_tool("train_fewshot_gan", first).exit_code, 0);
  StateDict published;
  for (NamedTensor& entry :
       read_checkpoint((run("first") / "checkpoint.safetensors").string()).tensors) {
    const bool is_network = entry.name.starts_with("g") || entry.name.starts_with("d.");
    if (entry.name.ends_with("num_batches_tracked")) continue;
    // Children in the order of their names, which is that of the file.
    for (const auto& [ours, number] :
         {std::pair(".conv1.", ".1."), {".bn1.", ".3."}, {".conv2.", ".5."}, {".bn2.", ".7."}}) {
      const size_t at = entry.name.find(ours);
      if (at != std::string::npos) entry.name.replace(at, std::string(ours).size(), number);
    }
    if (is_network || entry.name == "iter") published.push_back(std::move(entry));
  }
  const std::string file = folder_ / "published.safetensors";
  write_safetensors(file, published);
  set(second, "--ckpt", file);
  set(second, "--sparse_hw_info", "none");
  set(second, "--iter", "2");
  const ToolResult result = run_tool("train_fewshot_gan", second);
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_NE(result.output.find("does not tell where the network was sparse: taken as none"),
            std::string::npos)
      << result.output;
  EXPECT_NE(result.output.find("so its excitation is taken as linear"), std::string::npos)
      << result.output;
  second.push_back("--resume");
  set(second, "--iter", "3");
  for (const bool again : {false, true}) {
    if (again) {
      const ToolResult resumed = run_tool("train_fewshot_gan", second);
      ASSERT_EQ(resumed.exit_code, 0) << resumed.output;
    }
    const auto settings = tools::read_json(run("second") / "config.json")["settings"];
    EXPECT_EQ(settings["sparsity_known"], false);
    EXPECT_EQ(settings["excitation"], "linear");
  }
  set(second, "--excitation", "sigmoid");
  const ToolResult other = run_tool("train_fewshot_gan", second);
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_NE(other.output.find("--excitation was \"linear\", is now \"sigmoid\""), std::string::npos)
      << other.output;
}

// What the message about values that are not finite advises; a run's own checkpoint goes on as it
// was.
TEST_F(TrainFewshotGan, AnotherRunsCheckpointGoesOnAtThisRunsLearningRate) {
  Flags first = flags("first"), second = flags("second");
  set(first, "--iter", "1");
  ASSERT_EQ(run_tool("train_fewshot_gan", first).exit_code, 0);
  set(second, "--iter", "2");
  set(second, "--ckpt", run("first") / "checkpoint.safetensors");
  set(second, "--lr", "1e-3");
  ASSERT_EQ(run_tool("train_fewshot_gan", second).exit_code, 0);
  const StateDict state =
      read_checkpoint((run("second") / "checkpoint.safetensors").string()).tensors;
  for (const char* name : {"opt_g.param_groups.0.lr", "opt_d.param_groups.0.lr"}) {
    const Tensor* rate = find_tensor(state, name);
    ASSERT_NE(rate, nullptr) << name;
    EXPECT_EQ(rate->item(), 1e-3) << name;
  }
}

TEST_F(TrainFewshotGan, StartsFromNothingThatIsNotFinite) {
  Flags first = flags("first"), second = flags("second");
  set(first, "--iter", "1");
  ASSERT_EQ(run_tool("train_fewshot_gan", first).exit_code, 0);
  Checkpoint file = read_checkpoint((run("first") / "checkpoint.safetensors").string());
  for (NamedTensor& entry : file.tensors) {
    if (entry.name == "d.rf_small.weight_orig") {
      entry.tensor = Tensor::full(entry.tensor.shape(), NAN);
    }
  }
  const std::string spoilt = folder_ / "spoilt.safetensors";
  write_safetensors(spoilt, file.tensors, file.metadata);
  set(second, "--ckpt", spoilt);
  const ToolResult result = run_tool("train_fewshot_gan", second);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.output, "train_fewshot_gan: '" + spoilt +
                               "': d.rf_small.weight_orig holds values that are not finite\n");
  EXPECT_FALSE(fs::exists(run("second")));
}

TEST_F(TrainFewshotGan, StartsFromTheCheckpointOfAnother) {
  Flags first = flags("first");
  set(first, "--iter", "2");
  ASSERT_EQ(run_tool("train_fewshot_gan", first).exit_code, 0);
  Flags second = flags("second");
  set(second, "--iter", "4");
  set(second, "--ckpt", run("first") / "checkpoint.safetensors");
  const ToolResult result = run_tool("train_fewshot_gan", second);
  ASSERT_EQ(result.exit_code, 0) << result.output;
  // The same as four steps at once: random numbers follow the seed and the step.
  Flags at_once = flags("at_once");
  set(at_once, "--iter", "4");
  ASSERT_EQ(run_tool("train_fewshot_gan", at_once).exit_code, 0);
  const auto weights = [&](const std::string& name) {
    return models::read_fastgan_checkpoint((run(name) / "checkpoint.safetensors").string());
  };
  const auto a = weights("second"), b = weights("at_once");
  ASSERT_EQ(a.generator.size(), b.generator.size());
  for (size_t i = 0; i < a.generator.size(); ++i) {
    EXPECT_EQ(a.generator[i].tensor.to_vector<float>(), b.generator[i].tensor.to_vector<float>())
        << a.generator[i].name;
  }
  // It is resumed with the same command, with another --ckpt not, and without.
  second.push_back("--resume");
  for (const char* more : {"5", "6"}) {
    set(second, "--iter", more);
    const ToolResult resumed = run_tool("train_fewshot_gan", second);
    ASSERT_EQ(resumed.exit_code, 0) << resumed.output;
    EXPECT_EQ(models::read_fastgan_checkpoint((run("second") / "checkpoint.safetensors").string())
                  .iterations,
              std::stoll(more));
    const auto flag = std::find(second.begin(), second.end(), "--ckpt");
    if (flag != second.end()) second.erase(flag, flag + 2);
  }
  set(second, "--ckpt", "another.pth");
  EXPECT_NE(run_tool("train_fewshot_gan", second).output.find("--ckpt was "), std::string::npos);
}

}  // namespace
}  // namespace gestalt::tests
