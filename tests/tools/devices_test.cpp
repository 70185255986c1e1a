// One short run of each tool on each device. What the tools do is tested on the CPU by the other
// files here: each of their runs says --device cpu.

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/cuda_device.h"
#include "tests/tools/killed_run.h"
#include "tests/tools/run_tool.h"
#include "tests/tools/training_fixture.h"
#include "tools/common/json_file.h"

namespace gestalt::tests {
namespace {

namespace fs = std::filesystem;

class ToolsOn : public testing::TestWithParam<DeviceType> {
 protected:
  void SetUp() override {
    GESTALT_NEEDS_DEVICE(device_);
    write_set(folder_ / "data/train", 2);
    write_set(folder_ / "data/val", 2);
  }

  void run(const std::string& tool, std::vector<std::string> arguments) const {
    SCOPED_TRACE(tool);
    arguments.insert(arguments.end(), {"--device", to_string(device_), "--quiet"});
    const ToolResult result = run_tool(tool, arguments);
    ASSERT_EQ(result.exit_code, 0) << result.output;
  }

  // The run was on the device, and no value of the table after its first column is NaN.
  void expect_done(const std::string& run, const std::string& table = "") const {
    SCOPED_TRACE(run);
    const auto config = tools::read_json(folder_ / run / "config.json");
    EXPECT_EQ(config["device"], to_string(device_));
    if (table.empty()) return;
    std::istringstream csv(read_text(folder_ / run / table));
    std::string line;
    std::getline(csv, line);
    int rows = 0;
    while (std::getline(csv, line)) {
      ++rows;
      std::istringstream cells(line.substr(line.find(',') + 1));
      for (std::string cell; std::getline(cells, cell, ',');) {
        EXPECT_TRUE(cell.empty() || std::isfinite(std::stod(cell))) << line;
      }
    }
    EXPECT_GT(rows, 0) << table;
  }

  const Device device_{GetParam(), 0};
  const TemporaryFolder folder_;
  const std::string along_ = folder_ / "data/train/along", across_ = folder_ / "data/val/across",
                    runs_ = folder_ / "runs";
};

// On CUDA evaluations are recorded and replayed, on the CPU where that is asked for.
TEST_P(ToolsOn, SynthesizeAndVisualize) {
  for (const std::string tool : {"synthesize_texture", "visualize_topk"}) {
    const auto synthesized = [&](const std::string& capture) {
      const std::string out = tool + '_' + capture;
      run(tool, {"-i", along_, "-o", folder_ / out, "--image_size", "48", "-n", "1", "--iter", "2",
                 "--layers", "relu1_1,pool1", "--batch", tool == "visualize_topk" ? "1" : "2",
                 "--capture", capture});
      expect_done(out, "losses.csv");
      const bool is_recorded =
          read_text(folder_ / out / "log.txt").find("recorded once") != std::string::npos;
      EXPECT_EQ(is_recorded, capture == "on" || (capture == "auto" && device_.is_cuda())) << out;
      return fs::path(folder_ / out);
    };
    expect_same_files(synthesized("auto"), synthesized(device_.is_cuda() ? "off" : "on"),
                      {"losses.csv", "seed_0_0.jpg", "seed_0_1.jpg"});
  }
}

TEST_P(ToolsOn, TrainAndEvaluateAClassifier) {
  run("train_classifier",
      {"--data_folder_path", folder_ / "data", "--output", runs_, "--name", "classifier", "--topk",
       "2_20", "--image_size", "32", "--total_epochs", "1", "--batch_size", "2"});
  expect_done("runs/classifier", "metrics.csv");
  const fs::path stimuli = folder_ / "stimuli/cat";
  fs::create_directories(stimuli);
  fs::copy_file(fs::path(along_) / "0.png", stimuli / "cat1-dog1.png");
  run("shape_bias", {"evaluate", "--data", folder_ / "stimuli", "--out", folder_ / "bias",
                     "--model", "alexnet", "--untrained", "--topk", "0.1"});
  expect_done("bias");
  EXPECT_TRUE(fs::exists(folder_ / "bias/cue-conflict_AlexNet-untrained-topK-10_session-1.csv"));
}

TEST_P(ToolsOn, ARecordedClassifierThatGoesOnIsTheSame) {
  const auto flags = [&](const std::string& name) {
    return std::vector<std::string>{"--data_folder_path",
                                    folder_ / "data",
                                    "--output",
                                    runs_,
                                    "--name",
                                    name,
                                    "--image_size",
                                    "32",
                                    "--total_epochs",
                                    "1",
                                    "--batch_size",
                                    "2",
                                    "--save_every_steps",
                                    "1",
                                    "--device",
                                    to_string(device_)};
  };
  const ToolResult whole = run_tool("train_classifier", with(flags("off"), {"--capture", "off"}));
  ASSERT_EQ(whole.exit_code, 0) << whole.output;
  const fs::path checkpoint = folder_ / "runs/on/checkpoint.safetensors";
  const std::vector<std::string> recorded = with(flags("on"), {"--capture", "on"});
  // A quick machine may end the run before it is interrupted.
  ToolResult part = run_tool("train_classifier", recorded, [&] { return fs::exists(checkpoint); });
  for (int again = 0; again < 4 && part.exit_code == 0; ++again) {
    fs::remove_all(folder_ / "runs/on");
    part = run_tool("train_classifier", recorded, [&] { return fs::exists(checkpoint); });
  }
  ASSERT_EQ(part.exit_code, 130) << part.output;
  const ToolResult rest = run_tool("train_classifier", with(recorded, {"--resume"}));
  ASSERT_EQ(rest.exit_code, 0) << rest.output;
  expect_same_files(folder_ / "runs/off", folder_ / "runs/on",
                    {"checkpoint.safetensors", "last.safetensors", "metrics.csv"});
}

TEST_P(ToolsOn, TrainAStylizerAndUseIt) {
  run("train_stylizer",
      {"--content", along_, "--style", across_, "--output", runs_, "--name", "stylizer",
       "--image_size", "32", "--crop_size", "24", "--batch_size", "2", "--max_iter", "2"});
  expect_done("runs/stylizer", "metrics.csv");
  run("stylize_images",
      {"--content", along_, "--style", across_, "-o", folder_ / "stylized", "--decoder",
       folder_ / "runs/stylizer/decoder.safetensors", "--content_size", "0", "--style_size", "0"});
  expect_done("stylized");
  EXPECT_TRUE(fs::exists(folder_ / "stylized/0_stylized_0.jpg"));
}

TEST_P(ToolsOn, TrainAGanAndDrawFromIt) {
  run("train_fewshot_gan",
      {"--path",           along_,  "--output",       runs_, "--name",          "gan",
       "--im_size",        "32",    "--nz",           "8",   "--base_channels", "8",
       "--sparse_hw_info", "16_25", "--iter",         "2",   "--batch_size",    "2",
       "--n_sample",       "2",     "--n_eval_draws", "1",   "--compat",        "paper"});
  expect_done("runs/gan", "metrics.csv");
  expect_done("runs/gan", "evaluations.csv");
  run("sample_fewshot_gan", {"--ckpt", folder_ / "runs/gan/checkpoint.safetensors", "-o",
                             folder_ / "samples", "--n_sample", "2"});
  expect_done("samples");
  EXPECT_TRUE(fs::exists(folder_ / "samples/images/000001.png"));
}

TEST_P(ToolsOn, MeasureFid) {
  const fs::path figures = folder_ / "figures.json";
  run("measure_fid", {along_, across_, "--features", "64", "--no_cache", "--json", figures});
  const auto results = tools::read_json(figures)["results"];
  EXPECT_TRUE(std::isfinite(results[0]["fid"]["value"].get<double>()));
}

INSTANTIATE_TEST_SUITE_P(Devices, ToolsOn, testing::Values(DeviceType::cpu, DeviceType::cuda),
                         [](const auto& info) { return to_string(info.param); });

TEST(DeviceFlag, AutoIsTheGpuWhereThereIsOne) {
  const TemporaryFolder folder;
  write_stripes(folder / "in", true, 1);
  const ToolResult result =
      run_tool("synthesize_texture", {"-i", folder / "in", "-o", folder / "out", "--image_size",
                                      "48", "-n", "1", "--iter", "1", "--layers", "relu1_1"});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  const auto config = tools::read_json(folder / "out/config.json");
  EXPECT_EQ(config["settings"]["device"], "auto");
  EXPECT_EQ(config["device"], is_available({DeviceType::cuda, 0}) ? "cuda:0" : "cpu")
      << "the device itself, not auto";
}

}  // namespace
}  // namespace gestalt::tests
