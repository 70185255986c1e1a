// train_stylizer from end to end, small: the untrained encoder, a few steps on pictures made here.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "data/encode.h"
#include "models/adain.h"
#include "tensor/io/checkpoint.h"
#include "tests/tools/hashes.h"
#include "tests/tools/killed_run.h"
#include "tests/tools/run_tool.h"
#include "tools/common/json_file.h"

namespace gestalt::tests {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

void save_picture(const fs::path& path, int seed) {
  fs::create_directories(path.parent_path());
  data::Image image(30 + seed, 36);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const int stripe = (x * seed + y * 3) / 7 % 2;
      uint8_t* pixel = image.row(y) + 3 * x;
      pixel[0] = static_cast<uint8_t>(40 + 170 * stripe);
      pixel[1] = static_cast<uint8_t>(7 * x % 256);
      pixel[2] = static_cast<uint8_t>((5 * y + 40 * seed) % 256);
    }
  }
  data::save_image(path, image);
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class TrainStylizer : public testing::Test {
 protected:
  TrainStylizer() {
    for (int i = 0; i < 5; ++i) {
      save_picture(folder_ / "content/kind" / (std::to_string(i) + ".png"), i + 1);
    }
    save_picture(folder_ / "style/one.png", 9);  // fewer than a batch
  }

  fs::path run_folder(const std::string& name) const { return folder_ / "runs" / name; }

  std::vector<std::string> arguments(const std::string& name,
                                     const std::vector<std::string>& more = {}) const {
    std::vector<std::string> flags = {"--content",    folder_ / "content",
                                      "--style",      folder_ / "style",
                                      "--output",     folder_ / "runs",
                                      "--name",       name,
                                      "--crop_size",  "24",
                                      "--batch_size", "2",
                                      "--workers",    "2",
                                      "--seed",       "3",
                                      "--device",     "cpu"};
    const auto add = [&](const char* flag, const char* value) {
      if (std::find(more.begin(), more.end(), flag) == more.end()) {
        flags.insert(flags.end(), {flag, value});
      }
    };
    add("--image_size", "32");
    add("--max_iter", "7");
    add("--lr", "1e-3");
    add("--save_every_steps", "1");
    add("--log_every_steps", "2");
    add("--sample_every_steps", "3");
    flags.insert(flags.end(), more.begin(), more.end());
    return flags;
  }

  TemporaryFolder folder_;
};

TEST_F(TrainStylizer, KilledAtRandomMomentsEndsInTheSameBits) {
  std::ofstream(folder_ / "content/kind/bad.png") << "no picture";
  const Clock::time_point begin = Clock::now();
  const ToolResult whole = run_tool("train_stylizer", arguments("whole"));
  ASSERT_EQ(whole.exit_code, 0) << whole.output;
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  EXPECT_TRUE(has(whole.output, "encoder: untrained VGG-19 with well-scaled random weights"))
      << whole.output;
  EXPECT_TRUE(has(whole.output, "skipped: ")) << whole.output;
  EXPECT_TRUE(has(whole.output, "bad.png")) << whole.output;

  run_killed("train_stylizer", arguments("killed"), run_folder("killed") / "checkpoint.safetensors",
             seconds);
  expect_same_files(
      run_folder("whole"), run_folder("killed"),
      {"checkpoint.safetensors", "decoder.safetensors", "metrics.csv", "samples/step_000003.jpg",
       "samples/step_000006.jpg", "samples/step_000007.jpg"});
  const std::string csv = read_text(run_folder("whole") / "metrics.csv");
  EXPECT_TRUE(csv.starts_with("step,learning_rate,loss,content_loss,style_loss\n2,")) << csv;
  EXPECT_TRUE(has(csv, "\n6,")) << csv;
  EXPECT_TRUE(has(csv, "\n7,")) << csv;  // the last row is shorter than the others
}

TEST_F(TrainStylizer, LearnsAndFitsStylizeImages) {
  const ToolResult result =
      run_tool("train_stylizer",
               arguments("learns", {"--image_size", "24", "--max_iter", "60", "--lr", "1e-4",
                                    "--save_every_steps", "0", "--log_every_steps", "10"}));
  ASSERT_EQ(result.exit_code, 0) << result.output;
  const fs::path folder = run_folder("learns");
  std::ifstream csv(folder / "metrics.csv");
  std::string line;
  std::vector<double> losses;
  for (std::getline(csv, line); std::getline(csv, line);) {
    const size_t second = line.find(',', line.find(',') + 1);
    losses.push_back(std::stod(line.substr(second + 1)));
  }
  ASSERT_EQ(losses.size(), 6u);
  EXPECT_LT(losses.back(), 0.5 * losses.front());  // the crop is always the same
  EXPECT_TRUE(fs::exists(folder / "curves.png"));
  const auto config = tools::read_json(folder / "config.json");
  EXPECT_EQ(config["settings"]["vgg"], "untrained");
  EXPECT_EQ(config["settings"]["style_weight"], 10);

  const ToolResult use =
      run_tool("stylize_images", {"--content", folder_ / "content", "--style", folder_ / "style",
                                  "--decoder", folder / "decoder.safetensors", "--output",
                                  folder_ / "out", "--content_size", "0", "--device", "cpu"});
  EXPECT_EQ(use.exit_code, 0) << use.output;
  EXPECT_TRUE(has(use.output, "5 made")) << use.output;
}

TEST_F(TrainStylizer, AnInterruptedRunSavesAndGoesOnWithTheSameSettingsAlone) {
  const std::vector<std::string> seldom = {"--save_every_steps", "0",   "--sample_every_steps", "0",
                                           "--max_iter",         "2000"};
  std::vector<std::string> flags = arguments("stopped", seldom);
  const fs::path csv = run_folder("stopped") / "metrics.csv";
  // A row after the header.
  const auto has_row = [&] { return fs::exists(csv) && has(read_text(csv), "\n2,"); };
  const ToolResult first = run_tool("train_stylizer", flags, has_row);
  ASSERT_EQ(first.exit_code, 130) << first.output;
  flags.push_back("--resume");
  const std::string before = read_text(csv);
  const ToolResult second =
      run_tool("train_stylizer", flags, [&] { return read_text(csv).size() > before.size(); });
  EXPECT_EQ(second.exit_code, 130) << second.output;
  EXPECT_TRUE(read_text(csv).starts_with(before));
  EXPECT_FALSE(has(second.output, "continues after step 0\n")) << second.output;
  const std::vector<std::string> same = flags;
  *std::find(flags.begin(), flags.end(), "1e-3") = "2e-3";
  const ToolResult third = run_tool("train_stylizer", flags);
  EXPECT_EQ(third.exit_code, 1);
  EXPECT_TRUE(has(third.output, "--lr was 0.001, is now 0.002")) << third.output;
  save_picture(folder_ / "style/two.png", 4);
  const ToolResult fourth = run_tool("train_stylizer", same);
  EXPECT_EQ(fourth.exit_code, 1);
  EXPECT_TRUE(has(fourth.output, "style' had 1 image when the run began, has 2 now"))
      << fourth.output;
  GESTALT_NEEDS_HASHES();
  // The same pictures elsewhere are as good.
  fs::remove(folder_ / "style/two.png");
  fs::rename(folder_ / "style", folder_ / "moved");
  std::vector<std::string> moved = same;
  *(std::find(moved.begin(), moved.end(), "--style") + 1) = folder_ / "moved";
  const std::string so_far = read_text(csv);
  const ToolResult fifth =
      run_tool("train_stylizer", moved, [&] { return read_text(csv).size() > so_far.size(); });
  EXPECT_EQ(fifth.exit_code, 130) << fifth.output;
}

TEST_F(TrainStylizer, AFinishedRunGoesOnWithMoreSteps) {
  ASSERT_EQ(run_tool("train_stylizer", arguments("whole", {"--max_iter", "6"})).exit_code, 0);
  ASSERT_EQ(run_tool("train_stylizer", arguments("longer", {"--max_iter", "4"})).exit_code, 0);
  const auto longer = [&](const char* steps) {
    return run_tool("train_stylizer", arguments("longer", {"--max_iter", steps, "--resume"}));
  };
  const ToolResult result = longer("6");
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_TRUE(has(result.output, "continues after step 4\n")) << result.output;
  expect_same_files(run_folder("whole"), run_folder("longer"),
                    {"checkpoint.safetensors", "decoder.safetensors", "metrics.csv"});
  const ToolResult shorter = longer("5");
  EXPECT_EQ(shorter.exit_code, 1);
  EXPECT_EQ(shorter.output,
            "train_stylizer: --resume: the run has 6 steps already; give no smaller --max_iter "
            "than that\n");
}

std::ptrdiff_t event_files(const fs::path& folder) {
  return std::count_if(fs::directory_iterator(folder), {}, [](const fs::directory_entry& each) {
    return each.path().filename().string().starts_with("events.");
  });
}

TEST_F(TrainStylizer, AFinishedRunIsDrawnAgainAndLeftAsItIs) {
  const std::vector<std::string> flags = arguments("done", {"--max_iter", "4"});
  ASSERT_EQ(run_tool("train_stylizer", flags).exit_code, 0);
  const fs::path folder = run_folder("done");
  const std::string metrics = read_text(folder / "metrics.csv");
  fs::remove(folder / "curves.gp");
  const ToolResult again =
      run_tool("train_stylizer", arguments("done", {"--max_iter", "4", "--resume"}));
  EXPECT_EQ(again.exit_code, 0) << again.output;
  EXPECT_TRUE(has(again.output, "done is finished\n")) << again.output;
  EXPECT_TRUE(fs::exists(folder / "curves.gp"));
  EXPECT_EQ(read_text(folder / "metrics.csv"), metrics);
  EXPECT_EQ(event_files(folder), 1);
}

TEST_F(TrainStylizer, ARunThatIsToEndWhereItWasInterruptedHasAllItsFiles) {
  const fs::path checkpoint = run_folder("parts") / "checkpoint.safetensors";
  const auto steps = [&] {
    for (const NamedTensor& entry : read_checkpoint(checkpoint.string()).tensors) {
      if (entry.name == "position.step") return static_cast<int>(entry.tensor.item());
    }
    return 0;
  };
  const std::vector<std::string> rare = {"--log_every_steps", "500", "--sample_every_steps", "0"};
  const auto flags = [&](const std::string& name, const std::string& count) {
    std::vector<std::string> more = rare;
    more.insert(more.end(), {"--max_iter", count});
    return arguments(name, more);
  };
  const ToolResult first = run_tool("train_stylizer", flags("parts", "1000"),
                                    [&] { return fs::exists(checkpoint) && steps() > 1; });
  ASSERT_EQ(first.exit_code, 130) << first.output;
  const std::string count = std::to_string(steps());
  std::vector<std::string> rest = flags("parts", count);
  rest.push_back("--resume");
  const ToolResult second = run_tool("train_stylizer", rest);
  ASSERT_EQ(second.exit_code, 0) << second.output;
  ASSERT_EQ(run_tool("train_stylizer", flags("whole", count)).exit_code, 0);
  expect_same_files(run_folder("whole"), run_folder("parts"),
                    {"checkpoint.safetensors", "decoder.safetensors", "metrics.csv",
                     fmt::format("samples/step_{:06}.jpg", steps())});
}

TEST_F(TrainStylizer, LearnsToInvertTheEncoder) {
  const ToolResult result = run_tool(
      "train_stylizer",
      arguments("inverse", {"--content_weight", "0", "--style_weight", "0",
                            "--reconstruction_weight", "10", "--image_size", "24", "--max_iter",
                            "40", "--save_every_steps", "0", "--log_every_steps", "10"}));
  ASSERT_EQ(result.exit_code, 0) << result.output;
  std::istringstream csv(read_text(run_folder("inverse") / "metrics.csv"));
  std::string line;
  std::getline(csv, line);
  EXPECT_EQ(line, "step,learning_rate,loss,reconstruction_loss");
  std::vector<double> errors;
  while (std::getline(csv, line)) {
    const size_t last = line.rfind(','), before = line.rfind(',', last - 1);
    errors.push_back(std::stod(line.substr(last + 1)));
    EXPECT_NEAR(std::stod(line.substr(before + 1)), 10 * errors.back(), 1e-4);
  }
  ASSERT_EQ(errors.size(), 4u);
  EXPECT_LT(errors.back(), 0.7 * errors.front());
}

TEST_F(TrainStylizer, ALossThatIsNotFiniteStopsIt) {
  Generator generator(1);
  StateDict weights = models::make_adain_decoder(generator)->state_dict();
  const std::string file = folder_ / "decoder.safetensors";
  const auto run_with = [&](double value) {
    weights[0].tensor.fill_(value);
    write_safetensors(file, weights);
    return run_tool("train_stylizer", arguments("nan", {"--decoder", file}));
  };
  const ToolResult bad = run_with(INFINITY);
  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_EQ(bad.output, "train_stylizer: '" + file + "': " + weights[0].name +
                            " holds values that are not finite\n");
  EXPECT_FALSE(fs::exists(run_folder("nan")));
  const ToolResult result = run_with(3e38);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(has(result.output, "in step 1; the last checkpoint stays")) << result.output;
  EXPECT_TRUE(fs::exists(run_folder("nan") / "checkpoint.safetensors"));
}

// The loss of the step that spoils the weights is still finite.
TEST_F(TrainStylizer, WeightsThatAreNotFiniteAreInNoFile) {
  const ToolResult result =
      run_tool("train_stylizer", arguments("spoilt", {"--lr", "1e39", "--save_every_steps", "1"}));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(has(result.output, "is not finite after step 1; the last checkpoint stays"))
      << result.output;
  const std::string kept = run_folder("spoilt") / "checkpoint.safetensors";
  for (const NamedTensor& entry : read_checkpoint(kept).tensors) {
    for (const double value : entry.tensor.to_vector<double>()) {
      ASSERT_TRUE(std::isfinite(value)) << entry.name;
    }
  }
}

TEST_F(TrainStylizer, BadInputIsOneLine) {
  const auto fails = [&](const std::vector<std::string>& more, const std::string& reason,
                         int exit_code = 1) {
    std::vector<std::string> flags = arguments("failed", more);
    const auto given = std::find(flags.begin(), flags.end(), more[0]);
    if (given - flags.begin() < static_cast<std::ptrdiff_t>(flags.size() - more.size())) {
      flags.erase(given, given + 2);
    }
    const ToolResult result = run_tool("train_stylizer", flags);
    EXPECT_EQ(result.exit_code, exit_code) << result.output;
    EXPECT_TRUE(has(result.output, reason)) << result.output;
    EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1) << result.output;
    EXPECT_FALSE(fs::exists(run_folder("failed")));
  };
  fs::create_directories(folder_ / "empty");
  fs::create_directories(folder_ / "bad");
  std::ofstream(folder_ / "bad/a.png") << "no picture";
  fails({"--style", folder_ / "empty"}, "empty': no images in it or below");
  fails({"--content", folder_ / "nowhere"}, "nowhere");
  fails({"--style", folder_ / "bad"}, "none of the pictures can be read");
  fails({"--vgg", folder_ / "bad/a.png"}, "a.png");
  fails({"--decoder", folder_ / "nowhere"}, "nowhere");
  fails({"--crop_size", "40"}, "--crop_size must be at most --image_size (32), got 40", 2);
  fails({"--crop_size", "8"}, "--crop_size: must be 9 to 4096, got 8", 2);
  fails({"--name", "a/b"}, "--name: must be of letters, digits, '_' and '-', got 'a/b'", 2);
  fails({"--style_weight", "0", "--content_weight", "0"}, "must not all be 0", 2);
  fails({"--resume"}, "no run to go on with");
  for (const char* set : {"content", "style"}) {
    fails({"--output", folder_ / set}, "whose images are taken: give one outside", 2);
    EXPECT_FALSE(fs::exists(folder_ / set / "failed"));
  }
}

}  // namespace
}  // namespace gestalt::tests
