#pragma once

// Two small pictures, and runs of synthesize_texture or visualize_topk on them.

#include <filesystem>
#include <gtest/gtest.h>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "data/encode.h"
#include "data/image.h"
#include "tests/tools/run_tool.h"

namespace gestalt::tests {

// Two pictures with edges and texture, not square and not the size that is optimized.
inline data::Image make_picture(int kind) {
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
    std::filesystem::create_directories(folder_ / "in");
    data::save_image(folder_ / "in" / "a.png", make_picture(0));
    data::save_image(folder_ / "in" / "b.png", make_picture(1));
  }

  std::vector<std::string> flags(const std::string& out, std::vector<std::string> more = {}) const {
    std::vector<std::string> all = {"-i",           (folder_ / "in").string(),
                                    "-o",           (folder_ / out).string(),
                                    "--image_size", "48",
                                    "--quiet",      "--device",
                                    "cpu"};
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
    const std::filesystem::path folder = folder_ / out / "progress";
    return std::filesystem::exists(folder)
               ? std::distance(std::filesystem::directory_iterator(folder), {})
               : 0;
  }

  TemporaryFolder folder_;
};

}  // namespace gestalt::tests
