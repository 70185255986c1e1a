#pragma once

// Two small folders of images for measure_fid, and its runs.

#include <algorithm>
#include <filesystem>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/encode.h"
#include "tensor/io/safetensors.h"
#include "tests/tools/run_tool.h"
#include "tools/common/json_file.h"

namespace gestalt::tests {

namespace fs = std::filesystem;
using nlohmann::json;

inline data::Image picture(int size, int seed) {
  data::Image image(size, size + seed % 2);  // of two sizes
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<uint8_t>(i * static_cast<size_t>(7 + seed) / 5);
  }
  return image;
}

class MeasureFid : public testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 5; ++i) {
      write_image("a/" + std::to_string(i) + ".png", picture(32, i));
      if (i < 3) write_image("b/deep/" + std::to_string(i) + ".jpg", picture(40, 20 + 3 * i));
    }
  }

  void write_image(const std::string& name, const data::Image& image) const {
    fs::create_directories((folder_ / name).parent_path());
    data::save_image(folder_ / name, image);
  }

  std::string write_features(const std::string& name, const Tensor& features) const {
    const NamedTensor tensor{"features", features};
    const std::string path = (folder_ / name).string();
    write_safetensors(path, {&tensor, 1});
    return path;
  }

  // The quick layer, and a cache of this test's own.
  ToolResult measure(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(),
                     {"--cache", (folder_ / "cache").string(), "--quiet", "--device", "cpu"});
    return run_tool("measure_fid", arguments);
  }
  ToolResult measure_images(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {a_, b_, "--features", "64"});
    return measure(more);
  }

  std::string failure(const std::vector<std::string>& arguments, int exit_code = 1) const {
    const ToolResult result = measure(arguments);
    EXPECT_EQ(result.exit_code, exit_code) << result.output;
    EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1) << result.output;
    return result.output;
  }

  const TemporaryFolder folder_;
  const std::string a_ = (folder_ / "a").string(), b_ = (folder_ / "b").string();
};

}  // namespace gestalt::tests
