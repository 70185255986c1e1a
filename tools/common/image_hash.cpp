#include "tools/common/image_hash.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "kernels/error.h"
#include "kernels/parallel.h"
#include "tools/common/file_hash.h"

namespace gestalt::tools {

namespace fs = std::filesystem;

namespace {

// Each is a question to the file system: side by side they take as long as a few.
std::vector<uintmax_t> sizes_of(const data::ImageSource& source) {
  const fs::path location = source.location();
  std::vector<uintmax_t> sizes(source.size());
  parallel_for(source.size(), 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      std::error_code ignored;
      sizes[i] = fs::file_size(location / source.name(i), ignored);
    }
  });
  return sizes;
}

}  // namespace

std::vector<std::string> hash_each(const data::ImageSource& source) {
  std::vector<fs::path> files;
  std::vector<std::string> checksums;
  for (int64_t i = 0; i < source.size(); ++i) {
    if (const auto checksum = source.checksum_of(i)) {
      checksums.push_back(format("pixels {}", *checksum));
    } else {
      files.push_back(fs::path(source.location()) / source.name(i));
    }
  }
  return files.empty() ? checksums : sha256_of_files(files);
}

std::string hash_images(const data::ImageSource& source, const fs::path& path) {
  if (source.size() > 0 && source.checksum_of(0)) return hash_listing(source);
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return sha256_of_file(path);
  std::vector<fs::path> files;
  for (const std::string& name : source.index().names) files.push_back(path / name);
  std::string all;
  for (const std::string& digest : sha256_of_files(files)) all += digest;
  return all.empty() ? all : sha256_of_text(all);
}

std::string hash_listing(const data::ImageSource& source) {
  const fs::path location = source.location();
  std::error_code ignored;
  const bool is_folder = fs::is_directory(location, ignored);
  std::string listing = is_folder ? "" : std::to_string(fs::file_size(location, ignored));
  const bool has_files = is_folder && source.size() > 0 && !source.checksum_of(0);
  const std::vector<uintmax_t> sizes = has_files ? sizes_of(source) : std::vector<uintmax_t>();
  for (int64_t i = 0; i < source.size(); ++i) {
    const std::string& name = source.name(i);
    listing.append(1, '\0').append(name);
    if (const auto checksum = source.checksum_of(i)) {
      listing.append(1, '\0').append(std::to_string(*checksum));
    } else if (has_files) {
      listing.append(1, '\0').append(std::to_string(sizes[i]));
    }
  }
  return sha256_of_text(listing);
}

nlohmann::json image_set(const data::ImageSource& source, const std::string& hash) {
  return {{"count", source.size()}, {"hash", hash}};
}

}  // namespace gestalt::tools
