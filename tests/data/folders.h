#pragma once

// Folders of small images for the tests of data/.

#include <filesystem>
#include <string>
#include <vector>

#include "data/encode.h"
#include "data/image.h"
#include "tests/error_of.h"
#include "tests/temporary_folder.h"

namespace gestalt::data {

using tests::error_of;
using tests::TemporaryFolder;

// Pixels that tell where they are, and `number` apart from others.
inline Image numbered_image(int height, int width, int number) {
  Image image(height, width);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      uint8_t* pixel = image.row(y) + 3 * x;
      pixel[0] = static_cast<uint8_t>(7 * x + number);
      pixel[1] = static_cast<uint8_t>(5 * y + 3 * number);
      pixel[2] = static_cast<uint8_t>(x * y + 11 * number);
    }
  }
  return image;
}

inline void save(const std::filesystem::path& path, const Image& image) {
  std::filesystem::create_directories(path.parent_path());
  save_image(path, image);
}

// CLASS/N.png of sizes around 30x40, `per_class` in each of the classes bird, cat and dog.
inline void make_class_folders(const std::filesystem::path& root, int per_class) {
  int number = 0;
  for (const char* name : {"cat", "bird", "dog"}) {
    for (int i = 0; i < per_class; ++i, ++number) {
      save(root / name / (std::to_string(i) + ".png"),
           numbered_image(25 + number % 7, 40 - number % 5, number));
    }
  }
}

}  // namespace gestalt::data
