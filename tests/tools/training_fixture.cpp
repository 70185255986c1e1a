#include "tests/tools/training_fixture.h"

#include <algorithm>
#include <random>

#include "data/encode.h"

namespace gestalt::tests {

namespace fs = std::filesystem;

void write_stripes(const fs::path& folder, bool across, int count, int side,
                   const std::string& extension) {
  fs::create_directories(folder);
  std::mt19937 random(across);
  for (int i = 0; i < count; ++i) {
    data::Image image(side - 4 + i % 3, side);
    for (int y = 0; y < image.height; ++y) {
      for (int x = 0; x < image.width; ++x) {
        const int base = (across ? y : x) / (side / 10) % 2 * 180;
        for (int c = 0; c < 3; ++c) {
          image.row(y)[3 * x + c] = static_cast<uint8_t>(base + random() % 60);
        }
      }
    }
    data::save_image(folder / (std::to_string(i) + extension), image);
  }
}

void write_set(const fs::path& folder, int count, int side, const std::string& extension) {
  write_stripes(folder / "across", true, count, side, extension);
  write_stripes(folder / "along", false, count, side, extension);
}

std::vector<std::string> with(std::vector<std::string> flags,
                              const std::vector<std::string>& more) {
  for (const std::string& flag : more) {
    if (!flag.starts_with("--")) continue;
    const auto given = std::find(flags.begin(), flags.end(), flag);
    if (given != flags.end()) flags.erase(given, given + 2);
  }
  flags.insert(flags.end(), more.begin(), more.end());
  return flags;
}

TrainClassifier::TrainClassifier() {
  write_set(folder_ / "data/train", 7);
  write_set(folder_ / "data/val", 2);
}

std::vector<std::string> TrainClassifier::arguments(const std::string& name) const {
  return {"--data_folder_path",
          folder_ / "data",
          "--eval_folder",
          "again=" + (folder_ / "data/val").string(),
          "--output",
          folder_ / "runs",
          "--name",
          name,
          "--topk",
          "2_20",
          "--image_size",
          "32",
          "--total_epochs",
          "2",
          "--batch_size",
          "5",
          "--lr",
          "0.02",
          "--save_every_steps",
          "1",
          "--log_every_steps",
          "2",
          "--workers",
          "2",
          "--seed",
          "3",
          "--device",
          "cpu"};
}

}  // namespace gestalt::tests
