// Which images and files a run of train_classifier is of: copies elsewhere that --resume goes on
// with.

#include "tests/tools/hashes.h"
#include "tests/tools/killed_run.h"
#include "tests/tools/training_fixture.h"

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

}  // namespace
}  // namespace gestalt::tests
