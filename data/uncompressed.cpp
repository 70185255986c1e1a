// BMP, PPM and PGM, read here: OpenCV's reader of BMP prints on stderr, and its reader of PPM cuts
// maxima other than 255 where Pillow scales.

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "data/codecs.h"
#include "kernels/error.h"
#include "kernels/rounding.h"

namespace gestalt::data::codecs {
namespace {

constexpr const char* truncated = "the data is truncated";

uint32_t little_endian(std::span<const uint8_t> bytes, size_t offset, int size) {
  GESTALT_CHECK(offset + size <= bytes.size(), "{}", truncated);
  uint32_t value = 0;
  for (int i = size - 1; i >= 0; --i) value = value << 8 | bytes[offset + i];
  return value;
}

}  // namespace

// Without compression: palettes of 1, 4 and 8 bits, and blue-green-red of 24 and 32 bits.
Image decode_bmp(std::span<const uint8_t> bytes, int64_t max_pixels) {
  const auto number = [&](size_t offset, int size) { return little_endian(bytes, offset, size); };
  const uint32_t header_size = number(14, 4);
  GESTALT_CHECK(header_size >= 40, "BMP of the OS/2 kind is not supported");
  const int64_t width = static_cast<int32_t>(number(18, 4));
  const int64_t signed_height = static_cast<int32_t>(number(22, 4));
  const int64_t height = std::abs(signed_height);  // negative: the top row comes first
  check_size(width, height, max_pixels);
  const int64_t bits = number(28, 2), compression = number(30, 4);
  const bool usual_masks = compression == 3 && bits == 32 && number(54, 4) == 0xff0000 &&
                           number(58, 4) == 0xff00 && number(62, 4) == 0xff;
  GESTALT_CHECK((compression == 0 || usual_masks) &&
                    (bits == 1 || bits == 4 || bits == 8 || bits == 24 || bits == 32),
                "BMP with {} bits and compression {} is not supported", bits, compression);

  const size_t first_row = number(10, 4), row_bytes = ceil_div(width * bits, 32) * 4;
  GESTALT_CHECK(first_row + row_bytes * height <= bytes.size(), "{}", truncated);
  uint8_t palette[256][3] = {};  // blue, green, red
  if (bits <= 8) {
    const uint32_t stated = number(46, 4);
    const uint32_t entries = std::min(stated == 0 ? 256 : stated, 1u << bits);
    for (uint32_t i = 0; i < entries; ++i) {
      for (int c = 0; c < 3; ++c) palette[i][c] = number(14 + header_size + 4 * i + c, 1);
    }
  }
  Image image(static_cast<int>(height), static_cast<int>(width));
  for (int y = 0; y < image.height; ++y) {
    const int64_t stored = signed_height < 0 ? y : height - 1 - y;
    const uint8_t* from = bytes.data() + first_row + row_bytes * stored;
    uint8_t* to = image.row(y);
    for (int64_t x = 0; x < width; ++x, to += 3) {
      const uint8_t* pixel = from + x * bits / 8;
      if (bits <= 8) pixel = palette[*pixel >> (8 - bits - x * bits % 8) & ((1 << bits) - 1)];
      for (int c = 0; c < 3; ++c) to[c] = pixel[2 - c];
    }
  }
  return image;
}

// Binary (P5, P6), with a maximum of 255.
Image decode_pnm(std::span<const uint8_t> bytes, int64_t max_pixels) {
  size_t at = 2;
  const auto next_number = [&] {
    while (at < bytes.size() && (std::isspace(bytes[at]) || bytes[at] == '#')) {
      if (bytes[at] == '#') {
        while (at < bytes.size() && bytes[at] != '\n') ++at;
      } else {
        ++at;
      }
    }
    GESTALT_CHECK(at < bytes.size(), "{}", truncated);
    GESTALT_CHECK(std::isdigit(bytes[at]), "the PPM header is corrupt");
    int64_t value = 0;
    for (; at < bytes.size() && std::isdigit(bytes[at]); ++at) {
      value = std::min<int64_t>(value * 10 + (bytes[at] - '0'), INT32_MAX);
    }
    return value;
  };
  const int64_t width = next_number(), height = next_number(), maximum = next_number();
  check_size(width, height, max_pixels);
  GESTALT_CHECK(maximum == 255, "PPM with a maximum of {} is not supported (255 is)", maximum);
  ++at;  // the one space after the header
  const int channels = bytes[1] == '6' ? 3 : 1;
  const size_t count = static_cast<size_t>(width * height);
  GESTALT_CHECK(at <= bytes.size() && bytes.size() - at >= count * channels, "{}", truncated);
  Image image(static_cast<int>(height), static_cast<int>(width));
  const uint8_t* from = bytes.data() + at;
  for (size_t i = 0; i < count * 3; ++i) image.pixels[i] = from[channels == 3 ? i : i / 3];
  return image;
}

}  // namespace gestalt::data::codecs
