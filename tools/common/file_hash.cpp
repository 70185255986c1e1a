#include "tools/common/file_hash.h"

#include "kernels/error.h"
#include "kernels/parallel.h"
#include "tensor/io/known_files.h"

namespace gestalt::tools {

std::string sha256_of_text(const std::string& text) {
  return sha256({reinterpret_cast<const std::byte*>(text.data()), text.size(), nullptr});
}

std::string sha256_of_file(const std::filesystem::path& path) {
  try {
    return sha256(map_file(path.string()));
  } catch (const Error&) {
    return sha256_of_text("");
  }
}

std::vector<std::string> sha256_of_files(const std::vector<std::filesystem::path>& paths) {
  std::vector<std::string> hashes(paths.size());
  parallel_for(static_cast<int64_t>(paths.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) hashes[i] = sha256_of_file(paths[i]);
  });
  return hashes;
}

}  // namespace gestalt::tools
