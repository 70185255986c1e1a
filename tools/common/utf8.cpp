#include "tools/common/utf8.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

namespace gestalt::tools {
namespace {

uint8_t byte_at(std::string_view text, size_t i) {
  return i < text.size() ? static_cast<uint8_t>(text[i]) : 0;
}

// Bytes of the code point that `text` begins with; 0 where it begins with none (RFC 3629: no
// overlong forms, no surrogates, nothing above U+10FFFF).
size_t length_of_first(std::string_view text) {
  const uint8_t first = byte_at(text, 0), second = byte_at(text, 1);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  uint8_t lowest = 0x80, highest = 0xbf;  // of the second byte
  if (first == 0xe0) lowest = 0xa0;
  if (first == 0xed) highest = 0x9f;
  if (first == 0xf0) lowest = 0x90;
  if (first == 0xf4) highest = 0x8f;
  if (first < 0xc2 || first > 0xf4 || second < lowest || second > highest) return 0;
  for (size_t i = 2; i < length; ++i) {
    if ((byte_at(text, i) & 0xc0) != 0x80) return 0;
  }
  return length;
}

}  // namespace

std::string as_utf8(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const size_t length = text[0] == '\\' ? 0 : length_of_first(text);
    if (length == 0) {
      result += fmt::format("\\x{:02X}", byte_at(text, 0));
    } else {
      result += text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return result;
}

std::string cut_utf8(const std::string& text, size_t most) {
  if (text.size() <= most) return text;
  const auto is_inside_a_letter = [&](size_t i) { return (byte_at(text, i) & 0xc0) == 0x80; };
  size_t end = most;
  while (end > 0 && is_inside_a_letter(end)) --end;
  return text.substr(0, end);
}

nlohmann::json as_utf8_json(const nlohmann::json& value) {
  if (value.is_string()) return as_utf8(value.get_ref<const std::string&>());
  nlohmann::json result = value;
  if (value.is_array()) {
    for (nlohmann::json& element : result) element = as_utf8_json(element);
  } else if (value.is_object()) {
    result = nlohmann::json::object();
    for (const auto& [key, element] : value.items()) {
      result[as_utf8(key)] = as_utf8_json(element);
    }
  }
  return result;
}

}  // namespace gestalt::tools
