// The settings and inputs of synthesize_texture and visualize_topk; in this process.

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

#include "data/encode.h"
#include "tensor/io/safetensors.h"
#include "tests/tools/run_tool.h"
#include "tools/synthesis/initial.h"
#include "tools/synthesis/job.h"
#include "tools/synthesis/options.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;

class SynthesisSettingsTest : public testing::Test {
 protected:
  void expect_usage_error(const std::string& message) const {
    try {
      check_settings(settings_);
      ADD_FAILURE() << "taken, not refused: " << message;
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
    }
  }

  const tests::TemporaryFolder folder_;
  SynthesisSettings settings_;
};

TEST_F(SynthesisSettingsTest, ReversingTopKOfAllIsRefused) {
  settings_.reverse_topk = true;
  EXPECT_NO_THROW(check_settings(settings_));
  settings_.topk = 1;
  expect_usage_error("--reverse_topk has no effect with --topk 1");
  settings_.reverse_topk = false;
  EXPECT_NO_THROW(check_settings(settings_));
}

TEST_F(SynthesisSettingsTest, SomeLayerMustCount) {
  settings_.layer_weights = {0, 0, 0, 0, 1e-3};
  EXPECT_NO_THROW(check_settings(settings_));
  settings_.layer_weights.back() = 0;
  expect_usage_error("--layer_weights are all 0");
}

TEST_F(SynthesisSettingsTest, AnInitImageIsToldByItsContent) {
  settings_.image_size = 16;
  const Tensor image = Tensor::full({1, 3, 16, 16}, 7);
  for (const char* name : {"image.safetensors", "image.st", "image", "image.png"}) {
    settings_.init_image = folder_ / name;
    write_safetensors(settings_.init_image, StateDict{{"image", image}});
    EXPECT_EQ(read_init_images(settings_, 1).to_vector<float>(), image.to_vector<float>()) << name;
  }
  data::save_image(folder_ / "picture.png", data::Image(20, 20));
  settings_.init_image = folder_ / "picture.safetensors";
  fs::rename(folder_ / "picture.png", settings_.init_image);
  EXPECT_EQ(read_init_images(settings_, 1).shape(), (Shape{1, 3, 16, 16}));
  settings_.init_image = folder_ / "none.st";
  EXPECT_THROW(read_init_images(settings_, 1), Error);
}

// For the losses of a run that goes on and is interrupted before a job's turn.
TEST_F(SynthesisSettingsTest, AJobKnowsItsLossesBeforeItIsTakenUp) {
  settings_.output = folder_.path();
  settings_.inputs = {folder_ / "a.png"};
  data::save_image(folder_ / "a.png", data::Image(20, 20));
  fs::create_directories(checkpoint_folder(settings_));
  Job saved = std::move(make_jobs(settings_, 0)[0]);
  saved.start(Tensor::ones({1, 3, 4, 4}));
  saved.begin_step();
  while (!saved.is_between_steps()) saved.tell(24, saved.point().clone());  // of the squares' half
  saved.save_checkpoint();
  Job job = std::move(make_jobs(settings_, 0)[0]);
  EXPECT_TRUE(job.losses().empty());
  job.check_checkpoint();
  EXPECT_FALSE(job.losses().empty());
  EXPECT_EQ(job.losses(), saved.losses());
  EXPECT_EQ(job.steps_done(), 1);
  job.forget_progress();
  EXPECT_TRUE(job.losses().empty());
}

TEST_F(SynthesisSettingsTest, ARunWritesOverNoneOfItsInputs) {
  settings_.output = folder_.path();
  for (const char* name : {"a.png", "seed_0_a.png", "seed_0_a.jpg", "sheet.png"}) {
    data::save_image(folder_ / name, data::Image(20, 20));
  }
  const auto refusal = [&](const std::vector<std::string>& inputs) -> std::string {
    settings_.inputs = inputs;
    try {
      make_jobs(settings_, 0);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal({folder_ / "a.png", folder_ / "seed_0_a.png"}), "");
  for (const char* name : {"seed_0_a.jpg", "sheet.png"}) {
    EXPECT_NE(refusal({folder_ / "a.png", folder_ / name}).find("would write over"),
              std::string::npos)
        << name;
  }
  for (std::string* flag : {&settings_.init_image, &settings_.weights}) {
    *flag = folder_ / "seed_0_a.jpg";
    EXPECT_NE(refusal({folder_ / "a.png"}).find("would write over"), std::string::npos);
    *flag = folder_ / "checkpoints/seed_0_a.safetensors";
    EXPECT_NE(refusal({folder_ / "a.png"}).find("which the run removes"), std::string::npos);
    *flag = folder_ / "checkpoints/vgg.safetensors";
    EXPECT_EQ(refusal({folder_ / "a.png"}), "");
    *flag = folder_ / "progress/seed_0_a_step_00001.jpg";
    EXPECT_EQ(refusal({folder_ / "a.png"}), "");
    settings_.save_every = 1;
    EXPECT_NE(refusal({folder_ / "a.png"}).find("would write over"), std::string::npos);
    settings_.save_every = 0;
    flag->clear();
  }
}

}  // namespace
}  // namespace gestalt::tools
