// train_fewshot_gan from end to end, small.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <random>

#include "data/encode.h"
#include "kernels/error.h"
#include "models/fastgan_checkpoint.h"
#include "tensor/io/safetensors.h"
#include "tests/source_folder.h"
#include "tests/tools/fewshot_fixture.h"
#include "tests/tools/hashes.h"
#include "tests/tools/killed_run.h"
#include "tests/tools/run_tool.h"
#include "tools/common/json_file.h"

namespace gestalt::tests {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

void expect_same_run(const fs::path& a, const fs::path& b) {
  expect_same_files(
      a, b, {"checkpoint.safetensors", "best.safetensors", "metrics.csv", "evaluations.csv"});
}

int count_lines(const std::string& text) {
  return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

TEST_F(TrainFewshotGan, WritesEverything) {
  Flags all = flags("whole");
  set(all, "--im_size", "64");
  set(all, "--sparse_hw_info", "32_5");
  set(all, "--eval_every", "4");
  set(all, "--n_eval_draws", "2");
  set(all, "--compat", "none");
  const ToolResult result = run_tool("train_fewshot_gan", all);
  ASSERT_EQ(result.exit_code, 0) << result.output;
  const fs::path folder = run("whole");

  const std::string log = read_text(folder / "log.txt");
  for (const char* text :
       {"5 images at 64x64 on cpu, TopKMaskHW 32_5", "perceptual loss: untrained VGG-16",
        "FID(untrained), KID(untrained): untrained Inception-v3",
        "step 2/6 GAN: loss d: ", "    loss g: ", "step 4: FID(untrained) ",
        "(2 draws of 2, range [0,255], running statistics)", "paper-compatible FID(untrained) ",
        "KID's subsets are of 2", "step 6: FID(untrained)",
        "--sparse_layer_loss_weight has no effect"}) {
    EXPECT_NE(log.find(text), std::string::npos) << text << "\n" << log;
  }
  const std::string losses = read_text(folder / "metrics.csv");
  EXPECT_EQ(losses.substr(0, losses.find('\n')),
            "step,loss_d_real,loss_d_reconstruction,loss_d_fake,loss_g");
  EXPECT_EQ(count_lines(losses), 4) << losses;
  EXPECT_NE(losses.find("\n6,"), std::string::npos) << losses;
  const std::string figures = read_text(folder / "evaluations.csv");
  EXPECT_EQ(figures.substr(0, figures.find('\n')),
            "step,untrained_fid,untrained_fid_deviation,untrained_kid,untrained_kid_deviation,"
            "untrained_fid_paper,untrained_kid_paper");
  EXPECT_EQ(count_lines(figures), 3) << figures;

  const auto config = tools::read_json(folder / "config.json");
  EXPECT_NE(config["settings"]["figure_network"].get<std::string>().find("untrained"),
            std::string::npos);
  EXPECT_EQ(config["settings"]["figure_network_weights"], "untrained");
  EXPECT_EQ(config["settings"]["n_sample"], 2);
  const data::Image samples = data::decode_image(folder / "samples/0000004.jpg");
  EXPECT_EQ(samples.width, 8 * 130 - 2);  // 64 pixels and 32 are shown as 128
  EXPECT_EQ(samples.height, 4 * 130 - 2);
  const data::Image rebuilt = data::decode_image(folder / "reconstructions/0000006.jpg");
  EXPECT_EQ(rebuilt.width, 5 * 130 - 2);
  EXPECT_EQ(rebuilt.height, 5 * 130 - 2);
  EXPECT_TRUE(fs::exists(folder / "curves.gp"));

  const auto checkpoint =
      models::read_fastgan_checkpoint((folder / "checkpoint.safetensors").string());
  EXPECT_EQ(checkpoint.iterations, 6);
  EXPECT_EQ(checkpoint.options.image_size, 64);
  EXPECT_EQ(checkpoint.options.sparse.at(32), 0.05);
}

// With roll-backs on the way: the patience is one evaluation.
TEST_F(TrainFewshotGan, KilledAtRandomMomentsEndsInTheSameBits) {
  const auto long_run = [&](const std::string& name) {
    Flags all = flags(name);
    set(all, "--eval_every", "2");
    set(all, "--iter", "10");
    set(all, "--backup_scheduler_patience", "1");
    set(all, "--save_every_steps", "1");
    return all;
  };
  const Clock::time_point begin = Clock::now();
  const ToolResult whole = run_tool("train_fewshot_gan", long_run("whole"));
  ASSERT_EQ(whole.exit_code, 0) << whole.output;
  EXPECT_NE(whole.output.find("(roll-back 1)"), std::string::npos) << whole.output;
  double seconds = std::chrono::duration<double>(Clock::now() - begin).count();

  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> moment(0.3, 0.9);
  int kills = 0, exit_code = -1;
  for (int attempt = 0; attempt < 20 && (exit_code != 0 || kills == 0); ++attempt) {
    Flags part = long_run("killed");
    const bool resumes = kills > 0 && fs::exists(run("killed") / "checkpoint.safetensors");
    if (resumes) part.push_back("--resume");
    if (kills == 1) set(part, "--threads", "1");
    if (kills == 2) set(part, "--capture", "on");
    const Clock::time_point start = Clock::now();
    const double limit = seconds * moment(random);
    const bool kill = kills < 3;
    const ToolResult result = run_tool(
        "train_fewshot_gan", part,
        [&] { return kill && std::chrono::duration<double>(Clock::now() - start).count() > limit; },
        SIGKILL);
    exit_code = result.exit_code;
    if (exit_code == 128 + SIGKILL) ++kills;
    ASSERT_TRUE(exit_code == 0 || exit_code == 128 + SIGKILL) << result.output;
    // Other work had made the measured run slower than this one: sooner, and from the beginning.
    if (kills == 0) seconds /= 2;
  }
  EXPECT_EQ(exit_code, 0);
  EXPECT_GE(kills, 1);
  expect_same_run(run("whole"), run("killed"));
}

TEST_F(TrainFewshotGan, AnInterruptedRunSavesAndGoesOn) {
  const ToolResult whole = run_tool("train_fewshot_gan", flags("whole"));
  ASSERT_EQ(whole.exit_code, 0) << whole.output;
  const fs::path folder = run("interrupted");
  const ToolResult first = run_tool("train_fewshot_gan", flags("interrupted"),
                                    [&] { return fs::exists(folder / "checkpoint.safetensors"); });
  ASSERT_EQ(first.exit_code, 130) << first.output;
  const int64_t at =
      models::read_fastgan_checkpoint((folder / "checkpoint.safetensors").string()).iterations;
  char sheet[32];
  std::snprintf(sheet, sizeof sheet, "samples/%07ld.jpg", at);
  EXPECT_TRUE(fs::exists(folder / sheet)) << sheet;
  Flags again = flags("interrupted");
  again.push_back("--resume");
  const ToolResult second = run_tool("train_fewshot_gan", again);
  EXPECT_EQ(second.exit_code, 0) << second.output;
  expect_same_run(run("whole"), folder);
  const ToolResult third = run_tool("train_fewshot_gan", again);
  EXPECT_EQ(third.exit_code, 0);
  EXPECT_NE(third.output.find("is finished"), std::string::npos) << third.output;
  set(again, "--sparse_hw_info", "16_50");
  const ToolResult other = run_tool("train_fewshot_gan", again);
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_NE(other.output.find("--sparse_hw_info was \"16_25\", is now \"16_50\""),
            std::string::npos)
      << other.output;
}

TEST_F(TrainFewshotGan, AFinishedRunGoesOnWithMoreSteps) {
  Flags whole = flags("whole"), longer = flags("longer");
  for (Flags* each : {&whole, &longer}) set(*each, "--eval_every", "2");
  ASSERT_EQ(run_tool("train_fewshot_gan", whole).exit_code, 0);
  set(longer, "--iter", "4");
  ASSERT_EQ(run_tool("train_fewshot_gan", longer).exit_code, 0);
  longer.push_back("--resume");
  set(longer, "--iter", "6");
  const ToolResult result = run_tool("train_fewshot_gan", longer);
  ASSERT_EQ(result.exit_code, 0) << result.output;
  expect_same_run(run("whole"), run("longer"));
  set(longer, "--iter", "5");
  const ToolResult shorter = run_tool("train_fewshot_gan", longer);
  EXPECT_EQ(shorter.exit_code, 1);
  EXPECT_EQ(shorter.output,
            "train_fewshot_gan: --resume: the run has 6 steps already; give no smaller --iter than "
            "that\n");
}

TEST_F(TrainFewshotGan, ResumingWithOtherPicturesIsRefused) {
  Flags all = flags("pictures");
  set(all, "--iter", "1");
  ASSERT_EQ(run_tool("train_fewshot_gan", all).exit_code, 0);
  all.push_back("--resume");
  EXPECT_EQ(run_tool("train_fewshot_gan", all).exit_code, 0);
  const std::string path = folder_ / "data";
  const auto refused = [&](const std::string& reason) {
    const ToolResult result = run_tool("train_fewshot_gan", all);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(result.output, "train_fewshot_gan: --resume: " + reason + "\n");
  };
  const fs::path first = folder_ / "data/0.png", last = folder_ / "data/4.png";
  fs::copy_file(first, folder_ / "data/5.png");
  refused("'" + path + "' had 5 images when the run began, has 6 now");
  fs::remove(folder_ / "data/5.png");
  fs::rename(last, folder_ / "aside.png");
  refused("'" + path + "' had 5 images when the run began, has 4 now");
  GESTALT_NEEDS_HASHES();
  fs::copy_file(first, last);
  refused("images of '" + path + "' have changed since the run began");
  // The same ones elsewhere are as good.
  fs::rename(folder_ / "aside.png", last);
  fs::rename(folder_ / "data", folder_ / "moved");
  set(all, "--path", folder_ / "moved");
  EXPECT_EQ(run_tool("train_fewshot_gan", all).exit_code, 0);
}

// Not hours later, where it is to be rolled back.
TEST_F(TrainFewshotGan, AMissingBestStateIsFoundAtTheStart) {
  Flags all = flags("best");
  set(all, "--iter", "2");
  ASSERT_EQ(run_tool("train_fewshot_gan", all).exit_code, 0);
  const fs::path best = run("best") / "best.safetensors";
  fs::remove(best);
  set(all, "--iter", "4");
  all.push_back("--resume");
  const ToolResult result = run_tool("train_fewshot_gan", all);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.output, "train_fewshot_gan: --resume: '" + best.string() + "' is missing\n");
}

// A new run in its folder is not taken for a part of the earlier one, nor the other way round.
TEST_F(TrainFewshotGan, ANewRunReplacesAnEarlierOne) {
  Flags all = flags("again");
  const fs::path samples = run("again") / "samples";
  ASSERT_EQ(run_tool("train_fewshot_gan", all).exit_code, 0);
  ASSERT_TRUE(fs::exists(samples / "0000006.jpg"));
  std::ofstream(samples / "notes.txt") << "mine";
  set(all, "--iter", "2");
  ASSERT_EQ(run_tool("train_fewshot_gan", all).exit_code, 0);
  EXPECT_FALSE(fs::exists(samples / "0000006.jpg"));
  EXPECT_TRUE(fs::exists(samples / "0000002.jpg"));
  EXPECT_TRUE(fs::exists(samples / "notes.txt"));
  EXPECT_EQ(count_lines(read_text(run("again") / "evaluations.csv")), 2);
}

// It may be sampled from meanwhile; where the first is killed the folder is free.
TEST_F(TrainFewshotGan, ASecondRunInAFolderIsRefused) {
  Flags all = flags("shared");
  set(all, "--iter", "1000");
  const fs::path folder = run("shared"), checkpoint = folder / "checkpoint.safetensors";
  bool tried = false;
  const auto try_others = [&] {
    if (tried || !fs::exists(checkpoint)) return false;
    tried = true;
    Flags resumed = all;
    resumed.push_back("--resume");
    for (const Flags& second : {all, resumed}) {
      const ToolResult result = run_tool("train_fewshot_gan", second);
      EXPECT_EQ(result.exit_code, 1);
      const std::string owner = read_text(folder / ".lock");
      EXPECT_EQ(result.output, "train_fewshot_gan: '" + folder.string() + "' is in use: process " +
                                   owner.substr(0, owner.find(' ')) + " is running there\n");
    }
    const ToolResult samples =
        run_tool("sample_fewshot_gan", {"--ckpt", checkpoint, "--output", folder_ / "samples",
                                        "--n_sample", "1", "--quiet", "--device", "cpu"});
    EXPECT_EQ(samples.exit_code, 0) << samples.output;
    return true;
  };
  ASSERT_EQ(run_tool("train_fewshot_gan", all, try_others, SIGKILL).exit_code, 128 + SIGKILL);
  set(all, "--iter", "2");
  const ToolResult next = run_tool("train_fewshot_gan", all);
  EXPECT_EQ(next.exit_code, 0) << next.output;
}

// Losses are in the file as the training goes; those after the checkpoint of a killed run are
// written again, not twice.
TEST_F(TrainFewshotGan, LossesOutliveAKill) {
  Flags all = flags("killed");
  set(all, "--iter", "1000");
  set(all, "--log_every", "1");
  set(all, "--save_every_steps", "3");
  const fs::path losses = run("killed") / "metrics.csv";
  const fs::path link = folder_ / "metrics.csv";
  const auto last_step = [&] {
    const std::string text = fs::exists(losses) ? read_text(losses) : "";
    return count_lines(text) < 2 ? 0
                                 : std::stoi(text.substr(text.rfind('\n', text.size() - 2) + 1));
  };
  const auto at_step_5 = [&] {
    if (last_step() >= 1 && !fs::exists(link)) fs::create_hard_link(losses, link);
    return last_step() >= 5;
  };
  ASSERT_EQ(run_tool("train_fewshot_gan", all, at_step_5, SIGKILL).exit_code, 128 + SIGKILL);
  EXPECT_TRUE(fs::equivalent(losses, link));  // rows are appended, the file is not written anew
  const int seen = last_step();
  const auto saved =
      models::read_fastgan_checkpoint((run("killed") / "checkpoint.safetensors").string());
  EXPECT_GE(seen, saved.iterations);
  const std::string before = read_text(losses);
  EXPECT_EQ(count_lines(before), seen + 1);
  all.push_back("--resume");
  const ToolResult second =
      run_tool("train_fewshot_gan", all, [&] { return last_step() >= seen + 2; });
  EXPECT_EQ(second.exit_code, 130) << second.output;
  const std::string after = read_text(losses);
  EXPECT_EQ(after.substr(0, before.size()), before);
  EXPECT_EQ(count_lines(after), last_step() + 1);
}

TEST_F(TrainFewshotGan, ANoisyRunInBf16GoesOnToTheSameBits) {
  Flags whole = flags("whole"), parts = flags("parts");
  for (Flags* each : {&whole, &parts}) {
    each->push_back("--noise");
    set(*each, "--dtype", "bf16");
    set(*each, "--save_every_steps", "1");
  }
  ASSERT_EQ(run_tool("train_fewshot_gan", whole).exit_code, 0);
  const fs::path checkpoint = run("parts") / "checkpoint.safetensors";
  const ToolResult killed = run_tool(
      "train_fewshot_gan", parts,
      [&] {
        return fs::exists(checkpoint) &&
               models::read_fastgan_checkpoint(checkpoint.string()).iterations >= 2;
      },
      SIGKILL);
  ASSERT_EQ(killed.exit_code, 128 + SIGKILL) << killed.output;
  parts.push_back("--resume");
  ASSERT_EQ(run_tool("train_fewshot_gan", parts).exit_code, 0);
  expect_same_run(run("whole"), run("parts"));
  const auto config = tools::read_json(run("parts") / "config.json");
  EXPECT_EQ(config["settings"]["dtype"], "bf16");
  set(parts, "--dtype", "f32");
  const ToolResult other = run_tool("train_fewshot_gan", parts);
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_NE(other.output.find("--dtype was \"bf16\", is now \"f32\""), std::string::npos)
      << other.output;
}

TEST_F(TrainFewshotGan, ValuesThatAreNotFiniteStopItOrSendItBack) {
  Flags bad = flags("bad");
  set(bad, "--lr", "1e30");
  set(bad, "--log_every", "1");
  const ToolResult result = run_tool("train_fewshot_gan", bad);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.output.find("loss_g is nan in step 1 ("), std::string::npos) << result.output;
  EXPECT_NE(result.output.find(".weight_orig is not finite"), std::string::npos) << result.output;
  const auto kept =
      models::read_fastgan_checkpoint((run("bad") / "checkpoint.safetensors").string());
  EXPECT_EQ(kept.iterations, 0);
  for (const NamedTensor& entry : kept.generator) {
    for (const float value : entry.tensor.to_vector<float>()) ASSERT_TRUE(std::isfinite(value));
  }

  set(bad, "--on_nan", "rollback");
  Flags on = bad;
  on.push_back("--resume");
  const ToolResult resumed = run_tool("train_fewshot_gan", on);
  EXPECT_NE(resumed.output.find("(roll-back 3)"), std::string::npos) << resumed.output;

  // A step that ends in a roll-back is not evaluated: what there is then was not trained.
  set(bad, "--name", "back");
  set(bad, "--eval_every", "2");
  const ToolResult back = run_tool("train_fewshot_gan", bad);
  EXPECT_EQ(back.exit_code, 1);
  EXPECT_NE(back.output.find("(roll-back 3)"), std::string::npos) << back.output;
  EXPECT_NE(back.output.find("after 3 roll-backs"), std::string::npos) << back.output;
  EXPECT_EQ(back.output.find("step 2: "), std::string::npos) << back.output;
  EXPECT_FALSE(fs::exists(run("back") / "evaluations.csv"));
}

TEST_F(TrainFewshotGan, BadInputIsOneLine) {
  const auto fails = [&](const Flags& changes, const std::string& reason, int exit_code = 1) {
    static int number = 0;
    const std::string name = "bad" + std::to_string(number++);
    Flags all = flags(name);
    for (size_t i = 0; i < changes.size(); i += 2) set(all, changes[i], changes[i + 1]);
    const ToolResult result = run_tool("train_fewshot_gan", all);
    EXPECT_EQ(result.exit_code, exit_code) << result.output;
    EXPECT_NE(result.output.find(reason), std::string::npos) << result.output;
    EXPECT_EQ(count_lines(result.output), 1) << result.output;
    EXPECT_FALSE(fs::exists(run(name))) << name;
  };
  fs::create_directories(folder_ / "empty");
  fails({"--path", folder_ / "empty"}, "empty");
  fails({"--path", folder_ / "nowhere"}, "nowhere");
  write_pictures(folder_ / "one", 1);
  fails({"--path", folder_ / "one"}, "one readable image");
  fs::create_directories(folder_ / "broken");
  std::ofstream(folder_ / "broken/a.png") << "no picture";
  fails({"--path", folder_ / "broken"}, "a.png");
  fails({"--im_size", "48"}, "--im_size: 48 not in {32,64,128,256,512,1024}", 2);
  fails({"--sparse_hw_info", "16-32_10-5-3"}, "2 levels and 3 percentages", 2);
  fails({"--sparse_hw_info", "64_5"}, "no Top-K at resolution 64", 2);
  fails({"--sparse_hw_info", "x"}, "--sparse_hw_info 'x': wanted is LEVELS_PERCENTS", 2);
  fails({"--sp_hw_policy_name", "Other"}, "--sp_hw_policy_name", 2);
  fails({"--n_sample", "1"}, "--n_sample: must be 2 or more, got 1", 2);
  fails({"--name", "a/b"}, "--name: must be of letters, digits, '_' and '-', got 'a/b'", 2);
  fails({"--vgg16", folder_ / "nowhere"}, "nowhere");
  fails({"--inception", folder_ / "data/0.png"}, "0.png");
  fails({"--inception", source_folder() / "tests/fixtures/checkpoints/gan.zip.2x.pth"},
        "choose one (convert_weights --select): g, d, g_ema");
  StateDict of_alexnet;
  const int64_t channels[] = {64, 192, 384, 256, 256};
  for (int64_t i = 0; i < 5; ++i) {
    of_alexnet.push_back({format("lin{}.model.1.weight", i), Tensor::ones({1, channels[i], 1, 1})});
  }
  write_safetensors((folder_ / "alex.safetensors").string(), of_alexnet);
  fails({"--lpips", folder_ / "alex.safetensors"},
        "for VGG-16 it is f32[1,128,1,1]: these are of another network");
  fails({"--ckpt", folder_ / "nowhere"}, "nowhere");

  Flags good = flags("good");
  set(good, "--iter", "1");
  ASSERT_EQ(run_tool("train_fewshot_gan", good).exit_code, 0);
  const std::string checkpoint = run("good") / "checkpoint.safetensors";
  fails({"--ckpt", checkpoint, "--im_size", "64"}, "give --im_size 32");
  fails({"--ckpt", checkpoint, "--sparse_hw_info", "16_50"}, "give --sparse_hw_info 16_25");
  fails({"--ckpt", checkpoint, "--sparse_hw_info", "none"}, "give --sparse_hw_info 16_25");
  fails({"--ckpt", checkpoint, "--nz", "8"}, "give --nz 16");
  fails({"--ckpt", checkpoint, "--base_channels", "16"}, "give --base_channels 8");
  fails({"--ckpt", checkpoint, "--iter", "1"}, "larger --iter than that");
}

TEST_F(TrainFewshotGan, TwoImagesAreSaidToBeFew) {
  write_pictures(folder_ / "two", 2);
  Flags few = flags("few");
  set(few, "--path", folder_ / "two");
  set(few, "--iter", "1");
  const ToolResult result = run_tool("train_fewshot_gan", few);
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_NE(result.output.find("2 images only"), std::string::npos) << result.output;
}

}  // namespace
}  // namespace gestalt::tests
