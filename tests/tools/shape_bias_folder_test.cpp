// The folder of shape_bias evaluate: whose its files are, and what of them counts as done.

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <unistd.h>

#include "models/registry.h"
#include "tensor/io/safetensors.h"
#include "tests/tools/hashes.h"
#include "tests/tools/shape_bias_fixture.h"
#include "tools/common/folder_lock.h"
#include "tools/shape_bias/output_files.h"

namespace gestalt::tests {
namespace {

using tools::OutputFiles;

class EvaluateFolder : public Evaluate {
 protected:
  // One sparsity, so that a run takes little more than its start.
  ToolResult run(const std::string& name, const std::vector<std::string>& more = {}) {
    std::vector<std::string> flags = {"--model", "resnet18", "--untrained", "--topk",
                                      "1",       "--name",   name};
    flags.insert(flags.end(), more.begin(), more.end());
    return evaluate(flags);
  }

  fs::path csv(const std::string& name) const {
    return out() / format("cue-conflict_{}-normal_session-1.csv", name);
  }

  std::map<std::string, std::string> hashes(const std::string& name) const {
    return tools::read_image_hashes(csv(name));
  }

  // Its line for one image, without the number of the trial.
  static std::string row_of(const fs::path& file, const std::string& image) {
    std::istringstream text(read_text(file));
    for (std::string line; std::getline(text, line);) {
      if (contains(line, image)) return line;
    }
    return "";
  }
};

TEST_F(EvaluateFolder, ImagesWithNewContentAreDecidedAnew) {
  GESTALT_NEEDS_HASHES();
  ASSERT_EQ(run("net").exit_code, 0);
  const auto before = hashes("net");
  ASSERT_EQ(before.size(), 3u);
  const auto time = fs::last_write_time(csv("net"));
  ToolResult again = run("net");
  EXPECT_FALSE(contains(again.output, "content changed")) << again.output;
  EXPECT_EQ(fs::last_write_time(csv("net")), time);

  // A response that the network does not give stands for one about the earlier content.
  const auto mark_all = [&] {
    std::string text = read_text(csv("net"));
    for (const char* image : {"cat1-dog2", "cat2-bird1", "dog1-cat1"}) {
      const std::string row = row_of(csv("net"), image);
      std::vector<std::string> fields;
      std::istringstream parts(row);
      for (std::string field; std::getline(parts, field, ',');) fields.push_back(field);
      const size_t place = text.find(row), response = row.find(fields[4], row.find("NaN"));
      text.replace(place + response, fields[4].size(), "na");
    }
    std::ofstream(csv("net"), std::ios::binary) << text;
  };
  mark_all();
  fs::copy_file(stimuli() / "cat/cat1-dog2.png", stimuli() / "cat/cat2-bird1.png",
                fs::copy_options::overwrite_existing);
  again = run("net");
  ASSERT_EQ(again.exit_code, 0) << again.output;
  EXPECT_TRUE(contains(again.output,
                       "content changed, decided anew: 1 image, the first: cat/cat2-bird1.png\n"))
      << again.output;
  EXPECT_FALSE(contains(row_of(csv("net"), "cat2-bird1"), ",na,"));
  EXPECT_TRUE(contains(row_of(csv("net"), "dog1-cat1"), ",na,"));  // as it was
  EXPECT_EQ(hashes("net").at("cat2-bird1.png"), before.at("cat1-dog2.png"));
  EXPECT_EQ(hashes("net").at("dog1-cat1.png"), before.at("dog1-cat1.png"));

  // Touching a file is no change; without hashes, as of earlier versions, decisions stay.
  fs::last_write_time(stimuli() / "dog/dog1-cat1.png", fs::file_time_type::clock::now());
  EXPECT_FALSE(contains(run("net").output, "content changed"));
  fs::remove(tools::image_hashes_file(csv("net")));
  add("dog", "dog1-cat1", 224, 224);
  EXPECT_FALSE(contains(run("net").output, "content changed"));
  EXPECT_EQ(run("net", {"--overwrite"}).exit_code, 0);
  EXPECT_EQ(hashes("net").size(), 3u);
}

TEST_F(EvaluateFolder, AnImageThatBecameUnreadableHasNoDecision) {
  GESTALT_NEEDS_HASHES();
  ASSERT_EQ(run("net").exit_code, 0);
  std::ofstream(stimuli() / "cat/cat1-dog2.png") << "no picture";
  const ToolResult result = run("net");
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_TRUE(contains(result.output, "skipped 1 unreadable images")) << result.output;
  EXPECT_EQ(row_of(csv("net"), "cat1-dog2"), "");
  EXPECT_EQ(hashes("net").count("cat1-dog2.png"), 0u);
}

TEST_F(EvaluateFolder, DamagedHashesAreNamed) {
  ASSERT_EQ(run("net").exit_code, 0);
  for (const char* text : {"{", "[]", "{\"cat1-dog2.png\": 1}"}) {
    std::ofstream(tools::image_hashes_file(csv("net"))) << text;
    const ToolResult result = run("net");
    EXPECT_EQ(result.exit_code, 1) << text;
    EXPECT_TRUE(contains(result.output, "net-normal_session-1.images.json' is damaged"))
        << result.output;
  }
}

// '_' becomes '-' in names of files.
TEST_F(EvaluateFolder, AnObserverTakesNoFileOfAnotherName) {
  ASSERT_EQ(run("a_b").exit_code, 0);
  const std::string text = read_text(csv("a-b")), config = read_text(out() / "config.json");
  for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"--overwrite"}}) {
    const ToolResult refused = run("a-b", more);
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_TRUE(contains(refused.output, csv("a-b").string() +
                                             "' holds the decisions of observer 'a_b_normal', not "
                                             "of 'a-b_normal': give another --name or --output\n"))
        << refused.output;
    EXPECT_EQ(read_text(csv("a-b")), text);
    EXPECT_EQ(read_text(out() / "config.json"), config);
  }
  EXPECT_FALSE(fs::exists(tools::unfinished_folder(out())));
  // Of an interrupted run likewise.
  fs::create_directories(tools::unfinished_folder(out()));
  fs::rename(csv("a-b"), tools::unfinished_folder(out()) / csv("a-b").filename());
  EXPECT_TRUE(contains(run("a-b").output, "of observer 'a_b_normal'"));
  EXPECT_EQ(run("a_b").exit_code, 0);
  EXPECT_EQ(read_text(csv("a-b")), text);
}

TEST_F(EvaluateFolder, IsOfSeveralProcessesButEachFileOfOne) {
  fs::create_directories(out());
  {
    const OutputFiles others(out(), {"other_normal"});
    const ToolResult refused = run("other");
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_TRUE(contains(refused.output, format("shape_bias: '{}' is in use: process {} is writing "
                                                "it\n",
                                                csv("other").string(), getpid())))
        << refused.output;
    EXPECT_FALSE(fs::exists(out() / "config.json"));

    // What the other has undone so far stays its own, whatever is begun anew beside it.
    const fs::path its = tools::unfinished_folder(out()) / csv("other").filename(),
                   old = tools::unfinished_folder(out()) / csv("killed").filename();
    for (const fs::path& file : {its, old}) std::ofstream(file) << "half";
    const ToolResult mine = run("net", {"--overwrite"});
    EXPECT_EQ(mine.exit_code, 0) << mine.output;
    EXPECT_TRUE(fs::exists(csv("net")));
    EXPECT_TRUE(fs::exists(its));
    EXPECT_FALSE(fs::exists(old));
    fs::remove(its);
  }
  EXPECT_FALSE(fs::exists(tools::unfinished_folder(out())));
  EXPECT_EQ(run("other").exit_code, 0);
}

TEST_F(EvaluateFolder, AnInterruptBeforeTheFirstImageLeavesTheEarlierFiles) {
  ASSERT_EQ(run("net").exit_code, 0);
  const std::string text = read_text(csv("net"));
  const fs::path unfinished = tools::unfinished_folder(out());
  // Here it waits with what it would change.
  std::optional<tools::FileLock> lock(std::in_place, out() / "config.json",
                                      unfinished / "config.json.lock");
  const auto interrupt_where_it_waits = [&] {
    pid_t process = 0;
    std::ifstream(unfinished / (csv("net").filename().string() + ".lock")) >> process;
    if (process > 0 && lock) {
      kill(process, SIGINT);
      lock.reset();
    }
    return false;
  };
  const ToolResult result = run_tool(
      "shape_bias",
      {"evaluate", "--data", stimuli(), "--out", out(), "--quiet", "--device", "cpu", "--model",
       "resnet18", "--untrained", "--name", "net", "--topk", "1", "--overwrite"},
      interrupt_where_it_waits);
  EXPECT_EQ(result.exit_code, 130);
  EXPECT_TRUE(result.output.ends_with("shape_bias: interrupted; nothing was changed\n"))
      << result.output;
  EXPECT_EQ(read_text(csv("net")), text);
}

TEST_F(EvaluateFolder, TwoRunsSideBySideFinish) {
  for (int i = 3; i < 40; ++i) add("cat", "cat" + std::to_string(i) + "-dog1", 224, 224);
  bool tried = false;
  const auto run_another = [&] {
    if (tried || !fs::exists(out() / "config.json")) return false;
    tried = true;
    const ToolResult second = run("second");
    EXPECT_EQ(second.exit_code, 0) << second.output;
    return false;
  };
  const ToolResult first =
      run_tool("shape_bias",
               {"evaluate", "--data", stimuli(), "--out", out(), "--quiet", "--device", "cpu",
                "--model", "resnet18", "--untrained", "--name", "first", "--batch_size", "1"},
               run_another);
  EXPECT_EQ(first.exit_code, 0) << first.output;
  EXPECT_TRUE(tried);
  EXPECT_EQ(run("second").exit_code, 0);
  for (const char* name : {"first", "second"}) {
    const std::string text = read_text(csv(name));
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 41) << name;
  }
  EXPECT_FALSE(fs::exists(tools::unfinished_folder(out())));
}

TEST_F(EvaluateFolder, WeightsThatAreNotFiniteDecideNothing) {
  StateDict state = models::make_model("resnet18", {}, 5)->state_dict();
  state[0].tensor = Tensor::full(state[0].tensor.shape(), NAN);
  const std::string weights = folder_ / "nan.safetensors";
  write_safetensors(weights, state);
  EXPECT_TRUE(contains(
      failure({"--model", "resnet18", "--weights", weights}),
      "shape_bias: '" + weights + "': " + state[0].name + " holds values that are not finite\n"));
}

}  // namespace
}  // namespace gestalt::tests
