#pragma once

// Three stimuli made here, and runs of shape_bias evaluate on them.

#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "data/encode.h"
#include "kernels/error.h"
#include "tests/tools/run_tool.h"

namespace gestalt::tests {

namespace fs = std::filesystem;

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class Evaluate : public testing::Test {
 protected:
  void SetUp() override {
    add("cat", "cat1-dog2", 224, 224);
    add("cat", "cat2-bird1", 224, 224);
    add("dog", "dog1-cat1", 300, 260);
  }

  fs::path stimuli() const { return folder_ / "stimuli"; }
  fs::path out(const std::string& name = "out") const { return folder_ / name; }

  // Stripes and squares that differ by name.
  void add(const std::string& shape, const std::string& name, int width, int height) {
    fs::create_directories(stimuli() / shape);
    const size_t seed = std::hash<std::string>()(name);
    data::Image image(height, width);
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width * 3; ++x) {
        image.row(y)[x] = static_cast<uint8_t>(
            (x / 3 * (seed % 7 + 1) + y * (seed % 11) * (x % 3)) ^ (y / 16 * 37));
      }
    }
    data::save_image(stimuli() / shape / (name + ".png"), image);
  }

  ToolResult evaluate(const std::vector<std::string>& more, const std::string& name = "out") {
    std::vector<std::string> arguments = {
        "evaluate",         "--data",  stimuli().string(), "--out",
        out(name).string(), "--quiet", "--device",         "cpu"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_tool("shape_bias", arguments);
  }

  std::string failure(const std::vector<std::string>& more, int exit_code = 1) {
    const ToolResult result = evaluate(more, "failed");
    EXPECT_EQ(result.exit_code, exit_code) << result.output;
    EXPECT_FALSE(fs::exists(out("failed")));
    return result.output;
  }

  TemporaryFolder folder_;
};

}  // namespace gestalt::tests
