#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

namespace gestalt::tools {

// What the file holds: null where there is no such file, discarded where it is not JSON. Throws
// Error where it can't be read.
nlohmann::json read_json(const std::filesystem::path& path);

}  // namespace gestalt::tools
