// train_classifier from end to end, small.

#include <algorithm>
#include <chrono>
#include <gtest/gtest.h>
#include <random>

#include "data/encode.h"
#include "tensor/io/checkpoint.h"
#include "tests/tools/killed_run.h"
#include "tests/tools/run_tool.h"

namespace gestalt::tests {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// Stripes across or along: two classes of small pictures, some of another size.
void write_class(const fs::path& folder, bool across, int count) {
  fs::create_directories(folder);
  std::mt19937 random(across);
  for (int i = 0; i < count; ++i) {
    data::Image image(36 + i % 3, 40);
    for (int y = 0; y < image.height; ++y) {
      for (int x = 0; x < image.width; ++x) {
        const int base = (across ? y : x) / 4 % 2 * 180;
        for (int c = 0; c < 3; ++c) {
          image.row(y)[3 * x + c] = static_cast<uint8_t>(base + random() % 60);
        }
      }
    }
    data::save_image(folder / (std::to_string(i) + ".png"), image);
  }
}

void write_set(const fs::path& folder, int count) {
  write_class(folder / "across", true, count);
  write_class(folder / "along", false, count);
}

class TrainClassifier : public testing::Test {
 protected:
  TrainClassifier() {
    write_set(folder_ / "data/train", 7);
    write_set(folder_ / "data/val", 2);
  }
  std::vector<std::string> arguments(const std::string& name) const {
    return {"--data_folder_path",
            folder_ / "data",
            "--eval_folder",
            "again=" + (folder_ / "data/val").string(),
            "--output",
            folder_ / "runs",
            "--name",
            name,
            "--topk",
            "2_20",
            "--image_size",
            "32",
            "--total_epochs",
            "2",
            "--batch_size",
            "5",
            "--lr",
            "0.02",
            "--save_every_steps",
            "1",
            "--workers",
            "2",
            "--seed",
            "3",
            "--device",
            "cpu"};
  }
  TemporaryFolder folder_;
};

TEST_F(TrainClassifier, KilledAtRandomMomentsEndsInTheSameBits) {
  const Clock::time_point begin = Clock::now();
  const ToolResult whole = run_tool("train_classifier", arguments("whole"));
  ASSERT_EQ(whole.exit_code, 0) << whole.output;
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  EXPECT_NE(whole.output.find("epoch 2/2: loss "), std::string::npos) << whole.output;

  run_killed("train_classifier", arguments("killed"),
             folder_ / "runs/killed/checkpoint.safetensors", seconds);
  expect_same_files(folder_ / "runs/whole", folder_ / "runs/killed",
                    {"checkpoint.safetensors", "last.safetensors", "best_val.safetensors",
                     "best_again.safetensors", "metrics.csv", "eval.npy", "eval_again.npy",
                     "all_train_loss.npy"});
}

TEST_F(TrainClassifier, WritesWeightsThatOthersRead) {
  std::vector<std::string> flags = arguments("short");
  const ToolResult result = run_tool("train_classifier", flags);
  ASSERT_EQ(result.exit_code, 0) << result.output;
  const ToolResult check =
      run_tool("convert_weights",
               {folder_ / "runs/short/best_val.safetensors", "--list", "--quiet", "--architecture",
                "resnet18-cifar", "--classes", "2", "--image_size", "32"});
  EXPECT_EQ(check.exit_code, 0) << check.output;
  const std::string csv = read_text(folder_ / "runs/short/metrics.csv");
  EXPECT_EQ(csv.substr(0, csv.find('\n')),
            "epoch,learning_rate,train_loss,train_accuracy,val_loss,val_accuracy,again_loss,again_"
            "accuracy");
  EXPECT_NE(csv.find("\n2,0.01,"), std::string::npos) << csv;  // the cosine's second of two epochs
}

TEST_F(TrainClassifier, AnInterruptedRunSavesAndGoesOn) {
  std::vector<std::string> flags = arguments("interrupted");
  const fs::path folder = folder_ / "runs/interrupted";
  const ToolResult first = run_tool("train_classifier", flags,
                                    [&] { return fs::exists(folder / "checkpoint.safetensors"); });
  ASSERT_EQ(first.exit_code, 130) << first.output;
  flags.push_back("--resume");
  const ToolResult second = run_tool("train_classifier", flags);
  EXPECT_EQ(second.exit_code, 0) << second.output;
  std::vector<std::string> other = flags;
  *std::find(other.begin(), other.end(), "0.02") = "0.03";
  const ToolResult third = run_tool("train_classifier", other);
  EXPECT_EQ(third.exit_code, 1);
  EXPECT_NE(third.output.find("--lr was 0.02, is now 0.03"), std::string::npos) << third.output;
}

TEST_F(TrainClassifier, BadInputIsOneLine) {
  const auto fails = [&](const std::string& name, const std::vector<std::string>& more,
                         const std::string& reason, int exit_code = 1) {
    std::vector<std::string> flags = arguments(name);
    const auto given = std::find(flags.begin(), flags.end(), more[0]);
    if (given != flags.end()) flags.erase(given, given + 2);
    flags.insert(flags.end(), more.begin(), more.end());
    const ToolResult result = run_tool("train_classifier", flags);
    EXPECT_EQ(result.exit_code, exit_code) << result.output;
    EXPECT_NE(result.output.find(reason), std::string::npos) << result.output;
    EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1) << result.output;
    EXPECT_FALSE(fs::exists(folder_ / "runs" / name)) << name;
  };
  write_class(folder_ / "other/across", true, 1);
  write_class(folder_ / "other/askew", false, 1);
  fails("a", {"--use_sin_val_folder", folder_ / "other"}, "askew");
  fs::create_directories(folder_ / "empty/across");
  write_class(folder_ / "empty/along", false, 1);
  fails("b", {"--use_sin_val_folder", folder_ / "empty"}, "across");
  fails("c", {"--use_sin_val_folder", folder_ / "nowhere"}, "nowhere");
  fails("d", {"--eval_folder", "val=" + (folder_ / "data/val").string()}, "named 'val'", 2);
  fails("e", {"--eval_folder", "no_path"}, "NAME=PATH", 2);
  fails("f", {"--label_smoothing", "2"}, "--label_smoothing", 2);
  fails("g", {"--pretrained", folder_ / "nowhere"}, "nowhere");
  fails("h", {"--image_size", "24"}, "resnet18-cifar");
  fails("i", {"--image_size", "16", "--model", "alexnet"}, "alexnet with --image_size 16");
  // The folder's classes are then 'train' with 14 images and 'val' with 4.
  fails("j", {"--val_fraction", "0.9"}, "no image of the class 'val' in train");
  fails("k", {"--val_fraction", "0.1"}, "no image of the class 'val' in val");
}

}  // namespace
}  // namespace gestalt::tests
