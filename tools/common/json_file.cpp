#include "tools/common/json_file.h"

#include <nlohmann/json.hpp>

#include "kernels/error.h"
#include "tensor/io/bytes.h"

namespace gestalt::tools {

nlohmann::json read_json(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return {};
  try {
    return nlohmann::json::parse(map_file(path.string()).text(), nullptr, false);
  } catch (const Error& error) {
    throw Error(format("cannot read '{}': {}", path.string(), error.what()));
  }
}

}  // namespace gestalt::tools
