#include "data/folder.h"

#include <algorithm>
#include <array>

#include "kernels/error.h"

namespace gestalt::data {

namespace fs = std::filesystem;

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

bool has_image_extension(const fs::path& path) {
  static constexpr std::array known = {".jpg", ".jpeg", ".png", ".webp", ".bmp",
                                       ".ppm", ".pgm",  ".tif", ".tiff"};
  const std::string extension = lower_case(path.extension().string());
  return std::find(known.begin(), known.end(), extension) != known.end();
}

std::vector<fs::path> list_images(const fs::path& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  GESTALT_CHECK(fs::exists(status), "[images] {}: no such file or folder", path.string());
  if (!fs::is_directory(status)) return {path};

  std::vector<fs::path> images;
  size_t entries = 0;
  fs::directory_iterator iterator(path, error);
  for (; !error && iterator != fs::directory_iterator(); iterator.increment(error)) {
    const fs::path& entry = iterator->path();
    ++entries;
    std::error_code ignored;
    if (has_image_extension(entry) && entry.filename().string().front() != '.' &&
        !fs::is_directory(entry, ignored)) {
      images.push_back(entry);
    }
  }
  GESTALT_CHECK(!error, "[images] {}: {}", path.string(), error.message());
  GESTALT_CHECK(entries > 0, "[images] {}: the folder is empty", path.string());
  GESTALT_CHECK(!images.empty(),
                "[images] {}: no images among its {} entries (jpg jpeg png webp bmp ppm pgm tif "
                "tiff)",
                path.string(), entries);
  std::sort(images.begin(), images.end());
  return images;
}

}  // namespace gestalt::data
