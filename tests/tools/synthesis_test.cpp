// synthesize_texture and visualize_topk, end to end on small pictures.

#include <algorithm>
#include <cmath>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "data/encode.h"
#include "data/image.h"
#include "kernels/error.h"
#include "models/registry.h"
#include "models/vgg.h"
#include "tensor/io/checkpoint.h"
#include "tests/tools/hashes.h"
#include "tests/tools/synthesis_fixture.h"
#include "tools/common/json_file.h"

namespace gestalt::tests {
namespace {

namespace fs = std::filesystem;

TEST_F(Synthesis, TextureWritesPicturesLossesAndSettings) {
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
  const nlohmann::json config = tools::read_json(folder_ / "out" / "config.json");
  EXPECT_EQ(config["tool"], "synthesize_texture");
  EXPECT_EQ(config["settings"]["topk"], 0.05);
  EXPECT_EQ(config["settings"]["save_every"], 2);
  EXPECT_EQ(config["device"], "cpu");
  EXPECT_EQ(config["settings"]["files"].size(), 2u);
}

TEST_F(Synthesis, VisualizationWithAndWithoutTopkDiffer) {
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

// On the CPU: on CUDA the order of sums depends on the batch.
TEST_F(Synthesis, ABatchGivesThePicturesOfOneAtATime) {
  ASSERT_EQ(run_tool("synthesize_texture", shallow("one", {"-n", "2"})).exit_code, 0);
  ASSERT_EQ(run_tool("synthesize_texture", shallow("two", {"-n", "2", "--batch", "2"})).exit_code,
            0);
  expect_same_pictures("one", "two");
}

TEST_F(Synthesis, APackedFileStandsForItsFolder) {
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

// As in a packed set of classes, whose images are numbered in each.
TEST_F(Synthesis, ImagesOfOneNameInSeveralClassesOfAPackedFileKeepTheClass) {
  const std::vector<std::pair<const char*, int>> images = {
      {"cat/1.png", 0}, {"dog/1.png", 1}, {"dog/2.png", 1}};
  for (const auto& [name, kind] : images) {
    fs::create_directories((folder_ / "classes" / name).parent_path());
    data::save_image(folder_ / "classes" / name, make_picture(kind));
  }
  const std::string packed = folder_ / "in.packed";
  ASSERT_EQ(run_tool("pack_images", {folder_ / "classes", packed, "--resize", "none"}).exit_code,
            0);
  std::vector<std::string> of_packed = shallow("out", {"-n", "1", "--iter", "1"});
  of_packed[1] = packed;
  const ToolResult result = run_tool("synthesize_texture", of_packed);
  ASSERT_EQ(result.exit_code, 0) << result.output;
  std::set<std::string> pictures;
  for (const auto& file : fs::directory_iterator(folder_ / "out")) {
    if (file.path().extension() == ".jpg") pictures.insert(file.path().filename());
  }
  EXPECT_EQ(pictures,
            (std::set<std::string>{"seed_0_cat_1.jpg", "seed_0_dog_1.jpg", "seed_0_2.jpg"}));
  EXPECT_NE(read_text(folder_ / "out/seed_0_cat_1.jpg"),
            read_text(folder_ / "out/seed_0_dog_1.jpg"));

  data::save_image(folder_ / "classes/cat/1.jpg", make_picture(1));
  ASSERT_EQ(run_tool("pack_images", {folder_ / "classes", packed, "--resize", "none"}).exit_code,
            0);
  of_packed[3] = folder_ / "both";
  ASSERT_EQ(run_tool("synthesize_texture", of_packed).exit_code, 0);
  for (const char* name : {"cat_1_png", "cat_1_jpg", "dog_1_png", "2"}) {
    EXPECT_TRUE(fs::exists(folder_ / "both" / format("seed_0_{}.jpg", name))) << name;
  }
}

TEST_F(Synthesis, ThreadsDoNotChangeThePictures) {
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

TEST_F(Synthesis, AnInterruptedRunResumesToTheSameBits) {
  const std::vector<std::string> length = {"-n",           "8", "--reverse_topk", "--batch", "2",
                                           "--save_every", "2"};
  ASSERT_EQ(run_tool("synthesize_texture", shallow("whole", length)).exit_code, 0);
  // Interrupted whenever another picture of the way has appeared, so that every part gets
  // somewhere. The first one replays its evaluations.
  std::vector<std::string> arguments = shallow("parts", length);
  arguments.insert(arguments.end(), {"--capture", "on"});
  int interruptions = 0;
  ToolResult run;
  while (true) {
    const auto before = progress_pictures("parts");
    run = run_tool("synthesize_texture", arguments,
                   [&] { return progress_pictures("parts") > before; });
    if (run.exit_code != 130) break;
    if (interruptions++ == 0) {
      arguments = shallow("parts", length);
      arguments.push_back("--resume");
    }
    EXPECT_TRUE(fs::exists(folder_ / "parts" / "checkpoints"));
  }
  ASSERT_EQ(run.exit_code, 0) << run.output;
  EXPECT_GE(interruptions, 1) << "too fast to be interrupted: lengthen the run";
  expect_same_pictures("whole", "parts");
}

TEST_F(Synthesis, ARunTakesNoCheckpointOfAnEarlierOne) {
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

TEST_F(Synthesis, ARunRemovesItsOwnCheckpointsAlone) {
  const fs::path checkpoints = folder_ / "out" / "checkpoints";
  fs::create_directories(checkpoints / "deep");
  std::vector<fs::path> users;
  for (const char* name : {"mine.safetensors", "seed_0.safetensors", "seed_x_a.safetensors",
                           "seed_0_a.safetensors.old", "deep/seed_0_a.safetensors"}) {
    users.push_back(checkpoints / name);
    std::ofstream(users.back()) << "mine";
  }
  for (const char* name :
       {"seed_7_gone.safetensors", "seed_7_half.safetensors.12.gestalt-tmp.1234567"}) {
    std::ofstream(checkpoints / name) << "of an earlier run";
  }
  const std::vector<std::string> length = {"-n", "1", "--iter", "1"};
  ASSERT_EQ(run_tool("synthesize_texture", shallow("out", length)).exit_code, 0);
  for (const fs::path& file : users) EXPECT_EQ(read_text(file), "mine") << file;
  EXPECT_EQ(std::distance(fs::directory_iterator(checkpoints), {}), 5);  // theirs alone
  // It is known for finished all the same.
  const fs::path picture = folder_ / "out" / "seed_0_a.jpg";
  const auto written = fs::last_write_time(picture);
  ASSERT_EQ(run_tool("synthesize_texture", shallow("out", {"-n", "1", "--iter", "1", "--resume"}))
                .exit_code,
            0);
  EXPECT_EQ(fs::last_write_time(picture), written);
}

TEST_F(Synthesis, AFileOfTheNameOfTheCheckpointFolderIsFoundBeforeTheWork) {
  fs::create_directories(folder_ / "out");
  std::ofstream(folder_ / "out" / "checkpoints") << "mine";
  const ToolResult run = run_tool("synthesize_texture", shallow("out", {"-n", "1"}));
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.output.find("out/checkpoints' is no folder"), std::string::npos) << run.output;
  EXPECT_EQ(read_text(folder_ / "out" / "checkpoints"), "mine");
  EXPECT_FALSE(fs::exists(folder_ / "out" / "config.json"));
}

// A sheet of other settings would be taken for this run's; pictures of other seeds may be wanted,
// and a sheet that no run made.
TEST_F(Synthesis, ARunTakesNoSheetOfAnEarlierOne) {
  fs::create_directories(folder_ / "own");
  std::ofstream(folder_ / "own" / "sheet.png") << "of the user";
  for (int run = 0; run < 2; ++run) {
    ASSERT_EQ(run_tool("synthesize_texture", shallow("own", {"-n", "1"})).exit_code, 0);
    EXPECT_EQ(read_text(folder_ / "own" / "sheet.png"), "of the user");
  }
  ASSERT_EQ(run_tool("synthesize_texture", shallow("out", {"-n", "1", "--sheet"})).exit_code, 0);
  ASSERT_TRUE(fs::exists(folder_ / "out" / "sheet.png"));
  ASSERT_EQ(run_tool("synthesize_texture", shallow("out", {"-n", "1", "--seed", "1"})).exit_code,
            0);
  EXPECT_FALSE(fs::exists(folder_ / "out" / "sheet.png"));
  EXPECT_TRUE(fs::exists(folder_ / "out" / "losses.csv"));
  EXPECT_TRUE(fs::exists(folder_ / "out" / "seed_0_a.jpg"));
}

TEST_F(Synthesis, ResumingAFinishedRunChangesNothing) {
  ASSERT_EQ(run_tool("synthesize_texture", shallow("out", {"-n", "1"})).exit_code, 0);
  const fs::path picture = folder_ / "out" / "seed_0_a.jpg";
  const auto written = fs::last_write_time(picture);
  ASSERT_EQ(run_tool("synthesize_texture", shallow("out", {"-n", "1", "--resume"})).exit_code, 0);
  EXPECT_EQ(fs::last_write_time(picture), written);
}

// Older versions left so what was interrupted before the first evaluation.
TEST_F(Synthesis, ATableWithoutLossesIsOfNoFinishedRun) {
  const std::vector<std::string> length = {"-n", "1", "--iter", "1"};
  ASSERT_EQ(run_tool("synthesize_texture", shallow("out", length)).exit_code, 0);
  fs::create_directory(folder_ / "out" / "checkpoints");
  fs::remove(folder_ / "out" / "seed_0_a.jpg");
  std::ofstream(folder_ / "out" / "losses.csv") << "picture,evaluation,loss\n";
  const ToolResult resumed =
      run_tool("synthesize_texture", shallow("out", {"-n", "1", "--iter", "1", "--resume"}));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.output;
  EXPECT_TRUE(fs::exists(folder_ / "out" / "seed_0_a.jpg"));
  EXPECT_FALSE(losses("out").empty());
}

TEST_F(Synthesis, AnImageThatCannotBeReadIsSkipped) {
  std::ofstream(folder_ / "in" / "aa.jpg") << "no image";
  const Streams run = run_apart("synthesize_texture", shallow("out", {"-n", "1", "--sheet"}));
  EXPECT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_EQ(run.output, "");  // of a quiet run
  EXPECT_TRUE(run.errors.starts_with("skipped: ")) << run.errors;
  EXPECT_TRUE(fs::exists(folder_ / "out" / "seed_0_b.jpg"));
  EXPECT_FALSE(fs::exists(folder_ / "out" / "seed_0_aa.jpg"));
}

TEST_F(Synthesis, ALinkToNothingIsSkipped) {
  fs::create_symlink(folder_ / "nowhere.png", folder_ / "in" / "c.png");
  const ToolResult run = run_tool("synthesize_texture", shallow("out", {"-n", "1", "--iter", "1"}));
  EXPECT_EQ(run.exit_code, 0) << run.output;
  EXPECT_NE(read_text(folder_ / "out" / "log.txt").find("1 skipped"), std::string::npos);
}

// a.jpg and a.png; b.png keeps its name, and all are found again.
TEST_F(Synthesis, ImagesThatDifferInTheirExtensionAloneKeepIt) {
  data::save_image(folder_ / "in" / "a.jpg", make_picture(1));
  for (const std::string tool : {"synthesize_texture", "visualize_topk"}) {
    std::vector<std::string> arguments = shallow(tool, {"-n", "2", "--iter", "1", "--sheet"});
    const ToolResult first = run_tool(tool, arguments);
    ASSERT_EQ(first.exit_code, 0) << first.output;
    std::map<std::string, std::string> pictures;
    for (const char* name : {"seed_0_a_jpg.jpg", "seed_0_a_png.jpg", "seed_0_b.jpg"}) {
      pictures[name] = read_text(folder_ / tool / name);
      EXPECT_FALSE(pictures[name].empty()) << tool << ' ' << name;
      fs::last_write_time(folder_ / tool / name, fs::file_time_type());
    }
    EXPECT_NE(pictures["seed_0_a_jpg.jpg"], pictures["seed_0_a_png.jpg"]);
    EXPECT_FALSE(fs::exists(folder_ / tool / "seed_0_a.jpg"));
    EXPECT_EQ(losses(tool).count("seed_0_a_jpg"), 1u);
    arguments.push_back("--resume");
    const ToolResult resumed = run_tool(tool, arguments);
    ASSERT_EQ(resumed.exit_code, 0) << resumed.output;
    for (const auto& [name, content] : pictures) {
      EXPECT_EQ(read_text(folder_ / tool / name), content) << name;
      EXPECT_EQ(fs::last_write_time(folder_ / tool / name), fs::file_time_type()) << name;
    }
  }
  data::save_image(folder_ / "in" / "a_jpg.png", make_picture(1));
  const ToolResult run = run_tool("synthesize_texture", shallow("none", {"-n", "1"}));
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.output.find("would write the same picture"), std::string::npos) << run.output;
}

TEST_F(Synthesis, ResumingWithOtherSettingsIsRefusedByName) {
  ASSERT_EQ(run_tool("synthesize_texture", shallow("out", {"-n", "1"})).exit_code, 0);
  const ToolResult run =
      run_tool("synthesize_texture", shallow("out", {"-n", "1", "--topk", "0.2", "--resume"}));
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.output.find("--topk was 0.05, is now 0.2"), std::string::npos) << run.output;
}

// Under the same name there is another picture.
TEST_F(Synthesis, ResumingWithAChangedPictureIsRefusedByName) {
  GESTALT_NEEDS_HASHES();
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
TEST_F(Synthesis, ACheckpointIsNotTakenForAnotherPictureOfItsName) {
  GESTALT_NEEDS_HASHES();
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

TEST_F(Synthesis, ANameThatIsNotUtf8IsResumed) {
  fs::rename(folder_ / "in" / "a.png", folder_ / "in" / "caf\xe9.png");
  ASSERT_EQ(run_tool("synthesize_texture", shallow("out", {"-n", "1", "--iter", "1"})).exit_code,
            0);
  const std::vector<std::string> on = shallow("out", {"-n", "1", "--iter", "1", "--resume"});
  const ToolResult resumed = run_tool("synthesize_texture", on);
  EXPECT_EQ(resumed.exit_code, 0) << resumed.output;
  GESTALT_NEEDS_HASHES();
  data::save_image(folder_ / "in" / "caf\xe9.png", make_picture(1));
  const ToolResult refused = run_tool("synthesize_texture", on);
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.output.find("caf\\xE9.png' has changed since"), std::string::npos)
      << refused.output;
}

TEST_F(Synthesis, TensorsNameTheirPicturesWhateverTheBytes) {
  fs::rename(folder_ / "in" / "a.png", folder_ / "in" / "caf\xe9.png");
  const std::string tensors = folder_ / "run.safetensors";
  const ToolResult run = run_tool(
      "synthesize_texture",
      shallow("out", {"-n", "1", "--iter", "1", "--batch", "2", "--save_tensors", tensors}));
  ASSERT_EQ(run.exit_code, 0) << run.output;
  EXPECT_EQ(read_checkpoint(tensors).metadata["pictures"], R"(["seed_0_b","seed_0_caf\\xE9"])");
}

TEST_F(Synthesis, WeightsFromAFileAndTensorsOutOfTheRun) {
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

TEST_F(Synthesis, EachPictureStartsFromItsOwnInitImage) {
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
                "--image_size", "48", "--init_image", run, "--device", "cpu"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.output.find("tensor 'result' is f32[2,3,48,48], expected [1,3,48,48]"),
            std::string::npos)
      << refused.output;
  EXPECT_FALSE(fs::exists(folder_ / "third"));
}

TEST_F(Synthesis, InputsCanBeSeveral) {
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
                                              "--device",
                                              "cpu",
                                              "--quiet"};
  const ToolResult run = run_tool("synthesize_texture", arguments);
  EXPECT_EQ(run.exit_code, 0) << run.output;
  EXPECT_TRUE(fs::exists(folder_ / "out" / "seed_0_a.jpg"));
  EXPECT_TRUE(fs::exists(folder_ / "out" / "seed_0_b.jpg"));
}

// A name with what CSV, gnuplot and the shell take for their own.
TEST_F(Synthesis, NamesOfPicturesAreOnlyNames) {
  const std::string name = "a,b 'c' `touch here` $(touch here)";
  fs::create_directories(folder_ / "odd");
  data::save_image(folder_ / "odd" / (name + ".png"), make_picture(0));
  const ToolResult run =
      run_tool("synthesize_texture",
               {"-i", (folder_ / "odd").string(), "-o", (folder_ / "out").string(), "--image_size",
                "48", "-n", "1", "--iter", "1", "--device", "cpu", "--quiet"});
  EXPECT_EQ(run.exit_code, 0) << run.output;
  EXPECT_FALSE(fs::exists(folder_ / "out" / "here"));
  EXPECT_TRUE(fs::exists(folder_ / "out" / ("seed_0_" + name + ".jpg")));
  EXPECT_EQ(losses("out").begin()->first, "\"seed_0_a");  // quoted, as the comma asks
}

TEST_F(Synthesis, APlotTakesNamesOfSeveralLinesAndLongOnes) {
  if (std::system("gnuplot --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no gnuplot";
  const fs::path picture = folder_ / "in" / "a.png";
  fs::rename(picture, folder_ / "in" / ("a\n" + std::string(60, 'a') + ".png"));
  const ToolResult run = run_tool("synthesize_texture", shallow("out", {"-n", "1", "--iter", "1"}));
  EXPECT_EQ(run.exit_code, 0) << run.output;
  EXPECT_EQ(run.output.find("gnuplot"), std::string::npos) << run.output;
  const std::string script = read_text(folder_ / "out" / "losses.gp");
  EXPECT_NE(script.find("title \"seed_0_a aaaaaaaaaaaa...\""), std::string::npos) << script;
}

}  // namespace
}  // namespace gestalt::tests
