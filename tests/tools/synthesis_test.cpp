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
#include "models/registry.h"
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

  // The same through two layers alone, for what does not depend on the network's depth.
  std::vector<std::string> shallow(const std::string& out,
                                   std::vector<std::string> more = {}) const {
    more.insert(more.end(), {"--layers", "relu1_1,pool1"});
    return flags(out, more);
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
               flags("out", {"-n", "2", "--reverse_topk", "--sheet", "--save_every", "2"}));
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
  EXPECT_EQ(config["settings"]["save_every"], 2);
  EXPECT_EQ(config["device"], to_string(default_device())) << "the device itself, not auto";
  EXPECT_EQ(config["settings"]["files"].size(), 2u);
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
  ASSERT_EQ(run_tool("synthesize_texture", shallow("one", {"-n", "2"})).exit_code, 0);
  ASSERT_EQ(run_tool("synthesize_texture", shallow("two", {"-n", "2", "--batch", "2"})).exit_code,
            0);
  expect_same_pictures("one", "two");
}

TEST_F(Synthesis, a_packed_file_stands_for_its_folder) {
  const std::string packed = folder_ / "in.packed";
  ASSERT_EQ(
      run_tool("pack_images", {folder_ / "in", packed, "--flat", "--resize", "none"}).exit_code, 0);
  for (const std::string tool : {"synthesize_texture", "visualize_topk"}) {
    const std::vector<std::string> of_folder = shallow(tool + "_folder", {"-n", "1", "--sheet"});
    std::vector<std::string> of_packed = shallow(tool + "_packed", {"-n", "1", "--sheet"});
    of_packed[1] = packed;
    ASSERT_EQ(run_tool(tool, of_folder).exit_code, 0);
    const ToolResult result = run_tool(tool, of_packed);
    ASSERT_EQ(result.exit_code, 0) << result.output;
    expect_same_pictures(tool + "_folder", tool + "_packed");
    EXPECT_EQ(read_text(folder_ / (tool + "_folder") / "sheet.png"),
              read_text(folder_ / (tool + "_packed") / "sheet.png"));
  }
  std::vector<std::string> twice = shallow("twice", {"-i", packed, "-n", "1"});
  const ToolResult result = run_tool("synthesize_texture", twice);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.output.find("in.packed/a.png' would write the same picture"), std::string::npos)
      << result.output;
}

TEST_F(Synthesis, threads_do_not_change_the_pictures) {
  ASSERT_EQ(
      run_tool("synthesize_texture", flags("one", {"-n", "1", "--iter", "5", "--threads", "1"}))
          .exit_code,
      0);
  ASSERT_EQ(
      run_tool("synthesize_texture", flags("two", {"-n", "1", "--iter", "5", "--threads", "2"}))
          .exit_code,
      0);
  expect_same_pictures("one", "two");
}

TEST_F(Synthesis, an_interrupted_run_resumes_to_the_same_bits) {
  const std::vector<std::string> length = {"-n",           "8", "--reverse_topk", "--batch", "2",
                                           "--save_every", "2"};
  ASSERT_EQ(run_tool("synthesize_texture", shallow("whole", length)).exit_code, 0);
  // Interrupted whenever another picture of the way has appeared, so that every part gets
  // somewhere.
  std::vector<std::string> arguments = shallow("parts", length);
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
  ASSERT_EQ(run_tool("synthesize_texture", shallow("whole", {"-n", "2"})).exit_code, 0);
  // Interrupted with other settings, then begun anew, interrupted, and resumed.
  run_tool("synthesize_texture",
           shallow("out", {"-n", "500", "--topk", "0.3", "--save_every", "1"}),
           [&] { return progress_pictures("out") > 0; });
  ASSERT_TRUE(fs::exists(folder_ / "out" / "checkpoints" / "seed_0_a.safetensors"));
  ToolResult run = run_tool("synthesize_texture", shallow("out", {"-n", "2"}), [&] {
    return read_text(folder_ / "out" / "config.json").find("\"topk\": 0.05") != std::string::npos;
  });
  if (run.exit_code == 130) {
    run = run_tool("synthesize_texture", shallow("out", {"-n", "2", "--resume"}));
  }
  ASSERT_EQ(run.exit_code, 0) << run.output;
  expect_same_pictures("whole", "out");
}

TEST_F(Synthesis, resuming_a_finished_run_changes_nothing) {
  ASSERT_EQ(run_tool("synthesize_texture", shallow("out", {"-n", "1"})).exit_code, 0);
  const fs::path picture = folder_ / "out" / "seed_0_a.jpg";
  const auto written = fs::last_write_time(picture);
  ASSERT_EQ(run_tool("synthesize_texture", shallow("out", {"-n", "1", "--resume"})).exit_code, 0);
  EXPECT_EQ(fs::last_write_time(picture), written);
}

TEST_F(Synthesis, an_image_that_cannot_be_read_is_skipped) {
  std::ofstream(folder_ / "in" / "aa.jpg") << "no image";
  const ToolResult run = run_tool("synthesize_texture", shallow("out", {"-n", "1", "--sheet"}));
  EXPECT_EQ(run.exit_code, 0) << run.output;
  EXPECT_NE(run.output.find("skipped: "), std::string::npos) << run.output;
  EXPECT_TRUE(fs::exists(folder_ / "out" / "seed_0_b.jpg"));
  EXPECT_FALSE(fs::exists(folder_ / "out" / "seed_0_aa.jpg"));
}

TEST_F(Synthesis, a_link_to_nothing_is_skipped) {
  fs::create_symlink(folder_ / "nowhere.png", folder_ / "in" / "c.png");
  const ToolResult run = run_tool("synthesize_texture", shallow("out", {"-n", "1", "--iter", "1"}));
  EXPECT_EQ(run.exit_code, 0) << run.output;
  EXPECT_NE(read_text(folder_ / "out" / "log.txt").find("1 skipped"), std::string::npos);
}

TEST_F(Synthesis, two_images_of_one_name_are_refused) {
  data::save_image(folder_ / "in" / "a.jpg", make_picture(1));
  const ToolResult run = run_tool("synthesize_texture", shallow("out", {"-n", "1"}));
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.output.find("would write the same picture"), std::string::npos) << run.output;
}

TEST_F(Synthesis, resuming_with_other_settings_is_refused_by_name) {
  ASSERT_EQ(run_tool("synthesize_texture", shallow("out", {"-n", "1"})).exit_code, 0);
  const ToolResult run =
      run_tool("synthesize_texture", shallow("out", {"-n", "1", "--topk", "0.2", "--resume"}));
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.output.find("--topk was 0.05, is now 0.2"), std::string::npos) << run.output;
}

// Under the same name there is another picture.
TEST_F(Synthesis, resuming_with_a_changed_picture_is_refused_by_name) {
  ASSERT_EQ(run_tool("synthesize_texture", shallow("out", {"-n", "1", "--iter", "1"})).exit_code,
            0);
  const std::vector<std::string> on = shallow("out", {"-n", "1", "--iter", "1", "--resume"});
  EXPECT_EQ(run_tool("synthesize_texture", on).exit_code, 0);
  data::save_image(folder_ / "in" / "b.png", make_picture(0));
  const ToolResult run = run_tool("synthesize_texture", on);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.output.find("in/b.png' has changed since the run began"), std::string::npos)
      << run.output;
  EXPECT_EQ(std::count(run.output.begin(), run.output.end(), '\n'), 1) << run.output;
}

// Checkpoints are named as pictures are, without what tells a.png from a.jpg.
TEST_F(Synthesis, a_checkpoint_is_not_taken_for_another_picture_of_its_name) {
  const std::vector<std::string> begin = shallow("out", {"-n", "500", "--save_every", "1"});
  const ToolResult stopped =
      run_tool("synthesize_texture", begin, [&] { return progress_pictures("out") > 0; });
  ASSERT_EQ(stopped.exit_code, 130) << stopped.output;
  std::vector<std::string> on = shallow("out", {"-n", "500", "--resume"});
  fs::remove(folder_ / "in" / "a.png");
  data::save_image(folder_ / "in" / "a.jpg", make_picture(1));
  const ToolResult refused = run_tool("synthesize_texture", on);
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.output.find("a.jpg' is not what '"), std::string::npos) << refused.output;
}

TEST_F(Synthesis, a_name_that_is_not_utf8_is_resumed) {
  fs::rename(folder_ / "in" / "a.png", folder_ / "in" / "caf\xe9.png");
  ASSERT_EQ(run_tool("synthesize_texture", shallow("out", {"-n", "1", "--iter", "1"})).exit_code,
            0);
  const std::vector<std::string> on = shallow("out", {"-n", "1", "--iter", "1", "--resume"});
  const ToolResult resumed = run_tool("synthesize_texture", on);
  EXPECT_EQ(resumed.exit_code, 0) << resumed.output;
  data::save_image(folder_ / "in" / "caf\xe9.png", make_picture(1));
  const ToolResult refused = run_tool("synthesize_texture", on);
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.output.find("caf\\xE9.png' has changed since"), std::string::npos)
      << refused.output;
}

TEST_F(Synthesis, tensors_name_their_pictures_whatever_the_bytes) {
  fs::rename(folder_ / "in" / "a.png", folder_ / "in" / "caf\xe9.png");
  const std::string tensors = folder_ / "run.safetensors";
  const ToolResult run = run_tool(
      "synthesize_texture",
      shallow("out", {"-n", "1", "--iter", "1", "--batch", "2", "--save_tensors", tensors}));
  ASSERT_EQ(run.exit_code, 0) << run.output;
  EXPECT_EQ(read_checkpoint(tensors).metadata["pictures"], R"(["seed_0_b","seed_0_caf\\xE9"])");
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
  const auto start_from = [&](const std::string& out, const std::string& file) {
    const ToolResult again =
        run_tool("synthesize_texture",
                 flags(out, {"-n", "1", "--iter", "1", "-m", (folder_ / "vgg.safetensors").string(),
                             "--init_image", (folder_ / file).string()}));
    EXPECT_EQ(again.exit_code, 0) << again.output;
    return losses(out)["seed_0_a"].front();
  };
  const std::vector<double> before = losses("out")["seed_0_a"];
  EXPECT_LE(std::abs(start_from("again", "init.safetensors") - before.front()),
            1e-4 * before.front());
  // And go on from its end.
  EXPECT_LE(start_from("on", "run.safetensors"), 1.01 * before.back());
}

TEST_F(Synthesis, each_picture_starts_from_its_own_init_image) {
  const std::string run = (folder_ / "run.safetensors").string();
  const std::vector<std::string> length = {"-n", "1", "--iter", "2", "--batch", "2"};
  std::vector<std::string> first = flags("first", length), second = flags("second", length);
  first.insert(first.end(), {"--save_tensors", run});
  second.insert(second.end(), {"--init_image", run});
  ASSERT_EQ(run_tool("synthesize_texture", first).exit_code, 0);
  ASSERT_EQ(run_tool("synthesize_texture", second).exit_code, 0);
  EXPECT_EQ(read_checkpoint(run).metadata["pictures"], "[\"seed_0_a\",\"seed_0_b\"]");
  for (auto& [job, values] : losses("second")) {
    EXPECT_LE(values.front(), 1.01 * losses("first")[job].back()) << job;
  }
  // Two images for one picture.
  const ToolResult refused =
      run_tool("synthesize_texture",
               {"-i", (folder_ / "in" / "a.png").string(), "-o", (folder_ / "third").string(),
                "--image_size", "48", "--init_image", run});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.output.find("tensor 'result' is f32[2,3,48,48], expected [1,3,48,48]"),
            std::string::npos)
      << refused.output;
  EXPECT_FALSE(fs::exists(folder_ / "third"));
}

TEST_F(Synthesis, inputs_can_be_several) {
  const std::vector<std::string> arguments = {"-i",
                                              (folder_ / "in" / "b.png").string(),
                                              (folder_ / "in" / "a.png").string(),
                                              "-o",
                                              (folder_ / "out").string(),
                                              "--image_size",
                                              "48",
                                              "-n",
                                              "1",
                                              "--iter",
                                              "1",
                                              "--quiet"};
  const ToolResult run = run_tool("synthesize_texture", arguments);
  EXPECT_EQ(run.exit_code, 0) << run.output;
  EXPECT_TRUE(fs::exists(folder_ / "out" / "seed_0_a.jpg"));
  EXPECT_TRUE(fs::exists(folder_ / "out" / "seed_0_b.jpg"));
}

// A name with what CSV, gnuplot and the shell take for their own.
TEST_F(Synthesis, names_of_pictures_are_only_names) {
  const std::string name = "a,b 'c' `touch here` $(touch here)";
  fs::create_directories(folder_ / "odd");
  data::save_image(folder_ / "odd" / (name + ".png"), make_picture(0));
  const ToolResult run = run_tool(
      "synthesize_texture", {"-i", (folder_ / "odd").string(), "-o", (folder_ / "out").string(),
                             "--image_size", "48", "-n", "1", "--iter", "1", "--quiet"});
  EXPECT_EQ(run.exit_code, 0) << run.output;
  EXPECT_FALSE(fs::exists(folder_ / "out" / "here"));
  EXPECT_TRUE(fs::exists(folder_ / "out" / ("seed_0_" + name + ".jpg")));
  EXPECT_EQ(losses("out").begin()->first, "\"seed_0_a");  // quoted, as the comma asks
}

TEST_F(Synthesis, a_plot_takes_names_of_several_lines_and_long_ones) {
  if (std::system("gnuplot --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no gnuplot";
  const fs::path picture = folder_ / "in" / "a.png";
  fs::rename(picture, folder_ / "in" / ("a\n" + std::string(60, 'a') + ".png"));
  const ToolResult run = run_tool("synthesize_texture", shallow("out", {"-n", "1", "--iter", "1"}));
  EXPECT_EQ(run.exit_code, 0) << run.output;
  EXPECT_EQ(run.output.find("gnuplot"), std::string::npos) << run.output;
  const std::string script = read_text(folder_ / "out" / "losses.gp");
  EXPECT_NE(script.find("title 'seed_0_a aaaaaaaaaaaa...'"), std::string::npos) << script;
}

struct BadInput {
  const char* name;
  std::vector<std::string> flags;
  int exit_code;
  const char* message;
};

class BadInputs : public Synthesis {
 protected:
  std::string file(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ / name) << content;
    return (folder_ / name).string();
  }

  void expect_refused(const BadInput& bad) const {
    std::vector<std::string> arguments = {"-o", (folder_ / "bad").string(), "--image_size", "48"};
    const auto has = [&](const char* flag) {
      return std::find(bad.flags.begin(), bad.flags.end(), flag) != bad.flags.end();
    };
    if (has("-o") || has("--image_size")) arguments.clear();
    if (!has("-i")) arguments.insert(arguments.end(), {"-i", (folder_ / "in").string()});
    arguments.insert(arguments.end(), bad.flags.begin(), bad.flags.end());
    const ToolResult run = run_tool("synthesize_texture", arguments);
    EXPECT_EQ(run.exit_code, bad.exit_code) << bad.name << ": " << run.output;
    EXPECT_NE(run.output.find(bad.message), std::string::npos) << bad.name << ": " << run.output;
    EXPECT_EQ(std::count(run.output.begin(), run.output.end(), '\n'), 1) << run.output;
    EXPECT_FALSE(fs::exists(folder_ / "bad")) << bad.name;
  }
};

TEST_F(BadInputs, usage_is_2_and_writes_nothing) {
  for (const BadInput& bad : std::vector<BadInput>{
           {"topk", {"--topk", "0"}, 2, "--topk: must be in (0, 1], got 0"},
           {"topk nan", {"--topk", "nan"}, 2, "--topk: must be in (0, 1], got nan"},
           {"lr", {"--lr", "inf"}, 2, "--lr: must be above 0 and finite, got inf"},
           {"steps", {"-n", "0"}, 2, "-n: must be 1 or more, got 0"},
           {"size", {"-o", "x", "--image_size", "8"}, 2, "--image_size: must be in 16..4096"},
           {"threads", {"--threads", "-1"}, 2, "--threads: must be 0 to 1024"},
           {"seed", {"--seed", "-1"}, 2, "--seed: must be a whole number from 0"},
           {"large seed", {"--seed", "18446744073709551616"}, 2, "to 18446744073709551615, got"},
           {"device", {"--device", "tpu"}, 2, "unknown device 'tpu'"},
           {"layer", {"--layers", "relu9_9"}, 2, "no layer 'relu9_9'"},
           {"layer twice", {"--layers", "pool1,pool1"}, 2, "'pool1' twice"},
           {"weights", {"--layer_weights", "1,2"}, 2, "has 2 values for 5 layers"},
           {"tensors", {"--save_tensors", "x"}, 2, "2 pictures need --batch 2"},
           {"tensors over an input",
            {"--batch", "2", "--save_tensors", (folder_ / "in" / "a.png").string()},
            2,
            "would overwrite its own input"},
           {"tensors over an output",
            {"--batch", "2", "--save_tensors", (folder_ / "bad" / "config.json").string()},
            2,
            "config.json' is a file that the run writes itself"},
           {"tensors over a picture",
            {"--batch", "2", "--save_tensors", (folder_ / "bad" / "seed_0_a.jpg").string()},
            2,
            "seed_0_a.jpg' is a file that the run writes itself"},
           {"too deep",
            {"-o", (folder_ / "bad").string(), "--image_size", "31", "--layers", "relu1_1,pool5"},
            2,
            "--image_size 31 is too small for the layer pool5 of --layers: it takes 32"},
           {"no effect", {"--topk", "1.", "--reverse_topk"}, 2, "which keeps everything"},
           {"flag", {"--no_such_flag"}, 2, "--no_such_flag"},
       }) {
    expect_refused(bad);
  }
}

TEST_F(BadInputs, files_are_named_and_nothing_is_written) {
  const std::string lfs = file("lfs.pth",
                               "version https://git-lfs.github.com/spec/v1\n"
                               "oid sha256:0\nsize 80126000\n"),
                    page = file("page.pth", "<!DOCTYPE html><html></html>"),
                    picture = (folder_ / "in" / "a.png").string();
  fs::create_directories(folder_ / "empty");
  fs::create_directories(folder_ / "unreadable");
  file("unreadable/a.png", "a");
  file("unreadable/b.png", "b");
  const std::string long_name = file(std::string(240, 'x') + ".png", "");
  StateDict weights = models::make_model("vgg19-normalized")->state_dict();
  weights[0].tensor = Tensor::full({64, 3, 3, 3}, NAN);
  const std::string nan = (folder_ / "nan.safetensors").string();
  write_safetensors(nan, weights);
  for (const BadInput& bad : std::vector<BadInput>{
           {"input", {"-i", "/no/such/folder"}, 1, "/no/such/folder"},
           {"twice", {"-i", picture, "-i", picture}, 1, "is given twice"},
           {"empty", {"-i", (folder_ / "empty").string()}, 1, "the folder is empty"},
           {"no image", {"-i", page}, 1, "not an image"},
           {"no images", {"-i", (folder_ / "unreadable").string()}, 1, "none of the 2 images can"},
           {"long name", {"-i", long_name}, 1, "has too long a name for the files"},
           {"output", {"-o", "/proc/here"}, 1, "/proc/here"},
           {"lfs", {"-m", lfs}, 1, "Git LFS pointer"},
           {"html", {"-m", page}, 1, "page.pth"},
           {"missing", {"-m", "/no/weights.pth"}, 1, "/no/weights.pth"},
           {"nan", {"-m", nan}, 1, "conv1_1.weight holds values that are not finite"},
           {"init", {"--init_image", nan}, 1, "has no tensor 'image', 'result' or 'initial'"},
       }) {
    expect_refused(bad);
  }
}

}  // namespace
}  // namespace gestalt::tests
