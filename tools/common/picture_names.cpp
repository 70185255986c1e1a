#include "tools/common/picture_names.h"

#include <algorithm>

namespace gestalt::tools {

namespace fs = std::filesystem;

std::string stem_with_extension(const fs::path& path) {
  std::string stem = path.stem().string();
  const std::string extension = path.extension().string();
  if (!extension.empty()) stem.append("_").append(extension, 1);
  return stem;
}

std::string flat_stem(const fs::path& name, Extension extension) {
  const bool keeps = extension == Extension::kept;
  const std::string stem = keeps ? stem_with_extension(name) : name.stem().string();
  std::string text = (name.parent_path() / stem).string();
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

}  // namespace gestalt::tools
