// Which images and files a run of train_classifier is of: the held-out ones that --evaluate may
// take, and copies elsewhere that --resume goes on with.

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tensor/io/checkpoint.h"
#include "tests/tools/hashes.h"
#include "tests/tools/killed_run.h"
#include "tests/tools/training_fixture.h"
#include "tools/common/json_file.h"
#include "tools/common/output.h"

namespace gestalt::tests {
namespace {

namespace fs = std::filesystem;

class TrainClassifierData : public TrainClassifier {
 protected:
  ToolResult train(const std::vector<std::string>& flags) const {
    const ToolResult result = run_tool("train_classifier", flags);
    EXPECT_EQ(result.exit_code, 0) << result.output;
    return result;
  }
  static void expect_refused(const std::vector<std::string>& flags, const std::string& reason) {
    const ToolResult result = run_tool("train_classifier", flags);
    EXPECT_EQ(result.exit_code, 1) << result.output;
    EXPECT_NE(result.output.find(reason), std::string::npos) << result.output;
  }
  fs::path run() const { return folder_ / "runs/run"; }
};

// Else images that it was trained on would pass for held-out ones.
TEST_F(TrainClassifierData, AnotherSplitIsNotEvaluated) {
  const std::string images = folder_ / "data/train";
  const std::vector<std::string> flags =
      with(arguments("run"), {"--data_folder_path", images, "--val_fraction", "0.5", "--split_seed",
                              "3", "--total_epochs", "1"});
  train(flags);
  const auto evaluation = [&](const std::vector<std::string>& more) {
    return with(with(flags, {"--evaluate", run() / "last.safetensors"}), more);
  };
  train(evaluation({}));
  expect_refused(evaluation({"--split_seed", "4"}), "--evaluate: --split_seed was 3, is now 4");
  expect_refused(evaluation({"--val_fraction", "0.3"}), "--val_fraction was 0.5, is now 0.3");
  write_stripes(folder_ / "data/train/across", true, 9);
  expect_refused(evaluation({}), "--evaluate: the images that are held out from '" + images +
                                     "' are not those of the run");
  // Drawn by their places in the list, others were held out.
  nlohmann::json config = tools::read_json(run() / "config.json");
  config["settings"].erase("split_rule");
  tools::write_text(run() / "config.json", config.dump());
  expect_refused(evaluation({}), "--evaluate: the run held images out by the rule of an older");
  expect_refused(with(flags, {"--resume"}), "--resume: the run held images out by the rule of an");
}

TEST_F(TrainClassifierData, EvaluatesOtherImagesOfFixedFoldersAndSaysSo) {
  const auto flags = with(arguments("run"), {"--total_epochs", "1"});
  train(flags);
  const auto evaluation = with(flags, {"--evaluate", run() / "last.safetensors"});
  EXPECT_EQ(train(evaluation).output.find("not the images"), std::string::npos);
  fs::remove(folder_ / "data/val/across/0.png");
  EXPECT_NE(train(evaluation).output.find("val: not the images that the run was evaluated on"),
            std::string::npos);
}

// As torchvision's weights are, on the validation images alone.
TEST_F(TrainClassifierData, EvaluatesWithoutTrainingImages) {
  const auto flags = with(arguments("run"), {"--total_epochs", "1"});
  train(flags);
  const std::string before = train(with(flags, {"--evaluate", run() / "last.safetensors"})).output;
  fs::remove_all(folder_ / "data/train");
  EXPECT_EQ(train(with(flags, {"--evaluate", run() / "last.safetensors"})).output, before);
  expect_refused(with(flags, {"--resume"}), "data/train': no such folder");
}

// A scheduler's scratch folder has another name in each job.
TEST_F(TrainClassifierData, ResumesWithCopiesElsewhere) {
  GESTALT_NEEDS_HASHES();
  train(with(arguments("first"), {"--total_epochs", "1"}));
  fs::copy_file(folder_ / "runs/first/last.safetensors", folder_ / "data/start.safetensors");
  const auto flags = [&](const std::string& data, const std::string& name) {
    const fs::path set = folder_ / data;
    return with(arguments(name),
                {"--data_folder_path", set, "--eval_folder", "again=" + (set / "val").string(),
                 "--use_sin_val_folder", set / "val", "--pretrained", set / "start.safetensors",
                 "--total_epochs", "1"});
  };
  train(flags("data", "whole"));
  const ToolResult first = run_tool("train_classifier", flags("data", "run"),
                                    [&] { return fs::exists(run() / "checkpoint.safetensors"); });
  ASSERT_EQ(first.exit_code, 130) << first.output;
  fs::rename(folder_ / "data", folder_ / "scratch");
  const auto resumed = with(flags("scratch", "run"), {"--resume"});
  const std::string set = "again=" + (folder_ / "scratch/val").string();
  expect_refused(with(resumed, {"--eval_folder", "other" + set}),
                 R"(--resume: --eval_folder was ["again=)");
  expect_refused(with(resumed, {"--use_sin_val_folder", ""}), "--use_sin_val_folder was ");
  expect_refused(
      with(resumed, {"--data_folder_path", folder_ / "scratch/train", "--val_fraction", "0.5"}),
      "--val_fraction was 0.0, is now 0.5");
  train(resumed);
  expect_same_files(folder_ / "runs/whole", run(), {"checkpoint.safetensors", "metrics.csv"});
  fs::rename(folder_ / "scratch", folder_ / "other");
  write_set(folder_ / "other/val", 3);
  expect_refused(with(flags("other", "run"), {"--resume"}),
                 "--resume: 'again' had 4 images when the run began, has 6 now");
}

// AdamW's decay of 1/lr takes all of a weight away; its first step then is at most lr. (Adam's
// would leave the weights about where they were.)
TEST_F(TrainClassifierData, TrainsOtherNetworksWithOtherSettings) {
  const auto flags = [&](const std::string& name, const std::string& model) {
    return with(arguments(name),
                {"--model", model, "--optimizer", "adamw", "--lr", "0.01", "--weight_decay", "100",
                 "--topk_mode", "mean_replace", "--use_sin_val_folder", folder_ / "data/val",
                 "--batch_size", "14", "--total_epochs", "1", "--save_every_steps", "0"});
  };
  const std::string log = train(flags("resnet18", "resnet18")).output;
  EXPECT_NE(log.find("Top-K after layer2: 20 %, mean_replace\n"), std::string::npos) << log;
  EXPECT_NE(log.find("; sin "), std::string::npos) << log;
  const fs::path folder = folder_ / "runs/resnet18";
  EXPECT_TRUE(fs::exists(folder / "best_sin.safetensors"));
  EXPECT_TRUE(fs::exists(folder / "eval_sin.npy"));
  int parameters = 0;
  for (const NamedTensor& entry : read_checkpoint(folder / "last.safetensors").tensors) {
    const bool statistic = entry.name.find("running_") != std::string::npos;
    if (statistic || entry.name.ends_with("num_batches_tracked")) continue;
    ++parameters;
    for (const double value : entry.tensor.to_vector<double>()) {
      ASSERT_LE(std::abs(value), 0.0100001) << entry.name;
    }
  }
  EXPECT_EQ(parameters, 62);

  train(with(flags("strided", "resnet18-cifar"), {"--stem_stride", "2", "--image_size", "64"}));
  const StateDict strided = read_checkpoint(folder_ / "runs/strided/last.safetensors").tensors;
  for (const NamedTensor& entry : strided) {
    // 64 pixels end at 4x4 then, not at 8x8, of which average pooling leaves one value.
    if (entry.name == "linear.weight") {
      EXPECT_EQ(entry.tensor.shape(), (Shape{2, 512}));
    }
  }
}

}  // namespace
}  // namespace gestalt::tests
