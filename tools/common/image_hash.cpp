#include "tools/common/image_hash.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "tools/common/file_hash.h"

namespace gestalt::tools {

namespace fs = std::filesystem;

std::string hash_images(const data::ImageSource& source, const fs::path& path) {
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
  for (const std::string& name : source.index().names) {
    listing.append(1, '\0').append(name);
    if (!is_folder) continue;
    listing.append(1, '\0').append(std::to_string(fs::file_size(location / name, ignored)));
  }
  return sha256_of_text(listing);
}

nlohmann::json image_set(const data::ImageSource& source, const std::string& hash) {
  return {{"count", source.size()}, {"hash", hash}};
}

}  // namespace gestalt::tools
