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

namespace {

template <size_t N>
bool has_one_of(const fs::path& path, const std::array<const char*, N>& extensions) {
  const std::string extension = lower_case(path.extension().string());
  return std::find(extensions.begin(), extensions.end(), extension) != extensions.end();
}

}  // namespace

bool has_image_extension(const fs::path& path) {
  static constexpr std::array known = {".jpg", ".jpeg", ".png", ".webp", ".bmp",
                                       ".ppm", ".pgm",  ".tif", ".tiff"};
  return has_one_of(path, known);
}

bool has_foreign_image_extension(const fs::path& path) {
  static constexpr std::array foreign = {".gif", ".heic", ".heif", ".avif", ".jfif", ".jpe", ".jp2",
                                         ".jxl", ".svg",  ".ico",  ".tga",  ".psd",  ".exr", ".hdr",
                                         ".pnm", ".pbm",  ".dib",  ".dng",  ".cr2",  ".nef"};
  return has_one_of(path, foreign);
}

bool may_be_file(const fs::directory_entry& entry) {
  std::error_code ignored;
  return !entry.is_directory(ignored) && !entry.is_other(ignored);
}

std::vector<fs::path> list_images(const fs::path& path, std::vector<fs::path>* passed_over) {
  std::error_code error;
  const auto status = fs::status(path, error);
  GESTALT_CHECK(fs::exists(status), "cannot read '{}': no such file or folder", path.string());
  if (!fs::is_directory(status)) return {path};

  std::vector<fs::path> images;
  size_t entries = 0;
  fs::directory_iterator iterator(path, error);
  for (; !error && iterator != fs::directory_iterator(); iterator.increment(error)) {
    const fs::path& entry = iterator->path();
    ++entries;
    const bool is_image = has_image_extension(entry);
    const bool is_foreign = passed_over != nullptr && has_foreign_image_extension(entry);
    if ((is_image || is_foreign) && entry.filename().string().front() != '.' &&
        may_be_file(*iterator)) {
      (is_image ? images : *passed_over).push_back(entry);
    }
  }
  GESTALT_CHECK(!error, "cannot read '{}': {}", path.string(), error.message());
  GESTALT_CHECK(entries > 0, "cannot read '{}': the folder is empty", path.string());
  GESTALT_CHECK(
      !images.empty(),
      "cannot read '{}': no images among its {} entries (jpg jpeg png webp bmp ppm pgm tif "
      "tiff)",
      path.string(), entries);
  std::sort(images.begin(), images.end());
  if (passed_over != nullptr) std::sort(passed_over->begin(), passed_over->end());
  return images;
}

}  // namespace gestalt::data
