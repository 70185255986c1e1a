#include "tensor/io/pickle_text.h"

#include <charconv>

#include "kernels/error.h"

namespace gestalt::pickle {
namespace {

void append_utf8(std::string& text, uint32_t code) {
  const auto add = [&](uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xc0 | code >> 6), add(0x80 | (code & 63));
  } else if (code < 0x10000) {
    add(0xe0 | code >> 12), add(0x80 | (code >> 6 & 63)), add(0x80 | (code & 63));
  } else {
    add(0xf0 | (code >> 18 & 7)), add(0x80 | (code >> 12 & 63));
    add(0x80 | (code >> 6 & 63)), add(0x80 | (code & 63));
  }
}

uint32_t parse_hex(std::string_view digits) {
  uint32_t code = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
  GESTALT_CHECK(error == std::errc() && end == digits.data() + digits.size(),
                "corrupt pickle: a bad escape in a string");
  return code;
}

}  // namespace

std::string latin1_to_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (const char c : bytes) append_utf8(text, static_cast<uint8_t>(c));
  return text;
}

std::string unescape(std::string_view text, bool raw_unicode) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      append_utf8(out, static_cast<uint8_t>(text[i]));
      continue;
    }
    const char escape = text[i + 1];
    const size_t digits = escape == 'u' ? 4 : escape == 'U' ? 8 : escape == 'x' ? 2 : 0;
    if (digits != 0 && raw_unicode == (escape != 'x')) {
      GESTALT_CHECK(text.size() - i - 2 >= digits, "corrupt pickle: a bad escape in a string");
      append_utf8(out, parse_hex(text.substr(i + 2, digits)));
      i += 1 + digits;
    } else if (raw_unicode) {
      out.push_back('\\');
    } else {
      constexpr std::string_view escapes = "ntr\\'\"", plain = "\n\t\r\\'\"";
      const size_t index = escapes.find(escape);
      GESTALT_CHECK(index != std::string_view::npos, "corrupt pickle: a bad escape in a string");
      out.push_back(plain[index]);
      ++i;
    }
  }
  return out;
}

int64_t parse_integer(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  GESTALT_CHECK(error == std::errc() && end == text.data() + text.size(),
                "corrupt pickle: a bad integer");
  return value;
}

}  // namespace gestalt::pickle
