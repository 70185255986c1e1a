// The tool as a user runs it, with random weights: which pictures are made, and of what.

#include <algorithm>
#include <cmath>
#include <csignal>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <set>
#include <unistd.h>

#include "data/dataset.h"
#include "data/encode.h"
#include "data/image.h"
#include "kernels/error.h"
#include "models/fastgan_checkpoint.h"
#include "tensor/context.h"
#include "tensor/io/checkpoint.h"
#include "tensor/ops/arithmetic.h"
#include "tests/processes.h"
#include "tests/source_folder.h"
#include "tests/tools/run_tool.h"
#include "tools/common/folder_lock.h"
#include "tools/common/json_file.h"
#include "tools/sampling/sampling.h"

namespace gestalt::tests {
namespace {

namespace fs = std::filesystem;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class SampleFewshotGan : public testing::Test {
 protected:
  void SetUp() override {
    models::FastGanOptions options{.image_size = 32, .latent_size = 8, .base_channels = 8};
    models::set_sparse(options, "16_10", "TopKMaskHW");
    Generator random(1);
    models::FastGanGenerator generator(options, random);
    StateDict all = {{"iter", Tensor::from_vector<int64_t>({500}, {1})}};
    for (const NamedTensor& entry : generator.state_dict()) {
      all.push_back({"g." + entry.name, entry.tensor});
    }
    write_safetensors(without_average_, all, models::fastgan_metadata(options));
    for (const auto& entry : generator.named_parameters()) {
      all.push_back({"g_ema." + entry.name,
                     random.normal(entry.tensor->shape(), 0, 0.05) + entry.tensor->detach()});
    }
    write_safetensors(checkpoint_, all, models::fastgan_metadata(options));
  }

  ToolResult sample(std::vector<std::string> more, const std::string& output = "out") {
    std::vector<std::string> arguments = {"-o", folder_ / output, "--device", "cpu"};
    if (std::find(more.begin(), more.end(), "--ckpt") == more.end()) {
      arguments.insert(arguments.end(), {"--ckpt", checkpoint_});
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_tool("sample_fewshot_gan", arguments);
  }

  std::vector<std::string> pictures(const std::string& output) const {
    std::vector<std::string> contents;
    const fs::path images = folder_ / output / "images";
    for (int i = 0; fs::exists(images / format("00000{}.png", i)); ++i) {
      contents.push_back(read_text(images / format("00000{}.png", i)));
    }
    return contents;
  }

  static std::string published(const std::string& name) {
    return (source_folder() / "tests/fixtures/fastgan" / name).string();
  }

  const TemporaryFolder folder_;
  const std::string checkpoint_ = folder_ / "checkpoint.safetensors";
  const std::string without_average_ = folder_ / "without_average.safetensors";
};

TEST_F(SampleFewshotGan, RunningStatisticsGiveTheSamePicturesInEveryBatch) {
  ToolResult result = sample({"--n_sample", "5", "--batch_size", "1"}, "one");
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_TRUE(has(result.output, "32x32 after 500 steps, ema weights, Top-K 16_10 (TopKMaskHW)"))
      << result.output;
  EXPECT_TRUE(has(result.output, "5 pictures in ")) << result.output;
  ASSERT_EQ(sample({"--n_sample", "5", "--batch_size", "4", "--threads", "2"}, "four").exit_code,
            0);
  const auto one = pictures("one");
  ASSERT_EQ(one.size(), 5u);
  EXPECT_EQ(one, pictures("four"));
  EXPECT_NE(one[0], one[1]);
  const data::Image image = data::decode_image(folder_ / "one" / "images/000003.png");
  EXPECT_EQ(image.height, 32);
  EXPECT_EQ(image.width, 32);
  EXPECT_TRUE(fs::exists(folder_ / "one" / "grid.png"));

  ASSERT_EQ(sample({"--n_sample", "2"}, "two").exit_code, 0);
  EXPECT_EQ(pictures("two"), std::vector<std::string>(one.begin(), one.begin() + 2));
  ASSERT_EQ(sample({"--n_sample", "2", "--seed", "9"}, "seed").exit_code, 0);
  EXPECT_NE(pictures("seed")[0], one[0]);
  ASSERT_EQ(sample({"--n_sample", "2", "--weights", "last"}, "last").exit_code, 0);
  EXPECT_NE(pictures("last")[0], one[0]);

  const auto config = tools::read_json(folder_ / "one" / "config.json");
  EXPECT_EQ(config["settings"]["sparse_hw_info"], "16_10");
  EXPECT_EQ(config["settings"]["statistics"], "running");
}

TEST_F(SampleFewshotGan, BatchStatisticsAreThoseOfWholeBatches) {
  ASSERT_EQ(
      sample({"--n_sample", "4", "--statistics", "batch", "--batch_size", "4"}, "four").exit_code,
      0);
  ASSERT_EQ(
      sample({"--n_sample", "2", "--statistics", "batch", "--batch_size", "4"}, "two").exit_code,
      0);
  ASSERT_EQ(
      sample({"--n_sample", "2", "--statistics", "batch", "--batch_size", "2"}, "small").exit_code,
      0);
  ASSERT_EQ(sample({"--n_sample", "2"}, "running").exit_code, 0);
  const auto four = pictures("four"), two = pictures("two");
  ASSERT_EQ(four.size(), 4u);
  EXPECT_EQ(two, std::vector<std::string>(four.begin(), four.begin() + 2));
  EXPECT_NE(two, pictures("small"));
  EXPECT_NE(two, pictures("running"));
}

TEST_F(SampleFewshotGan, PackedHoldsThePixelsOfThePngs) {
  ASSERT_EQ(sample({"--n_sample", "3", "--format", "packed", "--grid", "0"}).exit_code, 0);
  ASSERT_EQ(sample({"--n_sample", "3"}, "png").exit_code, 0);
  EXPECT_FALSE(fs::exists(folder_ / "out" / "grid.png"));
  EXPECT_FALSE(fs::exists(folder_ / "out" / "images"));
  const auto packed = data::open_images(folder_ / "out" / "samples.safetensors");
  const auto png = data::open_images(folder_ / "png" / "images");
  ASSERT_EQ(packed->size(), 3);
  for (int64_t i = 0; i < 3; ++i) {
    const auto a = packed->open(i), b = png->open(i);
    const data::ImageView pixels = a->decode({.width = 32, .height = 32}),
                          expected = b->decode({.width = 32, .height = 32});
    for (int y = 0; y < 32; ++y) {
      ASSERT_TRUE(std::equal(pixels.row(y), pixels.row(y) + 96, expected.row(y)));
    }
  }
}

// Whatever form it had: measure_fid takes what it finds.
TEST_F(SampleFewshotGan, NothingOfAnEarlierRunStays) {
  const fs::path out = folder_ / "out";
  ASSERT_EQ(sample({"--n_sample", "2"}).exit_code, 0);
  ASSERT_TRUE(fs::exists(out / "grid.png"));
  const std::vector<std::string> packed = {"--n_sample", "2", "--format", "packed", "--grid", "0"};
  EXPECT_EQ(sample(packed).exit_code, 1);
  std::vector<std::string> again = packed;
  again.push_back("--overwrite");
  ASSERT_EQ(sample(again).exit_code, 0);
  EXPECT_FALSE(fs::exists(out / "grid.png"));
  EXPECT_TRUE(fs::is_empty(out / "images"));
  const ToolResult refused = sample(packed);
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.output.find("samples.safetensors' is there already"), std::string::npos)
      << refused.output;
  ASSERT_EQ(sample({"--n_sample", "2", "--overwrite"}).exit_code, 0);
  EXPECT_FALSE(fs::exists(out / "samples.safetensors"));
}

TEST_F(SampleFewshotGan, InterpolatesFromLatentToLatent) {
  ASSERT_EQ(sample({"--n_sample", "3", "--interpolate", "2"}, "between").exit_code, 0);
  ASSERT_EQ(sample({"--n_sample", "3"}, "stations").exit_code, 0);
  const auto between = pictures("between"), stations = pictures("stations");
  ASSERT_EQ(between.size(), 5u);
  EXPECT_EQ(between[0], stations[0]);
  EXPECT_EQ(between[2], stations[1]);
  EXPECT_EQ(between[4], stations[2]);
  EXPECT_NE(between[1], stations[0]);
}

TEST_F(SampleFewshotGan, TakesThePublishedCodesCheckpoints) {
  const ToolResult result = run_tool(
      "sample_fewshot_gan", {"--ckpt", published("numbered.pth"), "-o", folder_ / "out",
                             "--n_sample", "1", "--sparse_hw_info", "32_5", "--device", "cpu"});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_TRUE(has(result.output, "256x256 after 12000 steps, ema weights, Top-K 32_5"))
      << result.output;
  EXPECT_FALSE(has(result.output, "does not tell")) << result.output;
  const data::Image image = data::decode_image(folder_ / "out" / "images/000000.png");
  EXPECT_EQ(image.height, 256);
}

TEST_F(SampleFewshotGan, APublishedCheckpointDoesNotTellItsSparsity) {
  const ToolResult result =
      run_tool("sample_fewshot_gan", {"--ckpt", published("named.pth"), "-o", folder_ / "out",
                                      "--n_sample", "1", "--device", "cpu", "--quiet"});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_EQ(result.output, "warning: '" + published("named.pth") +
                               "' does not tell where the network was sparse: taken as none; "
                               "--sparse_hw_info says otherwise\n");
  const auto settings = tools::read_json(folder_ / "out" / "config.json")["settings"];
  EXPECT_EQ(settings["sparsity_known"], false);
}

// The sigmoid of the excitations is in no name: the same weights make other pictures without it.
TEST_F(SampleFewshotGan, APublishedCheckpointIsTakenForThatOfItsCode) {
  const auto pictures_of = [&](const std::string& name, const std::vector<std::string>& more) {
    static int number = 0;
    const std::string output = "out" + std::to_string(number++);
    std::vector<std::string> arguments = {
        "--ckpt", published(name), "-o",  folder_ / output,   "--n_sample",
        "1",      "--device",      "cpu", "--sparse_hw_info", "32_5"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ToolResult result = run_tool("sample_fewshot_gan", arguments);
    EXPECT_EQ(result.exit_code, 0) << result.output;
    const auto config = tools::read_json(folder_ / output / "config.json");
    return std::pair(result.output, config["settings"]["excitation"].get<std::string>());
  };
  const auto [output, excitation] = pictures_of("named.pth", {});
  EXPECT_EQ(excitation, "linear");
  EXPECT_TRUE(has(output, "excitation linear, ")) << output;
  EXPECT_TRUE(has(output,
                  "seems to be of the published code with Top-K, so its excitation is taken "
                  "as linear; --excitation says otherwise"))
      << output;
  const auto [given_output, given] = pictures_of("named.pth", {"--excitation", "sigmoid"});
  EXPECT_EQ(given, "sigmoid");
  EXPECT_FALSE(has(given_output, "seems to be")) << given_output;
  EXPECT_EQ(pictures_of("noisy.pth", {}).second, "sigmoid");
}

struct BadInput {
  std::vector<std::string> arguments;
  int exit_code;
  std::string reason;
};

TEST_F(SampleFewshotGan, BadInputIsOneClearLineAndWritesNothing) {
  const std::vector<BadInput> cases = {
      {{"--im_size", "256"}, 1, "is of --im_size 32, not 256: give --im_size 32"},
      {{"--nz", "256"}, 1, "is of --nz 8, not 256: give --nz 8"},
      {{"--noise"}, 1, "leave --noise out"},
      {{"--excitation", "linear"}, 1, "is of --excitation sigmoid, not linear: give --excitation "},
      {{"--sparse_hw_info", "8_5"},
       1,
       "is of --sparse_hw_info 16_10, not 8_5: give "
       "--sparse_hw_info 16_10"},
      {{"--sparse_hw_info", "16_10", "--sp_hw_policy_name", "TopKMaskHWMeanReplace"},
       1,
       "give --sp_hw_policy_name TopKMaskHW"},
      {{"--sp_hw_policy_name", "IdentityBase"}, 1, "give --sparse_hw_info 16_10"},
      {{"--sparse_hw_info", "8-16_5-6-7"}, 2, "2 levels and 3 percentages"},
      {{"--sparse_hw_info", "16_0"}, 2, "above 0"},
      {{"--ckpt", published("named.pth"), "--sparse_hw_info", "48_5"},
       1,
       "no Top-K at resolution 48"},
      {{"--ckpt", published("other.pth")}, 1, "it has no generator 'g'"},
      {{"--ckpt", folder_ / "nowhere.pth"}, 1, "nowhere.pth"},
      {{"--ckpt", without_average_}, 1, "give --generator last"},
      {{"--statistics", "batch", "--batch_size", "1"}, 2, "2 or more"},
      {{"--statistics", "sometimes"}, 2, "sometimes"},
      {{"--interpolate", "4", "--n_sample", "1"}, 2, "two latents"},
      {{"--n_sample", "0"}, 2, "1 or more"},
  };
  for (const BadInput& bad : cases) {
    std::vector<std::string> all = {"-o", folder_ / "bad", "--device", "cpu"};
    for (const char* flag : {"--ckpt", "--n_sample"}) {
      if (std::find(bad.arguments.begin(), bad.arguments.end(), flag) == bad.arguments.end()) {
        all.insert(all.end(), {flag, std::string(flag) == "--ckpt" ? checkpoint_ : "2"});
      }
    }
    all.insert(all.end(), bad.arguments.begin(), bad.arguments.end());
    const ToolResult result = run_tool("sample_fewshot_gan", all);
    EXPECT_EQ(result.exit_code, bad.exit_code) << result.output;
    EXPECT_TRUE(has(result.output, bad.reason)) << "wanted: " << bad.reason << "\n"
                                                << result.output;
    EXPECT_FALSE(fs::exists(folder_ / "bad")) << bad.reason;
  }
}

TEST_F(SampleFewshotGan, AnInterruptLeavesWholePicturesAndNoPackedFile) {
  ASSERT_EQ(sample({"--n_sample", "8"}, "whole").exit_code, 0);
  const auto interrupted = [&](const std::string& format, const std::string& sign) {
    const fs::path folder = folder_ / format;
    return run_tool("sample_fewshot_gan",
                    {"--ckpt", checkpoint_, "-o", folder, "--n_sample", "1000000", "--format",
                     format, "--device", "cpu"},
                    [=] { return fs::exists(folder / sign); });
  };
  const ToolResult files = interrupted("png", "images/000003.png");
  EXPECT_EQ(files.exit_code, 130) << files.output;
  const size_t place = files.output.find("interrupted after ");
  ASSERT_NE(place, std::string::npos) << files.output;
  const int made = std::stoi(files.output.substr(place + 18));
  EXPECT_TRUE(has(files.output, " of 1000000 pictures")) << files.output;
  EXPECT_GE(made, 4);
  const fs::path images = folder_ / "png/images";
  EXPECT_EQ(std::distance(fs::directory_iterator(images), fs::directory_iterator()), made);
  for (const auto& file : fs::directory_iterator(images)) {
    EXPECT_EQ(data::decode_image(file.path()).width, 32) << file.path();
  }
  const auto whole = pictures("whole"), part = pictures("png");
  for (size_t i = 0; i < std::min(whole.size(), part.size()); ++i) EXPECT_EQ(whole[i], part[i]);

  const ToolResult packed = interrupted("packed", "config.json");
  EXPECT_EQ(packed.exit_code, 130) << packed.output;
  std::set<std::string> left;
  for (const auto& file : fs::directory_iterator(folder_ / "packed")) {
    left.insert(file.path().filename().string());
  }
  EXPECT_EQ(left, (std::set<std::string>{".lock", "config.json"}));
}

TEST_F(SampleFewshotGan, PicturesOfAnEarlierRunAreNotMixedIn) {
  ASSERT_EQ(sample({"--n_sample", "3"}).exit_code, 0);
  const ToolResult refused = sample({"--n_sample", "2"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_TRUE(has(refused.output, "holds 3 pictures already")) << refused.output;
  EXPECT_EQ(pictures("out").size(), 3u);
  ASSERT_EQ(sample({"--n_sample", "2", "--overwrite"}).exit_code, 0);
  EXPECT_EQ(pictures("out").size(), 2u);
}

// --overwrite would take the pictures of another that is at work.
TEST_F(SampleFewshotGan, AFolderInUseIsRefused) {
  ASSERT_EQ(sample({"--n_sample", "3"}).exit_code, 0);
  const tools::FolderLock lock(folder_ / "out");
  const ToolResult refused = sample({"--n_sample", "2", "--overwrite", "--quiet"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_EQ(refused.output,
            format("sample_fewshot_gan: '{}' is in use: process {} is running there\n",
                   (folder_ / "out").string(), getpid()));
  EXPECT_EQ(pictures("out").size(), 3u);
}

TEST_F(SampleFewshotGan, AnInterruptBeforeTheFirstPictureLeavesTheEarlierOnes) {
  ASSERT_EQ(sample({"--n_sample", "3"}).exit_code, 0);
  tools::SamplingSettings settings;
  settings.checkpoint = checkpoint_;
  settings.output = folder_ / "out";
  settings.overwrite = true;
  tools::CommonOptions common;
  common.quiet = true;
  const int code = ends([&] {
    set_num_threads(1);  // the parent's threads are not here
    tools::catch_interrupts();
    std::raise(SIGINT);
    try {
      return tools::sample(settings, common);
    } catch (const tools::Interrupted&) {
      return int{tools::exit_interrupted};
    }
  });
  EXPECT_EQ(code, 130);
  EXPECT_EQ(pictures("out").size(), 3u);
  EXPECT_TRUE(fs::exists(folder_ / "out/grid.png"));
}

TEST_F(SampleFewshotGan, WeightsThatAreNotFiniteMakeNoPictures) {
  StateDict all = read_checkpoint(checkpoint_).tensors;
  const auto spoil = [&](const std::string& name) {
    for (NamedTensor& entry : all) {
      if (entry.name == name) entry.tensor = Tensor::full(entry.tensor.shape(), NAN);
    }
  };
  const std::string name = all.back().name;  // of the average
  spoil(name);
  const std::string file = folder_ / "nan.safetensors";
  write_safetensors(file, all, read_checkpoint(checkpoint_).metadata);
  const ToolResult result = sample({"--ckpt", file, "--quiet"}, "nan");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.output, format("sample_fewshot_gan: '{}': {} holds values that are not finite\n",
                                  file, name.substr(name.find('.') + 1)));
  EXPECT_FALSE(fs::exists(folder_ / "nan"));
  EXPECT_EQ(sample({"--ckpt", file, "--generator", "last"}).exit_code, 0);  // takes others

  for (NamedTensor& entry : all) {
    if (entry.tensor.rank() == 4) entry.tensor = Tensor::full(entry.tensor.shape(), 3e38);
  }
  write_safetensors(file, all, read_checkpoint(checkpoint_).metadata);
  const ToolResult overflow = sample({"--ckpt", file, "--weights", "last"}, "overflow");
  EXPECT_EQ(overflow.exit_code, 1);
  EXPECT_TRUE(has(overflow.output, "': pictures would hold values that are not finite"))
      << overflow.output;
  EXPECT_TRUE(pictures("overflow").empty());
}

}  // namespace
}  // namespace gestalt::tests
