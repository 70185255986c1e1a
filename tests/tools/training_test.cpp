// train_classifier from end to end, small.

#include <algorithm>
#include <chrono>
#include <fstream>
#include <random>

#include "kernels/error.h"
#include "tensor/io/checkpoint.h"
#include "tests/tools/hashes.h"
#include "tests/tools/killed_run.h"
#include "tests/tools/training_fixture.h"
#include "tests/tools/unheard_run.h"

namespace gestalt::tests {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct Mode {
  const char* name;
  std::vector<std::string> flags;
};

class TrainClassifierIn : public TrainClassifier, public testing::WithParamInterface<Mode> {
 protected:
  std::vector<std::string> arguments(const std::string& name) const {
    return with(TrainClassifier::arguments(name), GetParam().flags);
  }
};

TEST_P(TrainClassifierIn, KilledAtRandomMomentsEndsInTheSameBits) {
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
                     "all_train_loss.npy", "step_loss.npy"});
}

INSTANTIATE_TEST_SUITE_P(
    Modes, TrainClassifierIn,
    testing::Values(Mode{"f32", {}}, Mode{"bf16", {"--dtype", "bf16"}},
                    // Two of an epoch's three steps are replayed, the last is smaller.
                    Mode{"recorded", {"--channels_last", "on", "--capture", "on"}}),
    [](const auto& info) { return std::string(info.param.name); });

// Replayed or not, from the first step on or from a checkpoint: the same run.
TEST_F(TrainClassifier, ARecordedRunGoesOnWithoutRecordingToTheSameBits) {
  const std::vector<std::string> layout = {"--channels_last", "on"};
  const ToolResult plain = run_tool("train_classifier", with(arguments("plain"), layout));
  ASSERT_EQ(plain.exit_code, 0) << plain.output;
  const fs::path folder = folder_ / "runs/mixed";
  const std::vector<std::string> mixed = with(arguments("mixed"), layout);
  const ToolResult first = run_tool("train_classifier", with(mixed, {"--capture", "on"}),
                                    [&] { return fs::exists(folder / "checkpoint.safetensors"); });
  ASSERT_EQ(first.exit_code, 130) << first.output;
  EXPECT_NE(first.output.find("steps in f32, channels-last, recorded once and replayed"),
            std::string::npos)
      << first.output;
  const ToolResult second =
      run_tool("train_classifier", with(mixed, {"--capture", "off", "--resume"}));
  ASSERT_EQ(second.exit_code, 0) << second.output;
  expect_same_files(folder_ / "runs/plain", folder,
                    {"checkpoint.safetensors", "last.safetensors", "metrics.csv",
                     "all_train_loss.npy", "step_loss.npy"});
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

// An evaluation may take longer than the grace of a scheduler; the epoch before it is not lost.
TEST_F(TrainClassifier, AnInterruptInAnEvaluationIsHeeded) {
  write_set(folder_ / "data/val", 100);
  const std::vector<std::string> once = {"--total_epochs", "1", "--save_every_steps", "0"};
  const ToolResult whole = run_tool("train_classifier", with(arguments("whole"), once));
  ASSERT_EQ(whole.exit_code, 0) << whole.output;
  const fs::path folder = folder_ / "runs/parts";
  const fs::path checkpoint = folder / "checkpoint.safetensors";
  fs::file_time_type before{};
  const auto evaluates = [&] {
    if (!fs::exists(checkpoint) || fs::last_write_time(checkpoint) == before) return false;
    for (const NamedTensor& entry : read_checkpoint(checkpoint.string()).tensors) {
      if (entry.name == "position.step") return entry.tensor.item() == 3;
    }
    return false;
  };
  const std::vector<std::string> parts = with(arguments("parts"), once);
  for (const int signal : {SIGINT, SIGTERM}) {
    const ToolResult result =
        run_tool("train_classifier", signal == SIGINT ? parts : with(parts, {"--resume"}),
                 evaluates, signal);
    ASSERT_EQ(result.exit_code, 130) << result.output;
    EXPECT_FALSE(fs::exists(folder / "last.safetensors"));
    before = fs::last_write_time(checkpoint);
  }
  const ToolResult rest = run_tool("train_classifier", with(parts, {"--resume"}));
  ASSERT_EQ(rest.exit_code, 0) << rest.output;
  EXPECT_NE(rest.output.find("continues in epoch 1, after step 3\n"), std::string::npos)
      << rest.output;
  expect_same_files(folder_ / "runs/whole", folder,
                    {"checkpoint.safetensors", "last.safetensors", "best_val.safetensors",
                     "metrics.csv", "all_train_loss.npy", "step_loss.npy"});
}

// Ctrl-C in `train_classifier ... 2>&1 | tee log` ends tee first.
TEST_F(TrainClassifier, AnInterruptedRunSavesThoughNobodyReadsItsOutput) {
  const fs::path checkpoint = folder_ / "runs/unheard/checkpoint.safetensors";
  const ToolResult result =
      run_unheard("train_classifier", with(arguments("unheard"), {"--total_epochs", "50"}),
                  [&] { return fs::exists(checkpoint); });
  EXPECT_EQ(result.exit_code, 130);
  EXPECT_NE(read_text(folder_ / "runs/unheard/log.txt").find("interrupted and saved"),
            std::string::npos);
  EXPECT_NO_THROW(read_checkpoint(checkpoint.string()));
}

TEST_F(TrainClassifier, PretrainedWeightsStayAsTheyWere) {
  ASSERT_EQ(run_tool("train_classifier", with(arguments("one"), {"--total_epochs", "1"})).exit_code,
            0);
  const fs::path weights = folder_ / "runs/one/last.safetensors";
  const std::string before = read_text(weights);
  const auto run = [&](const std::string& name, std::vector<std::string> more) {
    more.insert(more.begin(), {"--total_epochs", "1", "--pretrained", weights.string()});
    return run_tool("train_classifier", with(arguments(name), more));
  };
  const ToolResult over = run("one", {});
  EXPECT_EQ(over.exit_code, 2);
  EXPECT_NE(over.output.find("would overwrite its own input"), std::string::npos) << over.output;
  EXPECT_EQ(read_text(weights), before);

  ASSERT_EQ(run("two", {}).exit_code, 0);
  EXPECT_EQ(run("two", {"--resume"}).exit_code, 0);
  fs::remove(weights);
  const ToolResult missing = run("two", {"--resume"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_NE(missing.output.find("--resume: '" + weights.string() + "' is missing"),
            std::string::npos)
      << missing.output;
  GESTALT_NEEDS_HASHES();
  fs::copy_file(folder_ / "runs/two/last.safetensors", weights);
  const ToolResult changed = run("two", {"--resume"});
  EXPECT_EQ(changed.exit_code, 1);
  EXPECT_NE(changed.output.find("last.safetensors' has changed since the run began"),
            std::string::npos)
      << changed.output;
}

TEST_F(TrainClassifier, ResumingWithOtherImagesIsRefused) {
  const std::vector<std::string> flags = with(arguments("set"), {"--total_epochs", "1"});
  ASSERT_EQ(run_tool("train_classifier", flags).exit_code, 0);
  const auto resumed = [&] { return run_tool("train_classifier", with(flags, {"--resume"})); };
  EXPECT_EQ(resumed().exit_code, 0);
  const auto refused = [&](const std::string& reason) {
    const ToolResult result = resumed();
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(result.output, "train_classifier: --resume: " + reason + "\n");
  };
  const fs::path train = folder_ / "data/train/across", val = folder_ / "data/val/along";
  fs::copy_file(train / "0.png", train / "new.png");
  refused("'train' had 14 images when the run began, has 15 now");
  fs::remove(train / "new.png");
  fs::remove(val / "0.png");
  // Two sets of these images; the first of their names is told.
  refused("'again' had 4 images when the run began, has 3 now");
  GESTALT_NEEDS_HASHES();
  fs::copy_file(train / "0.png", val / "other.png");
  refused("images of 'again' have changed since the run began");
}

// The files of an earlier run are those of the sets that it had.
TEST_F(TrainClassifier, ANewRunTakesAwayTheFilesOfAnEarlierOneAlone) {
  const std::vector<std::string> short_run = with(arguments("again"), {"--total_epochs", "1"});
  ASSERT_EQ(run_tool("train_classifier", short_run).exit_code, 0);
  const fs::path folder = folder_ / "runs/again";
  const std::vector<std::string> users = {"best_of_monday.safetensors", "best_sin.safetensors",
                                          "eval_sin.npy", "best_again.safetensors.old"};
  for (const std::string& name : users) std::ofstream(folder / name) << "mine";
  const std::string set = "other=" + (folder_ / "data/val").string();
  const ToolResult result =
      run_tool("train_classifier", with(short_run, {"--eval_folder", set, "--pretrained",
                                                    folder / "best_of_monday.safetensors"}));
  EXPECT_NE(result.output.find("best_of_monday.safetensors"), std::string::npos) << result.output;
  ASSERT_TRUE(fs::exists(folder / "best_again.safetensors"));  // stopped before it began
  const ToolResult kept = run_tool(
      "train_classifier",
      with(short_run, {"--eval_folder", set, "--pretrained", folder / "best_again.safetensors"}));
  EXPECT_EQ(kept.exit_code, 2);
  EXPECT_NE(kept.output.find("is of the earlier run"), std::string::npos) << kept.output;
  ASSERT_EQ(run_tool("train_classifier", with(short_run, {"--eval_folder", set})).exit_code, 0);
  for (const std::string& name : users) EXPECT_EQ(read_text(folder / name), "mine") << name;
  for (const char* name : {"best_again.safetensors", "eval_again.npy"}) {
    EXPECT_FALSE(fs::exists(folder / name)) << name;
  }
  EXPECT_TRUE(fs::exists(folder / "best_other.safetensors"));
  EXPECT_TRUE(fs::exists(folder / "eval_other.npy"));
}

// The first epoch's steps are read together: the bad loss is found after them, but before a file
// is written.
TEST_F(TrainClassifier, ALossThatIsNotFiniteStopsTheRun) {
  const ToolResult result =
      run_tool("train_classifier",
               with(arguments("bad"), {"--lr", "1e30", "--save_every_steps", "0", "--quiet"}));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.output.find("nan in epoch 1, step 2; the last checkpoint stays"),
            std::string::npos)
      << result.output;
  const fs::path folder = folder_ / "runs/bad";
  for (const char* file : {"last.safetensors", "best_val.safetensors", "metrics.csv"}) {
    EXPECT_FALSE(fs::exists(folder / file)) << file;
  }
  for (const NamedTensor& entry :
       read_checkpoint((folder / "checkpoint.safetensors").string()).tensors) {
    if (!is_floating(entry.tensor.dtype())) continue;
    for (const double value : entry.tensor.to_vector<double>()) {
      ASSERT_TRUE(std::isfinite(value)) << entry.name;
    }
  }
}

TEST_F(TrainClassifier, BadInputIsOneLine) {
  const auto fails = [&](const std::string& name, const std::vector<std::string>& more,
                         const std::string& reason, int exit_code = 1) {
    const ToolResult result = run_tool("train_classifier", with(arguments(name), more));
    EXPECT_EQ(result.exit_code, exit_code) << result.output;
    EXPECT_NE(result.output.find(reason), std::string::npos) << result.output;
    EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1) << result.output;
    EXPECT_FALSE(fs::exists(folder_ / "runs" / name)) << name;
  };
  write_stripes(folder_ / "other/across", true, 1);
  write_stripes(folder_ / "other/askew", false, 1);
  fails("a", {"--use_sin_val_folder", folder_ / "other"}, "askew");
  fs::create_directories(folder_ / "empty/across");
  write_stripes(folder_ / "empty/along", false, 1);
  fails("b", {"--use_sin_val_folder", folder_ / "empty"}, "across");
  fails("c", {"--use_sin_val_folder", folder_ / "nowhere"}, "nowhere");
  fs::create_directories(folder_ / "hollow");
  fails("c", {"--use_sin_val_folder", folder_ / "hollow"}, "hollow': no class folders");
  fails("d", {"--eval_folder", "val=" + (folder_ / "data/val").string()}, "named 'val'", 2);
  fails("e", {"--eval_folder", "no_path"}, "NAME=PATH", 2);
  fails("f", {"--label_smoothing", "2"}, "--label_smoothing: must be 0 to 1, got 2", 2);
  for (const char* value : {"-1", "0", "nan", "inf"}) {
    fails("f", {"--lr", value}, format("--lr: must be above 0 and finite, got {}", value), 2);
  }
  fails("f", {"--momentum", "1"}, "--momentum: must be 0 or more and below 1, got 1", 2);
  fails("f", {"--weight_decay", "nan"}, "--weight_decay: must be 0 or more and finite", 2);
  fails("f", {"--image_size", "8"}, "--image_size: must be 16 to 4096, got 8", 2);
  fails("f", {"--batch_size", "0"}, "--batch_size: must be 1 or more, got 0", 2);
  fails("f", {"--name", ".."}, "--name: must be of letters, digits, '_' and '-', got '..'", 2);
  fails("g", {"--pretrained", folder_ / "nowhere"}, "nowhere");
  write_safetensors((folder_ / "foreign").string(),
                    StateDict{{"features.0.weight", Tensor::zeros({2})}});
  fails("g", {"--pretrained", folder_ / "foreign"}, "foreign' has no weights of this network");
  fails("h", {"--image_size", "24"}, "resnet18-cifar");
  fails("i", {"--image_size", "16", "--model", "alexnet"}, "alexnet with --image_size 16");
  fails("i", {"--capture", "on", "--model", "alexnet", "--image_size", "64", "--topk", "none"},
        "--capture on does not go with alexnet: it has dropout", 2);
  // The folder's classes are then 'train' with 14 images and 'val' with 4.
  fails("j", {"--val_fraction", "0.9"}, "no image of the class 'val' in train");
  fails("k", {"--val_fraction", "0.1"}, "no image of the class 'val' in val");
  // Else 'l' were a class of the next run, and of --resume.
  for (const char* part : {"train", "val"}) {
    fails("l", {"--output", folder_ / "data" / part}, "whose images are taken: give one outside",
          2);
    EXPECT_FALSE(fs::exists(folder_ / "data" / part / "l"));
  }
}

}  // namespace
}  // namespace gestalt::tests
