// What train_classifier does beside training in f32 on exact pixels: --evaluate, --fast_jpeg, bf16.

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "data/encode.h"
#include "data/image.h"
#include "nn/loss.h"
#include "tensor/graph.h"
#include "tensor/io/checkpoint.h"
#include "tensor/io/npy.h"
#include "tensor/random.h"
#include "tests/tools/training_fixture.h"
#include "tools/common/file_hash.h"
#include "tools/training/step_results.h"

namespace gestalt::tests {
namespace {

namespace fs = std::filesystem;

std::vector<double> read_vector(const fs::path& path) {
  return load_npy(path.string()).to_vector<double>();
}

std::vector<std::vector<std::string>> read_csv(const fs::path& path) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream text(read_text(path));
  for (std::string line; std::getline(text, line);) {
    rows.emplace_back();
    std::istringstream fields(line);
    for (std::string field; std::getline(fields, field, ',');) rows.back().push_back(field);
  }
  return rows;
}

// The loss of the step that spoils the weights is still finite; here it is an epoch's only one.
TEST_F(TrainClassifier, WeightsThatAreNotFiniteAreInNoFile) {
  const std::vector<std::string> flags =
      with(arguments("spoilt"), {"--lr", "1e39", "--batch_size", "14", "--save_every_steps", "0"});
  const ToolResult result = run_tool("train_classifier", flags);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.output.find("is not finite after step 1 of epoch 1; the last checkpoint stays"),
            std::string::npos)
      << result.output;
  const fs::path folder = folder_ / "runs/spoilt";
  EXPECT_FALSE(fs::exists(folder / "last.safetensors"));
  EXPECT_FALSE(fs::exists(folder / "best_val.safetensors"));
}

// ResNet-18 ends at one pixel then, and the last batch has one image.
TEST_F(TrainClassifier, ALastBatchThatBatchNormCanNotTakeIsSaidBeforeTheFirstStep) {
  const std::vector<std::string> flags =
      with(arguments("one"), {"--model", "resnet18", "--image_size", "32", "--batch_size", "13"});
  const ToolResult result = run_tool("train_classifier", flags);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.output.find("--batch_size 13 leaves one of 14 images"), std::string::npos)
      << result.output;
  EXPECT_FALSE(fs::exists(folder_ / "runs/one"));
}

// ---- --evaluate ----

TEST_F(TrainClassifier, EvaluatesAnyWeightsOnAnySet) {
  const ToolResult training = run_tool("train_classifier", arguments("run"));
  ASSERT_EQ(training.exit_code, 0) << training.output;
  const fs::path folder = folder_ / "runs/run";
  const std::string config = read_text(folder / "config.json");
  write_set(folder_ / "more", 3);
  const ToolResult result = run_tool(
      "train_classifier",
      with(arguments("run"), {"--evaluate", folder / "last.safetensors", "--eval_folder",
                              "more=" + (folder_ / "more").string(), "--total_epochs", "7"}));
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_NE(result.output.find("% of 6 images"), std::string::npos) << result.output;

  // The last epoch's row is of these weights and this set.
  const auto rows = read_csv(folder / "evaluation_last.csv");
  const auto epochs = read_csv(folder / "metrics.csv");
  ASSERT_EQ(rows.size(), 3u);
  const std::string weights = folder / "last.safetensors", hash = tools::sha256_of_file(weights);
  EXPECT_EQ(rows[0], (std::vector<std::string>{"set", "images", "loss", "accuracy", "weights",
                                               "weights_sha256"}));
  std::vector<std::string> val = {"val", "4", epochs.back()[4], epochs.back()[5], weights};
  if (!hash.empty()) val.push_back(hash);
  EXPECT_EQ(rows[1], val);
  EXPECT_EQ(rows[2][0], "more");
  EXPECT_EQ(rows[2][4], weights);
  EXPECT_EQ(read_text(folder / "config.json"), config);  // the run's own files stay
}

TEST_F(TrainClassifier, WeightsOfAnotherNetworkAreNotEvaluated) {
  const ToolResult training =
      run_tool("train_classifier", with(arguments("run"), {"--total_epochs", "1"}));
  ASSERT_EQ(training.exit_code, 0) << training.output;
  const std::string weights = folder_ / "runs/run/last.safetensors", alone = folder_ / "alone";
  const auto fails = [&](const std::vector<std::string>& more, const std::string& reason,
                         int exit_code = 1) {
    const ToolResult result = run_tool("train_classifier", with(arguments("other"), more));
    EXPECT_EQ(result.exit_code, exit_code) << result.output;
    EXPECT_NE(result.output.find(reason), std::string::npos) << result.output;
    EXPECT_FALSE(fs::exists(folder_ / "runs/other"));
  };
  fails({"--evaluate", weights, "--topk", "none"},
        "--evaluate: --topk was \"2_20\", is now \"none\"");
  fails({"--evaluate", weights, "--image_size", "64"}, "--image_size was 32, is now 64");
  fs::copy(weights, alone);
  fails({"--evaluate", alone, "--model", "resnet18"}, "alone': the state dict does not fit");
  fails({"--evaluate", folder_ / "nowhere"}, "nowhere");
  fails({"--evaluate", weights, "--resume"}, "--resume", 2);
}

// Also where some steps have no image that can be read, and so no loss.
TEST_F(TrainClassifier, ArraysAreAsPublished) {
  constexpr int readable = 14, epochs = 2;
  for (int i = 0; i < 30; ++i) {
    std::ofstream(folder_ / "data/train/along" / ("broken" + std::to_string(i) + ".png")) << "x";
  }
  const ToolResult result =
      run_tool("train_classifier", with(arguments("run"), {"--batch_size", "2"}));
  ASSERT_EQ(result.exit_code, 0) << result.output;
  const fs::path run = folder_ / "runs/run";
  const std::vector<double> steps = read_vector(run / "step_loss.npy");
  const std::vector<double> losses = read_vector(run / "all_train_loss.npy");
  const std::vector<double> accuracies = read_vector(run / "eval.npy");
  EXPECT_LT(steps.size(), epochs * 22u);
  ASSERT_EQ(losses.size(), size_t{epochs});
  EXPECT_NEAR((losses[0] + losses[1]) * readable, std::accumulate(steps.begin(), steps.end(), 0.0),
              1e-9);
  const auto rows = read_csv(run / "metrics.csv");
  ASSERT_EQ(accuracies.size(), size_t{epochs});
  ASSERT_EQ(rows[0][5], "val_accuracy");
  for (int epoch = 0; epoch < epochs; ++epoch) {
    EXPECT_NEAR(accuracies[epoch], 100 * std::stod(rows[epoch + 1][5]), 1e-6);
  }
}

TEST_F(TrainClassifier, WeightsThatAreNotFiniteAreNotEvaluated) {
  const auto flags = with(arguments("run"), {"--total_epochs", "1"});
  ASSERT_EQ(run_tool("train_classifier", flags).exit_code, 0);
  StateDict weights = read_checkpoint(folder_ / "runs/run/last.safetensors").tensors;
  const auto spoilt = std::find_if(weights.begin(), weights.end(), [](const NamedTensor& entry) {
    return entry.name == "conv1.weight";
  });
  ASSERT_NE(spoilt, weights.end());
  spoilt->tensor = Tensor::full(spoilt->tensor.shape(), NAN);
  const std::string file = folder_ / "nan.safetensors";
  write_safetensors(file, weights);
  const ToolResult result =
      run_tool("train_classifier", with(arguments("other"), {"--evaluate", file}));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.output, "train_classifier: '" + file + "': " + spoilt->name +
                               " holds values that are not finite\n");
}

// Whose values are finite, and what they make of an image is not.
void spoil(StateDict& state, const std::string& prefix) {
  for (NamedTensor& entry : state) {
    if (entry.name != prefix + "layer4.1.bn2.running_mean") continue;
    entry.tensor = Tensor::full(entry.tensor.shape(), -3e38);
    return;
  }
  FAIL() << "no layer4.1.bn2";
}

TEST_F(TrainClassifier, WeightsThatOverflowAreNotEvaluated) {
  const auto flags = with(arguments("run"), {"--total_epochs", "1"});
  ASSERT_EQ(run_tool("train_classifier", flags).exit_code, 0);
  StateDict weights = read_checkpoint(folder_ / "runs/run/last.safetensors").tensors;
  spoil(weights, "");
  const std::string file = folder_ / "large.safetensors";
  write_safetensors(file, weights);
  const ToolResult result =
      run_tool("train_classifier", with(arguments("other"), {"--evaluate", file}));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(result.output.starts_with("train_classifier: '" + file + "': the loss of "))
      << result.output;
  EXPECT_TRUE(result.output.ends_with("nan: the weights are out of bounds\n")) << result.output;
  EXPECT_FALSE(fs::exists(folder_ / "runs/other/evaluation_large.csv"));
}

// Of weights that are finite, after training losses that are: what stands of the epochs before
// stays, and --resume says the same again.
TEST_F(TrainClassifier, AnEvaluationThatIsNotFiniteStopsTheRun) {
  const fs::path folder = folder_ / "runs/run", checkpoint = folder / "checkpoint.safetensors";
  const auto flags = with(arguments("run"), {"--total_epochs", "20"});
  const ToolResult interrupted =
      run_tool("train_classifier", flags, [&] { return fs::exists(folder / "last.safetensors"); });
  ASSERT_EQ(interrupted.exit_code, 130) << interrupted.output;
  Checkpoint state = read_checkpoint(checkpoint);
  spoil(state.tensors, "model.");
  write_safetensors(checkpoint, state.tensors, state.metadata);
  const auto files = [&] {
    std::vector<std::string> texts;
    for (const char* name : {"last.safetensors", "best_val.safetensors", "metrics.csv"}) {
      texts.push_back(read_text(folder / name));
    }
    return texts;
  };
  const auto before = files();
  for (int i = 0; i < 2; ++i) {
    const ToolResult result = run_tool("train_classifier", with(flags, {"--resume"}));
    EXPECT_EQ(result.exit_code, 1);
    for (const char* text : {"/data/val is ", "nan after epoch ",
                             "as it would be again with --resume; begin anew with a smaller --lr "
                             "(last.safetensors has the weights of the epoch before)\n"}) {
      EXPECT_NE(result.output.find(text), std::string::npos) << text << "\n" << result.output;
    }
    EXPECT_EQ(files(), before);
  }
  // In the first epoch there is nothing to stay.
  const ToolResult first = run_tool(
      "train_classifier", with(arguments("first"), {"--lr", "1e30", "--batch_size", "14"}));
  EXPECT_EQ(first.exit_code, 1);
  EXPECT_NE(first.output.find("after epoch 1, as it would be again with --resume; begin anew with "
                              "a smaller --lr (no epoch was whole)"),
            std::string::npos)
      << first.output;
  for (const char* name : {"last.safetensors", "best_val.safetensors", "metrics.csv"}) {
    EXPECT_FALSE(fs::exists(folder_ / "runs/first" / name)) << name;
  }
}

// Not after the first epoch; an earlier run stays.
TEST_F(TrainClassifier, ASetInWhichNothingCanBeReadIsFoundBeforeTheFirstStep) {
  write_set(folder_ / "bad", 2);
  for (const char* name : {"across/0.png", "across/1.png", "along/0.png", "along/1.png"}) {
    std::ofstream(folder_ / "bad" / name) << "no picture";
  }
  const std::string bad = folder_ / "bad";
  const auto fails = [&](const std::vector<std::string>& more) {
    const ToolResult result = run_tool("train_classifier", with(arguments("run"), more));
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_TRUE(result.output.starts_with("train_classifier: '" + bad +
                                          "': none of the images can be read; the first: "))
        << result.output;
    EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1) << result.output;
    EXPECT_FALSE(fs::exists(folder_ / "runs/run"));
  };
  fails({"--eval_folder", "bad=" + bad});
  fails({"--eval_folder", "bad=" + bad, "--evaluate", folder_ / "bad/across/0.png"});
  fails({"--use_sin_val_folder", bad});
  fs::copy(folder_ / "data/val/across/0.png", folder_ / "bad/along/1.png",
           fs::copy_options::overwrite_existing);
  const ToolResult one =
      run_tool("train_classifier",
               with(arguments("run"), {"--eval_folder", "bad=" + bad, "--total_epochs", "1"}));
  EXPECT_EQ(one.exit_code, 0) << one.output;
}

// ---- --fast_jpeg ----

TEST_F(TrainClassifier, FastJpegIsCloseAndWithoutItPixelsAreExact) {
  write_set(folder_ / "jpeg/train", 5, 240, ".jpg");
  write_set(folder_ / "jpeg/val", 2, 240, ".jpg");
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "jpeg")) {
    if (entry.is_directory()) continue;
    fs::path png = folder_ / "png" / fs::relative(entry.path(), folder_ / "jpeg").string();
    fs::create_directories(png.parent_path());
    data::save_image(png.replace_extension(".png"), data::decode_image(entry.path()));
  }
  const auto losses = [&](const std::string& name, const std::string& data,
                          const std::vector<std::string>& more) {
    std::vector<std::string> flags =
        with(arguments(name), {"--data_folder_path", folder_ / data, "--total_epochs", "1"});
    flags.insert(flags.end(), more.begin(), more.end());
    const ToolResult result = run_tool("train_classifier", flags);
    EXPECT_EQ(result.exit_code, 0) << result.output;
    return read_vector(folder_ / "runs" / name / "step_loss.npy");
  };
  const std::vector<double> exact = losses("exact", "jpeg", {});
  const std::vector<double> pixels = losses("pixels", "png", {});
  const std::vector<double> fast = losses("fast", "jpeg", {"--fast_jpeg"});
  ASSERT_EQ(exact.size(), 2u);
  EXPECT_EQ(exact, pixels);
  ASSERT_EQ(fast.size(), 2u);
  EXPECT_NE(fast[0], exact[0]);
  EXPECT_NEAR(fast[0], exact[0], 0.1 * exact[0]);  // noisy pictures, and batch norm over five
}

// ---- bf16 ----

// The same steps in both: the losses are close, not equal, and the weights stay f32.
TEST_F(TrainClassifier, Bf16IsCloseToF32) {
  std::vector<double> losses[2];
  for (const bool reduced : {false, true}) {
    const std::string name = reduced ? "bf16" : "f32";
    const ToolResult result =
        run_tool("train_classifier", with(arguments(name), {"--dtype", name}));
    ASSERT_EQ(result.exit_code, 0) << result.output;
    const fs::path folder = folder_ / "runs" / name;
    losses[reduced] = read_vector(folder / "step_loss.npy");
    for (const NamedTensor& entry : load_weights((folder / "last.safetensors").string())) {
      EXPECT_NE(entry.tensor.dtype(), DType::bf16) << entry.name;
    }
  }
  ASSERT_EQ(losses[0].size(), 6u);
  ASSERT_EQ(losses[1].size(), 6u);
  EXPECT_NE(losses[1], losses[0]);
  EXPECT_NEAR(losses[1][0], losses[0][0], 0.02 * losses[0][0]);
}

// ---- results that stay on the device ----

// A captured step may read no value.
TEST(StepResults, AreReadOnlyWhenTaken) {
  const Tensor logits = Generator(1).normal({4, 3}), labels = Tensor::zeros({4}, {DType::i64});
  tools::StepResults results;
  const auto step = [&](bool take) {
    results.add(0, nn::cross_entropy(logits, labels), logits, labels);
    if (take) results.take();
  };
  EXPECT_NO_THROW(CapturedGraph(Device{}, [&] { step(false); }));
  EXPECT_THROW(CapturedGraph(Device{}, [&] { step(true); }), Error);
}

TEST(StepResults, AreThoseOfTheSteps) {
  const Tensor logits = Tensor::from_vector<float>({0, 9, 9, 0, 0, 9}, {3, 2});
  const Tensor labels = Tensor::from_vector<int64_t>({1, 0, 0}, {3});
  tools::StepResults results;
  results.add(7, Tensor::full({}, 1.5), logits, labels);
  results.add(8, Tensor::full({}, 2.5), logits, Tensor::zeros({3}, {DType::i64}));
  const std::vector<tools::StepResult> taken = results.take();
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[0].step, 7);
  EXPECT_EQ(taken[0].loss, 1.5);
  EXPECT_EQ(taken[0].images, 3);
  EXPECT_EQ(taken[0].correct, 2);
  EXPECT_EQ(taken[1].correct, 1);
  EXPECT_TRUE(results.take().empty());
}

}  // namespace
}  // namespace gestalt::tests
