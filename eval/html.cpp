#include "eval/html.h"

#include "kernels/error.h"

namespace gestalt::eval {

std::string escape_html(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string base64(std::span<const uint8_t> bytes) {
  constexpr std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;  // 24 bits, the first byte on top
    for (size_t j = 0; j < 3; ++j) group = group << 8 | (j < count ? bytes[i + j] : 0u);
    for (size_t j = 0; j < 4; ++j) {
      text += j <= count ? letters[group >> (18 - 6 * j) & 63] : '=';
    }
  }
  return text;
}

std::string data_uri(std::string_view media_type, std::span<const uint8_t> bytes) {
  return format("data:{};base64,{}", media_type, base64(bytes));
}

std::string data_uri(std::string_view media_type, std::string_view text) {
  return data_uri(media_type,
                  std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

}  // namespace gestalt::eval
