#pragma once

// Small pictures for train_fewshot_gan, and its flags for a run of seconds.

#include <algorithm>
#include <filesystem>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <vector>

#include "data/encode.h"
#include "tests/tools/run_tool.h"

namespace gestalt::tests {

// Discs of chance colours on chance grounds.
inline void write_pictures(const std::filesystem::path& folder, int count) {
  std::filesystem::create_directories(folder);
  std::mt19937 random(1);
  for (int i = 0; i < count; ++i) {
    data::Image image(40 + i, 50);
    const auto colour = static_cast<uint8_t>(random() % 256);
    const auto ground = static_cast<uint8_t>(random() % 256);
    for (int y = 0; y < image.height; ++y) {
      for (int x = 0; x < image.width; ++x) {
        const bool inside = (x - 25) * (x - 25) + (y - 20) * (y - 20) < 150;
        for (int c = 0; c < 3; ++c) {
          image.row(y)[3 * x + c] = static_cast<uint8_t>((inside ? colour : ground) + 20 * c);
        }
      }
    }
    data::save_image(folder / (std::to_string(i) + ".png"), image);
  }
}

using Flags = std::vector<std::string>;

inline void set(Flags& flags, const std::string& name, const std::string& value) {
  const auto given = std::find(flags.begin(), flags.end(), name);
  if (given != flags.end()) {
    *(given + 1) = value;
  } else {
    flags.insert(flags.end(), {name, value});
  }
}

class TrainFewshotGan : public testing::Test {
 protected:
  TrainFewshotGan() { write_pictures(folder_ / "data", 5); }

  Flags flags(const std::string& name) const {
    return {"--path",
            folder_ / "data",
            "--output",
            folder_ / "runs",
            "--name",
            name,
            "--im_size",
            "32",
            "--batch_size",
            "2",
            "--base_channels",
            "8",
            "--nz",
            "16",
            "--sparse_hw_info",
            "16_25",
            "--iter",
            "6",
            "--log_every",
            "2",
            "--eval_every",
            "1000",
            "--n_sample",
            "2",
            "--n_eval_draws",
            "1",
            "--compat",
            "paper",
            "--seed",
            "3",
            "--device",
            "cpu"};
  }
  std::filesystem::path run(const std::string& name) const { return folder_ / "runs" / name; }

  TemporaryFolder folder_;
};

}  // namespace gestalt::tests
