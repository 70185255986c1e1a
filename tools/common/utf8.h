#pragma once

// The names of files are any bytes; JSON and terminals take UTF-8.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace gestalt::tools {

// Bytes that are not of UTF-8 become "\xE9", hexadecimal; so does the backslash, that no two texts
// become the same.
std::string as_utf8(std::string_view text);

// The first `most` bytes of UTF-8, or fewer: a letter is whole or left out.
std::string cut_utf8(const std::string& text, size_t most);

// `value` with all of its texts and keys so.
nlohmann::json as_utf8_json(const nlohmann::json& value);

}  // namespace gestalt::tools
