// WebP, BMP and TIFF by OpenCV, for the kinds in which its pixels are Pillow's; the headers are
// read here first, so that other kinds are errors instead of slightly different pixels. PPM and
// PGM.

#include <algorithm>
#include <cctype>
#include <cstring>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "data/codecs.h"
#include "kernels/error.h"

namespace gestalt::data::codecs {
namespace {

using Bytes = std::span<const uint8_t>;

constexpr const char* truncated = "the data is truncated";

uint32_t read_number(Bytes bytes, size_t offset, int size, bool big_endian) {
  GESTALT_CHECK(offset + size <= bytes.size(), "{}", truncated);
  uint32_t value = 0;
  for (int i = 0; i < size; ++i) {
    const int byte = big_endian ? i : size - 1 - i;
    value = value << 8 | bytes[offset + byte];
  }
  return value;
}

// Uncompressed BMP of 1, 4, 8, 24 or 32 bits. Sizes are checked here because OpenCV reports a short
// file on stderr by itself.
void check_bmp(Bytes bytes, int64_t max_pixels) {
  const auto number = [&](size_t offset, int size) {
    return read_number(bytes, offset, size, false);
  };
  const uint32_t header_size = number(14, 4);
  GESTALT_CHECK(header_size >= 40, "BMP of the OS/2 kind is not supported");
  const int64_t width = static_cast<int32_t>(number(18, 4));
  const int64_t height = std::abs(static_cast<int64_t>(static_cast<int32_t>(number(22, 4))));
  check_size(width, height, max_pixels);
  const uint32_t bits = number(28, 2), compression = number(30, 4);
  const bool masks = compression == 3 && bits == 32 && number(54, 4) == 0xff0000 &&
                     number(58, 4) == 0xff00 && number(62, 4) == 0xff;
  GESTALT_CHECK((compression == 0 || masks) &&
                    (bits == 1 || bits == 4 || bits == 8 || bits == 24 || bits == 32),
                "BMP with {} bits and compression {} is not supported", bits, compression);
  const int64_t row_bytes = (width * bits + 31) / 32 * 4;
  const int64_t missing = number(10, 4) + row_bytes * height - static_cast<int64_t>(bytes.size());
  GESTALT_CHECK(missing <= 0, "{}", truncated);
}

// 8-bit grey, palette or RGB. OpenCV blends alpha, rounds CMYK otherwise and cuts 16 bits.
void check_tiff(Bytes bytes, int64_t max_pixels) {
  const bool big_endian = bytes[0] == 'M';
  const auto number = [&](size_t offset, int size) {
    return read_number(bytes, offset, size, big_endian);
  };
  const size_t directory = number(4, 4);
  const uint32_t entries = number(directory, 2);
  uint32_t width = 0, height = 0, bits = 1, samples = 1, photometric = 0, orientation = 1;
  for (uint32_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + i * 12;
    const uint32_t tag = number(entry, 2);
    const int size = number(entry + 2, 2) == 3 ? 2 : 4;
    const uint32_t count = number(entry + 4, 4);
    const uint32_t value = number(entry + 8, size);
    if (tag == 256) width = value;
    if (tag == 257) height = value;
    // Three values don't fit in the entry, which then says where they are.
    if (tag == 258) bits = count <= 2 ? value : number(number(entry + 8, 4), 2);
    if (tag == 262) photometric = value;
    if (tag == 274) orientation = value;
    if (tag == 277) samples = value;
  }
  check_size(width, height, max_pixels);
  const bool grey_or_palette = (photometric == 1 || photometric == 3) && samples == 1;
  GESTALT_CHECK(
      bits == 8 && orientation == 1 && (grey_or_palette || (photometric == 2 && samples == 3)),
      "TIFF with {} samples of {} bits, photometric {}, orientation {} is not supported "
      "(8-bit grey, palette and RGB are)",
      samples, bits, photometric, orientation);
}

void check_webp(Bytes bytes, int64_t max_pixels) {
  GESTALT_CHECK(bytes.size() >= 30, "{}", truncated);
  const auto number = [&](size_t offset, int size) {
    return read_number(bytes, offset, size, false);
  };
  GESTALT_CHECK(number(4, 4) + uint64_t{8} <= bytes.size(), "{}", truncated);
  if (std::memcmp(&bytes[12], "VP8 ", 4) == 0) {
    check_size(number(26, 2) & 0x3fff, number(28, 2) & 0x3fff, max_pixels);
  } else if (std::memcmp(&bytes[12], "VP8L", 4) == 0) {
    check_size((number(21, 4) & 0x3fff) + 1, (number(21, 4) >> 14 & 0x3fff) + 1, max_pixels);
  } else {
    GESTALT_CHECK((bytes[20] & 2) == 0, "animated WebP is not supported");
    check_size(int64_t{number(24, 3)} + 1, int64_t{number(27, 3)} + 1, max_pixels);
  }
}

Image decode_by_opencv(Bytes bytes) {
  cv::Mat pixels;
  try {
    const cv::Mat input(1, static_cast<int>(bytes.size()), CV_8U,
                        const_cast<uint8_t*>(bytes.data()));
    pixels = cv::imdecode(input, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  } catch (const cv::Exception& error) {
    throw Error(error.err.empty() ? error.what() : error.err);
  }
  GESTALT_CHECK(!pixels.empty(), "the data is truncated, corrupt or of an unsupported kind");
  Image image(pixels.rows, pixels.cols);
  cv::Mat rgb(pixels.rows, pixels.cols, CV_8UC3, image.pixels.data());
  cv::cvtColor(pixels, rgb, cv::COLOR_BGR2RGB);
  return image;
}

// Binary PGM (P5) and PPM (P6) with a maximum of 255.
Image decode_pnm(Bytes bytes, int64_t max_pixels) {
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
    GESTALT_CHECK(std::isdigit(bytes[at]), "the header is corrupt");
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

}  // namespace

Image decode_other(Bytes bytes, int64_t max_pixels) {
  if (bytes[0] == 'P') return decode_pnm(bytes, max_pixels);
  if (bytes[0] == 'B') check_bmp(bytes, max_pixels);
  if (bytes[0] == 'R') check_webp(bytes, max_pixels);
  if (bytes[0] == 'M' || bytes[0] == 'I') check_tiff(bytes, max_pixels);
  return decode_by_opencv(bytes);
}

}  // namespace gestalt::data::codecs
