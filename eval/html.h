#pragma once

// (internal to eval/) Pieces of HTML pages that need nothing beside them.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gestalt::eval {

// For text and for attributes in double quotes.
std::string escape_html(std::string_view text);

std::string base64(std::span<const uint8_t> bytes);

// "data:image/png;base64,..."
std::string data_uri(std::string_view media_type, std::span<const uint8_t> bytes);
std::string data_uri(std::string_view media_type, std::string_view text);

}  // namespace gestalt::eval
