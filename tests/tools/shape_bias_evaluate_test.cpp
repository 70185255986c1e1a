// shape_bias evaluate on stimuli made here; random weights, so what is checked is not what is
// decided.

#include <fstream>
#include <nlohmann/json.hpp>

#include "models/registry.h"
#include "tensor/io/safetensors.h"
#include "tests/tools/hashes.h"
#include "tests/tools/shape_bias_fixture.h"
#include "tools/common/config.h"
#include "tools/common/json_file.h"

namespace gestalt::tests {
namespace {

TEST_F(Evaluate, WritesThePublishedFormAndKeepsWhatIsFinished) {
  const ToolResult result = evaluate({"--model", "alexnet", "--untrained", "--topk", "0.1,1"});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_TRUE(
      contains(result.output, "1 of 3 images are not 224x224 (dog/dog1-cat1.png is 300x260"))
      << result.output;
  EXPECT_TRUE(contains(result.output, "AlexNet_untrained_topK_10")) << result.output;
  const fs::path sparse = out() / "cue-conflict_AlexNet-untrained-topK-10_session-1.csv";
  const std::string text = read_text(sparse);
  EXPECT_TRUE(
      text.starts_with("subj,session,trial,rt,object_response,category,condition,imagename\r\n"
                       "AlexNet_untrained_topK_10,1,1,NaN,"))
      << text;
  EXPECT_TRUE(text.ends_with(",dog,NaN,dog1-cat1.png\r\n")) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4);
  EXPECT_FALSE(fs::exists(out() / ".unfinished"));
  const auto config = tools::read_json(out() / "config.json");
  EXPECT_EQ(config["settings"]["weights"], "untrained: random weights of seed 0");
  EXPECT_EQ(config["settings"]["layers"].size(), 5u);

  const auto time = fs::last_write_time(sparse);
  const ToolResult again = evaluate({"--model", "alexnet", "--untrained", "--topk", "0.1,0.5,1"});
  EXPECT_EQ(again.exit_code, 0) << again.output;
  EXPECT_EQ(fs::last_write_time(sparse), time);
  EXPECT_TRUE(fs::exists(out() / "cue-conflict_AlexNet-untrained-topK-50_session-1.csv"));

  const ToolResult other = evaluate({"--model", "resnet18", "--untrained", "--topk", "1"});
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_TRUE(contains(other.output, "was made with layers [\"features.2\"")) << other.output;
}

TEST_F(Evaluate, OneLayerAtATimeAndReversed) {
  const ToolResult result =
      evaluate({"--model", "resnet18", "--untrained", "--topk", "0.2,1", "--layers",
                "layer1,layer4", "--per_layer", "--reverse_topk"});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  for (const char* name : {"ResNet18-untrained-normal", "ResNet18-untrained-layer1-reverse-topK-20",
                           "ResNet18-untrained-layer4-reverse-topK-20"}) {
    EXPECT_TRUE(fs::exists(out() / format("cue-conflict_{}_session-1.csv", name))) << name;
  }
}

// Its branches meet: both must hold every sparsity.
TEST_F(Evaluate, TopKInsideABlock) {
  const std::vector<std::string> flags = {"--model", "resnet18", "--untrained", "--layers",
                                          "layer1.0.bn1"};
  const auto evaluate_at = [&](const std::string& fractions, const std::string& folder) {
    std::vector<std::string> more = flags;
    more.insert(more.end(), {"--topk", fractions});
    const ToolResult result = evaluate(more, folder);
    EXPECT_EQ(result.exit_code, 0) << result.output;
    return read_text(out(folder) /
                     "cue-conflict_ResNet18-untrained-layer1.0.bn1-topK-10_session-1.csv");
  };
  EXPECT_EQ(evaluate_at("0.1,1", "two"), evaluate_at("0.1", "one"));
}

TEST_F(Evaluate, ModesOfTopK) {
  const std::vector<std::string> flags = {"--model", "resnet18", "--untrained", "--topk", "0.2"};
  const auto evaluate_with = [&](const std::vector<std::string>& more, const std::string& folder) {
    std::vector<std::string> all = flags;
    all.insert(all.end(), more.begin(), more.end());
    return evaluate(all, folder);
  };
  ASSERT_EQ(evaluate_with({"--topk_mode", "mean_replace"}, "mean").exit_code, 0);
  EXPECT_TRUE(fs::exists(out("mean") /
                         "cue-conflict_ResNet18-untrained-mean-replace-topK-20_session-1.csv"));
  ASSERT_EQ(evaluate_with({"--topk_mode", "reverse"}, "reverse").exit_code, 0);
  EXPECT_EQ(evaluate_with({"--reverse_topk"}, "reverse").exit_code, 0);
  EXPECT_TRUE(
      fs::exists(out("reverse") / "cue-conflict_ResNet18-untrained-reverse-topK-20_session-1.csv"));
  const ToolResult other = evaluate_with({}, "reverse");
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_TRUE(contains(other.output, "was made with topk_mode \"reverse\", not \"keep\""))
      << other.output;
  EXPECT_EQ(evaluate_with({"--reverse_topk", "--topk_mode", "keep"}, "both").exit_code, 2);
}

TEST_F(Evaluate, CategoriesAreTheirClassesWhicheverTheFile) {
  const fs::path file = folder_ / "c.json", copy = folder_ / "copy.json";
  std::ofstream(file) << R"({"cat": [1, 2], "dog": [3], "bird": [4]})";
  const auto evaluate_with = [&](const fs::path& categories, const std::string& fractions) {
    return evaluate({"--model", "resnet18", "--untrained", "--categories", categories.string(),
                     "--topk", fractions});
  };
  const ToolResult result = evaluate_with(file, "1");
  ASSERT_EQ(result.exit_code, 0) << result.output;
  const fs::path csv = out() / "cue-conflict_ResNet18-untrained-normal_session-1.csv";
  const std::string decisions = read_text(csv);
  EXPECT_EQ(std::count(decisions.begin(), decisions.end(), '\n'), 4);
  const auto settings = tools::read_json(out() / "config.json")["settings"];
  EXPECT_EQ(settings["categories"], nlohmann::json({{"bird", {4}}, {"cat", {1, 2}}, {"dog", {3}}}));
  EXPECT_EQ(settings["categories_file"], file.string());

  fs::rename(file, copy);
  EXPECT_EQ(evaluate_with(copy, "0.5,1").exit_code, 0);
  std::ofstream(copy) << R"({"cat": [1], "dog": [3], "bird": [4]})";
  const ToolResult edited = evaluate_with(copy, "0.5,1");
  EXPECT_EQ(edited.exit_code, 1);
  EXPECT_TRUE(contains(edited.output, "was made with categories {\"bird\":[4],\"cat\":[1,2],"))
      << edited.output;
  EXPECT_EQ(read_text(csv), decisions);
}

// Folders of before some of these settings were there.
TEST_F(Evaluate, AnEarlierVersionsFolderGoesOn) {
  const std::vector<std::string> flags = {"--model", "resnet18", "--untrained",
                                          "--topk",  "0.5",      "--reverse_topk"};
  ASSERT_EQ(evaluate(flags).exit_code, 0);
  auto config = tools::read_json(out() / "config.json");
  auto& settings = config["settings"];
  for (const char* key : {"stem_stride", "image_size", "topk_mode", "categories_file"}) {
    EXPECT_EQ(settings.erase(key), 1u) << key;
  }
  settings["reverse_topk"] = true;
  settings["categories"] = "";
  std::ofstream(out() / "config.json") << config;
  const ToolResult again = evaluate(flags);
  EXPECT_EQ(again.exit_code, 0) << again.output;

  settings["stimuli"] = std::vector<std::string>(100, "cat1-dog2.png");
  std::ofstream(out() / "config.json") << config;
  const ToolResult other = evaluate(flags);
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_TRUE(contains(other.output, "was made with other stimuli: choose another --output"))
      << other.output;
}

TEST_F(Evaluate, GoesOnWhereItWasInterrupted) {
  for (int i = 3; i < 9; ++i) add("cat", "cat" + std::to_string(i) + "-dog1", 224, 224);
  const std::vector<std::string> flags = {
      "--model", "resnet18", "--untrained", "--topk", "0.1,1", "--batch_size", "1"};
  ASSERT_EQ(evaluate(flags, "whole").exit_code, 0);
  std::vector<std::string> arguments = {"evaluate",     "--data",  stimuli().string(), "--out",
                                        out().string(), "--quiet", "--device",         "cpu"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  // config.json is written right before the first image.
  const ToolResult result =
      run_tool("shape_bias", arguments, [&] { return fs::exists(out() / "config.json"); });
  const std::string file = "cue-conflict_ResNet18-untrained-topK-10_session-1.csv";
  if (result.exit_code == 130) {
    EXPECT_FALSE(fs::exists(out() / file));
    EXPECT_TRUE(fs::exists(out() / ".unfinished" / file));
    const ToolResult resumed = run_tool("shape_bias", arguments);
    EXPECT_EQ(resumed.exit_code, 0) << resumed.output;
  } else {
    EXPECT_EQ(result.exit_code, 0) << result.output;  // it was faster than the signal
  }
  EXPECT_EQ(read_text(out() / file), read_text(out("whole") / file));
}

TEST_F(Evaluate, AnUnreadableImageDoesNotLoseWhatWasDecided) {
  for (int i = 3; i < 40; ++i) add("cat", "cat" + std::to_string(i) + "-dog1", 224, 224);
  std::ofstream(stimuli() / "cat/cat0-dog1.png") << "no picture";  // the first of all
  const std::vector<std::string> flags = {
      "--model", "resnet18", "--untrained", "--topk", "0.1,1", "--batch_size", "1"};
  const ToolResult whole = evaluate(flags, "whole");
  ASSERT_EQ(whole.exit_code, 0) << whole.output;
  EXPECT_TRUE(contains(whole.output, "skipped 1 unreadable images")) << whole.output;
  std::vector<std::string> arguments = {"evaluate",     "--data",  stimuli().string(), "--out",
                                        out().string(), "--quiet", "--device",         "cpu"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  const ToolResult first =
      run_tool("shape_bias", arguments, [&] { return fs::exists(out() / "config.json"); });
  ASSERT_EQ(first.exit_code, 130) << first.output;
  const std::string file = "cue-conflict_ResNet18-untrained-topK-10_session-1.csv";
  const std::string saved = read_text(out() / ".unfinished" / file);
  EXPECT_TRUE(contains(saved, ",cat1-dog2.png\r\n")) << saved;

  const ToolResult second = run_tool("shape_bias", arguments);
  ASSERT_EQ(second.exit_code, 0) << second.output;
  EXPECT_TRUE(contains(second.output, "skipped 1 unreadable images")) << second.output;
  EXPECT_EQ(read_text(out() / file), read_text(out("whole") / file));

  add("cat", "cat0-dog1", 224, 224);
  const ToolResult repaired = run_tool("shape_bias", arguments);
  ASSERT_EQ(repaired.exit_code, 0) << repaired.output;
  EXPECT_TRUE(contains(read_text(out() / file), ",1,1,NaN,")) << read_text(out() / file);
  EXPECT_TRUE(contains(read_text(out() / file), ",cat0-dog1.png\r\n"));
  ASSERT_EQ(evaluate(flags, "new").exit_code, 0);
  EXPECT_EQ(read_text(out() / file), read_text(out("new") / file));
}

TEST_F(Evaluate, WeightsLoadUnderTorchvisionsNames) {
  StateDict state = models::make_model("resnet18", {}, 5)->state_dict();
  for (NamedTensor& entry : state) entry.name = "module." + entry.name;
  write_safetensors((folder_ / "weights.safetensors").string(), state);
  const ToolResult result = evaluate({"--model", "resnet18", "--weights",
                                      (folder_ / "weights.safetensors").string(), "--topk", "0.3"});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_TRUE(fs::exists(out() / "cue-conflict_ResNet18-topK-30_session-1.csv"));
  const ToolResult wrong = evaluate(
      {"--model", "alexnet", "--weights", (folder_ / "weights.safetensors").string()}, "x");
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_TRUE(contains(wrong.output, "weights.safetensors' for alexnet")) << wrong.output;
  EXPECT_TRUE(contains(wrong.output, "16 missing (features.0.weight, ")) << wrong.output;

  GESTALT_NEEDS_HASHES();
  fs::rename(folder_ / "weights.safetensors", folder_ / "renamed.safetensors");
  const ToolResult renamed = evaluate(
      {"--model", "resnet18", "--weights", folder_ / "renamed.safetensors", "--topk", "0.3,1"});
  EXPECT_EQ(renamed.exit_code, 0) << renamed.output;
}

TEST_F(Evaluate, WeightsOfATrainingRunHaveItsStemAndImageSize) {
  const fs::path run = folder_ / "run", elsewhere = folder_ / "elsewhere";
  const auto network = models::make_model("resnet18-cifar", {3, 64, 2}, 5);
  for (const fs::path& folder : {run, elsewhere}) {
    fs::create_directories(folder);
    write_safetensors((folder / "last.safetensors").string(), network->state_dict());
  }
  tools::write_config(run, "train_classifier",
                      {{"model", "resnet18-cifar"}, {"stem_stride", 2}, {"image_size", 64}});
  std::ofstream(folder_ / "c.json") << R"({"cat": [0], "dog": [1], "bird": [2]})";
  const auto flags = [&](const fs::path& folder, const std::vector<std::string>& more = {}) {
    std::vector<std::string> all = {"--model",      "resnet18-cifar",
                                    "--weights",    (folder / "last.safetensors").string(),
                                    "--categories", (folder_ / "c.json").string(),
                                    "--topk",       "0.2,1"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const ToolResult result = evaluate(flags(run));
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_TRUE(contains(result.output, "3 of 3 images are not 64x64")) << result.output;
  EXPECT_TRUE(contains(result.output, "resized to 73, centre cropped")) << result.output;
  const auto settings = tools::read_json(out() / "config.json")["settings"];
  EXPECT_EQ(settings["image_size"], 64);
  EXPECT_EQ(settings["stem_stride"], 2);

  EXPECT_TRUE(contains(failure(flags(elsewhere)), "linear.weight"));
  const std::vector<std::string> same = {"--image_size", "64", "--stem_stride", "2"};
  ASSERT_EQ(evaluate(flags(elsewhere, same), "given").exit_code, 0);
  const char* file = "cue-conflict_ResNet18-cifar-topK-20_session-1.csv";
  EXPECT_EQ(read_text(out("given") / file), read_text(out() / file));
  EXPECT_TRUE(contains(failure(flags(run, {"--stem_stride", "1"})), "linear.weight"));
}

TEST_F(Evaluate, BadInputIsNamedAndNothingIsWritten) {
  EXPECT_TRUE(contains(failure({"--model", "resnet18"}, 2), "no weights: --weights FILE"));
  const std::vector<std::string> usual = {"--model", "resnet18", "--untrained"};
  const auto failure_with = [&](std::vector<std::string> more, int exit_code = 1) {
    more.insert(more.begin(), usual.begin(), usual.end());
    return failure(more, exit_code);
  };
  EXPECT_TRUE(
      contains(failure_with({"--topk", "0"}, 2), "--topk: must be above 0 and up to 1, got 0"));
  EXPECT_TRUE(contains(failure_with({"--layers", "layer2.9"}, 2),
                       "no module 'layer2.9'; 'layer2' has 0, 1"));
  EXPECT_TRUE(contains(failure_with({"--name", "a/b"}, 2),
                       "--name: must be fit for a part of file names, got 'a/b'"));
  EXPECT_TRUE(contains(failure_with({"--categories", (folder_ / "c.json").string()}), "c.json"));
  std::ofstream(folder_ / "c.json") << R"({"cat": [1], "dog": [2.5]})";
  EXPECT_TRUE(contains(failure_with({"--categories", (folder_ / "c.json").string()}),
                       "c.json': 'dog' wants a list of class numbers, got [2.5]"));
  EXPECT_TRUE(contains(failure_with({"--layers", "fc"}), "Top-K after 'fc' expects [N,C,H,W]"));
  EXPECT_TRUE(contains(failure_with({"--image_size", "8"}, 2), "--image_size: must be 16 to"));
  const fs::path ten = folder_ / "ten.safetensors";
  write_safetensors(ten.string(), models::make_model("resnet18", {.classes = 10})->state_dict());
  EXPECT_TRUE(contains(failure({"--model", "resnet18", "--weights", ten.string()}),
                       "category 'airplane' has class 404, the network has 10 classes"));

  add("cat", "dog4-cat1", 224, 224);
  EXPECT_TRUE(contains(failure_with({}), "cat/dog4-cat1.png': the shape is 'dog', the folder"));
  fs::remove(stimuli() / "cat/dog4-cat1.png");
  add("cat", "holiday", 224, 224);
  EXPECT_TRUE(contains(failure_with({}), "holiday"));
  fs::remove(stimuli() / "cat/holiday.png");
  add("zebra", "zebra1-cat1", 224, 224);
  EXPECT_TRUE(contains(failure_with({}), "zebra': the folder is no category (these are: airplane"));
  fs::remove_all(stimuli() / "zebra");
  fs::create_directories(stimuli() / "bear");
  EXPECT_TRUE(contains(failure_with({}), "bear"));
}

// Else it were a category that nobody knows in the next run.
TEST_F(Evaluate, TheOutputLiesOutsideOfTheStimuli) {
  for (const char* inside : {"stimuli", "stimuli/../stimuli/out"}) {
    const ToolResult result = evaluate({"--model", "resnet18", "--untrained"}, inside);
    EXPECT_EQ(result.exit_code, 2) << result.output;
    EXPECT_TRUE(contains(result.output, "whose images are taken: give one outside"));
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(stimuli()), fs::directory_iterator()), 2);
}

}  // namespace
}  // namespace gestalt::tests
