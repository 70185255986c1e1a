// synthesize_texture and visualize_topk, end to end on small pictures.

#include <algorithm>
#include <cmath>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "data/encode.h"
#include "data/image.h"
#include "models/vgg.h"
#include "tensor/io/checkpoint.h"
#include "tests/tools/run_tool.h"

namespace gestalt::tests {
namespace {

namespace fs = std::filesystem;

// Two pictures with edges and texture, not square and not the size that is optimized.
data::Image make_picture(int kind) {
  data::Image image(52, 60);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const bool inside = (x - 30) * (x - 30) + (y - 26) * (y - 26) < 300;
      const int stripes = (kind == 0 ? x / 4 : (x + y) / 5) % 2;
      uint8_t* pixel = image.row(y) + 3 * x;
      pixel[0] = static_cast<uint8_t>(inside ? 220 : 40 + 60 * stripes);
      pixel[1] = static_cast<uint8_t>(inside ? 60 + 40 * stripes : 120);
      pixel[2] = static_cast<uint8_t>(30 + 3 * y);
    }
  }
  return image;
}

class Synthesis : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_ / "in");
    data::save_image(folder_ / "in" / "a.png", make_picture(0));
    data::save_image(folder_ / "in" / "b.png", make_picture(1));
  }

  std::vector<std::string> flags(const std::string& out, std::vector<std::string> more = {}) const {
    std::vector<std::string> all = {
        "-i",     (folder_ / "in").string(), "-o", (folder_ / out).string(), "--image_size", "48",
        "--quiet"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  // picture -> its losses, from losses.csv
  std::map<std::string, std::vector<double>> losses(const std::string& out) const {
    std::map<std::string, std::vector<double>> by_picture;
    std::istringstream csv(read_text(folder_ / out / "losses.csv"));
    std::string line;
    std::getline(csv, line);
    EXPECT_EQ(line, "picture,evaluation,loss");
    while (std::getline(csv, line)) {
      const size_t first = line.find(','), last = line.rfind(',');
      by_picture[line.substr(0, first)].push_back(std::stod(line.substr(last + 1)));
    }
    return by_picture;
  }

  void expect_same_pictures(const std::string& one, const std::string& other) const {
    for (const char* name : {"seed_0_a.jpg", "seed_0_b.jpg"}) {
      const std::string bytes = read_text(folder_ / one / name);
      EXPECT_FALSE(bytes.empty()) << one << '/' << name;
      EXPECT_EQ(bytes, read_text(folder_ / other / name)) << name;
    }
    EXPECT_EQ(losses(one), losses(other));
  }

  // Pictures that --save_every left so far.
  std::ptrdiff_t progress_pictures(const std::string& out) const {
    const fs::path folder = folder_ / out / "progress";
    return fs::exists(folder) ? std::distance(fs::directory_iterator(folder), {}) : 0;
  }

  TemporaryFolder folder_;
};

TEST_F(Synthesis, texture_writes_pictures_losses_and_settings) {
  const ToolResult run =
      run_tool("synthesize_texture",
               flags("out", {"-n", "3", "--reverse_topk", "--sheet", "--save_every", "2"}));
  ASSERT_EQ(run.exit_code, 0) << run.output;
  for (const char* name : {"a", "b"}) {
    const std::string job = std::string("seed_0_") + name;
    const data::Image picture = data::decode_image(folder_ / "out" / (job + ".jpg"));
    EXPECT_EQ(picture.height, 52);
    EXPECT_EQ(picture.width, 60);
    EXPECT_TRUE(fs::exists(folder_ / "out" / "progress" / (job + "_step_00002.jpg")));
    const std::vector<double> values = losses("out")[job];
    ASSERT_GE(values.size(), 40u);
    EXPECT_LT(values.back(), 0.5 * values.front());
  }
  EXPECT_GT(data::decode_image(folder_ / "out" / "sheet.png").width, 100);
  EXPECT_FALSE(fs::exists(folder_ / "out" / "checkpoints"));
  const nlohmann::json config = nlohmann::json::parse(read_text(folder_ / "out" / "config.json"));
  EXPECT_EQ(config["tool"], "synthesize_texture");
  EXPECT_EQ(config["settings"]["topk"], 0.05);
}

TEST_F(Synthesis, visualization_with_and_without_topk_differ) {
  for (const char* topk : {"1.0", "0.05"}) {
    const ToolResult run =
        run_tool("visualize_topk", flags(std::string("out") + topk, {"--topk", topk, "-n", "1"}));
    ASSERT_EQ(run.exit_code, 0) << run.output;
    for (const auto& [job, values] : losses(std::string("out") + topk)) {
      EXPECT_LT(*std::min_element(values.begin(), values.end()), 0.75 * values.front()) << job;
    }
  }
  EXPECT_NE(read_text(folder_ / "out1.0" / "seed_0_a.jpg"),
            read_text(folder_ / "out0.05" / "seed_0_a.jpg"));
}

TEST_F(Synthesis, a_batch_gives_the_pictures_of_one_at_a_time) {
  ASSERT_EQ(run_tool("synthesize_texture", flags("one", {"-n", "2"})).exit_code, 0);
  ASSERT_EQ(run_tool("synthesize_texture", flags("two", {"-n", "2", "--batch", "2"})).exit_code, 0);
  expect_same_pictures("one", "two");
}

TEST_F(Synthesis, threads_do_not_change_the_pictures) {
  ASSERT_EQ(run_tool("synthesize_texture", flags("one", {"-n", "2", "--threads", "1"})).exit_code,
            0);
  ASSERT_EQ(run_tool("synthesize_texture", flags("two", {"-n", "2", "--threads", "2"})).exit_code,
            0);
  expect_same_pictures("one", "two");
}

TEST_F(Synthesis, an_interrupted_run_resumes_to_the_same_bits) {
  const std::vector<std::string> length = {"-n",           "8", "--reverse_topk", "--batch", "2",
                                           "--save_every", "2"};
  ASSERT_EQ(run_tool("synthesize_texture", flags("whole", length)).exit_code, 0);
  // Interrupted whenever another picture of the way has appeared, so that every part gets
  // somewhere.
  std::vector<std::string> arguments = flags("parts", length);
  int interruptions = 0;
  ToolResult run;
  while (true) {
    const auto before = progress_pictures("parts");
    run = run_tool("synthesize_texture", arguments,
                   [&] { return progress_pictures("parts") > before; });
    if (run.exit_code != 130) break;
    if (interruptions++ == 0) arguments.push_back("--resume");
    EXPECT_TRUE(fs::exists(folder_ / "parts" / "checkpoints"));
  }
  ASSERT_EQ(run.exit_code, 0) << run.output;
  EXPECT_GE(interruptions, 1) << "too fast to be interrupted: lengthen the run";
  expect_same_pictures("whole", "parts");
}

TEST_F(Synthesis, a_run_takes_no_checkpoint_of_an_earlier_one) {
  ASSERT_EQ(run_tool("synthesize_texture", flags("whole", {"-n", "2"})).exit_code, 0);
  // Interrupted with other settings, then begun anew, interrupted, and resumed.
  run_tool("synthesize_texture", flags("out", {"-n", "500", "--topk", "0.3", "--save_every", "1"}),
           [&] { return progress_pictures("out") > 0; });
  ASSERT_TRUE(fs::exists(folder_ / "out" / "checkpoints" / "seed_0_a.safetensors"));
  ToolResult run = run_tool("synthesize_texture", flags("out", {"-n", "2"}), [&] {
    return read_text(folder_ / "out" / "config.json").find("\"topk\": 0.05") != std::string::npos;
  });
  if (run.exit_code == 130) {
    run = run_tool("synthesize_texture", flags("out", {"-n", "2", "--resume"}));
  }
  ASSERT_EQ(run.exit_code, 0) << run.output;
  expect_same_pictures("whole", "out");
}

TEST_F(Synthesis, resuming_a_finished_run_changes_nothing) {
  ASSERT_EQ(run_tool("synthesize_texture", flags("out", {"-n", "1"})).exit_code, 0);
  const fs::path picture = folder_ / "out" / "seed_0_a.jpg";
  const auto written = fs::last_write_time(picture);
  ASSERT_EQ(run_tool("synthesize_texture", flags("out", {"-n", "1", "--resume"})).exit_code, 0);
  EXPECT_EQ(fs::last_write_time(picture), written);
}

TEST_F(Synthesis, an_image_that_cannot_be_read_is_skipped) {
  std::ofstream(folder_ / "in" / "aa.jpg") << "no image";
  const ToolResult run = run_tool("synthesize_texture", flags("out", {"-n", "1", "--sheet"}));
  EXPECT_EQ(run.exit_code, 0) << run.output;
  EXPECT_NE(run.output.find("skipped: "), std::string::npos) << run.output;
  EXPECT_TRUE(fs::exists(folder_ / "out" / "seed_0_b.jpg"));
  EXPECT_FALSE(fs::exists(folder_ / "out" / "seed_0_aa.jpg"));
}

TEST_F(Synthesis, two_images_of_one_name_are_refused) {
  data::save_image(folder_ / "in" / "a.jpg", make_picture(1));
  const ToolResult run = run_tool("synthesize_texture", flags("out", {"-n", "1"}));
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.output.find("would write the same picture"), std::string::npos) << run.output;
}

TEST_F(Synthesis, resuming_with_other_settings_is_refused_by_name) {
  ASSERT_EQ(run_tool("synthesize_texture", flags("out", {"-n", "1"})).exit_code, 0);
  const ToolResult run =
      run_tool("synthesize_texture", flags("out", {"-n", "1", "--topk", "0.2", "--resume"}));
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.output.find("--topk was 0.05, is now 0.2"), std::string::npos) << run.output;
}

TEST_F(Synthesis, weights_from_a_file_and_tensors_out_of_the_run) {
  Generator generator(3);
  const auto network = models::make_texture_vgg19(models::Pooling::average, generator);
  models::init_well_scaled(*network, generator);
  write_safetensors((folder_ / "vgg.safetensors").string(), network->state_dict());
  fs::remove(folder_ / "in" / "b.png");
  const ToolResult run =
      run_tool("synthesize_texture",
               flags("out", {"-n", "1", "-m", (folder_ / "vgg.safetensors").string(),
                             "--save_tensors", (folder_ / "run.safetensors").string()}));
  ASSERT_EQ(run.exit_code, 0) << run.output;
  std::map<std::string, Tensor> tensors;
  for (const NamedTensor& entry : read_checkpoint((folder_ / "run.safetensors").string()).tensors) {
    tensors[entry.name] = entry.tensor;
  }
  EXPECT_EQ(tensors["initial"].shape(), (Shape{1, 3, 48, 48}));
  EXPECT_EQ(tensors["result"].shape(), (Shape{1, 3, 48, 48}));
  EXPECT_EQ(tensors["target/pool4"].shape(), (Shape{1, 512, 512}));
  EXPECT_EQ(tensors["losses"].numel(), static_cast<int64_t>(losses("out")["seed_0_a"].size()));
  // The run can start again from its own start.
  StateDict image = {{"image", tensors["initial"]}};
  write_safetensors((folder_ / "init.safetensors").string(), image);
  ASSERT_EQ(run_tool("synthesize_texture",
                     flags("again", {"-n", "1", "-m", (folder_ / "vgg.safetensors").string(),
                                     "--init_image", (folder_ / "init.safetensors").string()}))
                .exit_code,
            0);
  const double first = losses("out")["seed_0_a"].front(),
               again = losses("again")["seed_0_a"].front();
  EXPECT_LE(std::abs(first - again), 1e-4 * first);
}

struct BadInput {
  const char* name;
  std::vector<std::string> flags;
  int exit_code;
  const char* message;
};

TEST_F(Synthesis, bad_input_gets_one_line_that_names_it) {
  std::ofstream(folder_ / "lfs.pth") << "version https://git-lfs.github.com/spec/v1\n"
                                        "oid sha256:0\nsize 80126000\n";
  std::ofstream(folder_ / "page.pth") << "<!DOCTYPE html><html></html>";
  const std::string lfs = (folder_ / "lfs.pth").string(), page = (folder_ / "page.pth").string();
  const std::vector<BadInput> cases = {
      {"topk", {"--topk", "0"}, 1, "--topk must be in (0, 1]"},
      {"layer", {"--layers", "relu9_9"}, 1, "no layer 'relu9_9'"},
      {"input", {"-i", "/no/such/folder"}, 1, "/no/such/folder"},
      {"output", {"-o", "/proc/here"}, 1, "/proc/here"},
      {"lfs", {"-m", lfs}, 1, "Git LFS pointer"},
      {"html", {"-m", page}, 1, "page.pth"},
      {"missing", {"-m", "/no/weights.pth"}, 1, "/no/weights.pth"},
      {"device", {"--device", "tpu"}, 1, "unknown device 'tpu'"},
      {"flag", {"--no_such_flag"}, 2, "--no_such_flag"},
  };
  for (const BadInput& bad : cases) {
    std::vector<std::string> arguments = flags("bad");
    // A flag given twice is an error of its own: take the default one out.
    for (const std::string& flag : bad.flags) {
      const auto found = std::find(arguments.begin(), arguments.end(), flag);
      if (found != arguments.end() && flag.starts_with("-")) arguments.erase(found, found + 2);
    }
    arguments.insert(arguments.end(), bad.flags.begin(), bad.flags.end());
    const ToolResult run = run_tool("synthesize_texture", arguments);
    EXPECT_EQ(run.exit_code, bad.exit_code) << bad.name << ": " << run.output;
    EXPECT_NE(run.output.find(bad.message), std::string::npos) << bad.name << ": " << run.output;
    if (bad.exit_code == 1) {
      EXPECT_EQ(std::count(run.output.begin(), run.output.end(), '\n'), 1) << run.output;
    }
  }
}

}  // namespace
}  // namespace gestalt::tests
