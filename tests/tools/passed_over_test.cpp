// Every tool that reads folders of images names, once, what looks like an image there and is not
// read.

#include <fstream>
#include <gtest/gtest.h>

#include "kernels/error.h"
#include "models/adain.h"
#include "tensor/io/safetensors.h"
#include "tests/tools/run_tool.h"
#include "tests/tools/training_fixture.h"

namespace gestalt::tests {
namespace {

namespace fs = std::filesystem;

int count_of(const std::string& part, const std::string& text) {
  int count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

class PassedOver : public testing::Test {
 protected:
  PassedOver() {
    write_set(folder_ / "data/train", 2);
    write_set(folder_ / "data/val", 2);
    for (const char* name : {"a.gif", "b.HEIC", "c.avif", "d.gif"}) {
      std::ofstream(flat_ / name) << "x";
    }
  }

  // With these flags the tool ends well, on the CPU, and has one line on `folder`.
  void expect_told(const std::string& tool, std::vector<std::string> flags, const fs::path& folder,
                   const std::string& inner) const {
    SCOPED_TRACE(tool);
    if (tool != "pack_images") flags.insert(flags.end(), {"--device", "cpu"});
    const ToolResult result = run_tool(tool, flags);
    EXPECT_EQ(result.exit_code, 0) << result.output;
    const std::string line = format(
        "'{}': 4 images of a kind that is not read, passed over: '{}a.gif', '{}b.HEIC', '{}c.avif' "
        "...",
        folder.string(), inner, inner, inner);
    EXPECT_EQ(count_of(line, result.output), 1) << line << "\n" << result.output;
    EXPECT_EQ(count_of("passed over", result.output), 1) << result.output;
  }

  TemporaryFolder folder_;
  const fs::path flat_ = folder_ / "data/train/along", other_ = folder_ / "data/val/along";
};

TEST_F(PassedOver, TrainersTell) {
  const std::string runs = folder_ / "runs";
  expect_told(
      "train_fewshot_gan",
      {"--path",          flat_, "--output", runs,    "--im_size", "32", "--batch_size", "2",
       "--base_channels", "8",   "--nz",     "8",     "--iter",    "1",  "--n_sample",   "2",
       "--n_eval_draws",  "1",   "--compat", "paper", "--quiet"},
      flat_, "");
  EXPECT_EQ(count_of("passed over", read_text(folder_ / "runs/fewshot/log.txt")), 1);
  expect_told("train_stylizer",
              {"--content", flat_, "--style", other_, "--output", runs, "--image_size", "32",
               "--crop_size", "24", "--batch_size", "2", "--max_iter", "1", "--quiet"},
              flat_, "");
  const std::vector<std::string> classifier = {"--data_folder_path",
                                               folder_ / "data",
                                               "--output",
                                               runs,
                                               "--name",
                                               "classifier",
                                               "--image_size",
                                               "32",
                                               "--total_epochs",
                                               "1",
                                               "--batch_size",
                                               "2"};
  expect_told("train_classifier", classifier, folder_ / "data/train", "along/");
  EXPECT_EQ(count_of("passed over", read_text(folder_ / "runs/classifier/log.txt")), 1);
  // Both parts of one folder.
  expect_told(
      "train_classifier",
      with(classifier, {"--data_folder_path", folder_ / "data/train", "--val_fraction", "0.5"}),
      folder_ / "data/train", "along/");
  const std::string weights = folder_ / "runs/classifier/last.safetensors";
  expect_told("train_classifier", with(classifier, {"--evaluate", weights}), folder_ / "data/train",
              "along/");
}

TEST_F(PassedOver, OthersTell) {
  expect_told("measure_fid", {flat_, other_, "--features", "64", "--no_cache", "--quiet"}, flat_,
              "");
  expect_told("pack_images", {folder_ / "data/train", folder_ / "packed", "--quiet"},
              folder_ / "data/train", "along/");
  expect_told("synthesize_texture",
              {"-i", flat_, "-o", folder_ / "textures", "--image_size", "48", "-n", "1", "--iter",
               "1", "--layers", "relu1_1", "--quiet"},
              flat_, "");
  Generator generator(1);
  const std::string decoder = folder_ / "decoder.safetensors";
  write_safetensors(decoder, models::make_adain_decoder(generator)->state_dict());
  expect_told("stylize_images",
              {"--content", other_, "--style", flat_, "-o", folder_ / "stylized", "--decoder",
               decoder, "--content_size", "0", "--style_size", "0", "--quiet"},
              flat_, "");
  const fs::path stimuli = folder_ / "stimuli/cat";
  fs::create_directories(stimuli);
  for (const auto& file : fs::directory_iterator(flat_)) {
    const std::string name = file.path().filename();
    fs::copy_file(file, stimuli / (name == "0.png" ? "cat1-dog1.png" : name));
  }
  fs::remove(stimuli / "1.png");
  expect_told("shape_bias",
              {"evaluate", "--data", folder_ / "stimuli", "--out", folder_ / "bias", "--model",
               "alexnet", "--untrained", "--topk", "1", "--quiet"},
              folder_ / "stimuli", "cat/");
}

}  // namespace
}  // namespace gestalt::tests
