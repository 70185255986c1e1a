#pragma once

// Image: 8-bit pixels in memory, and decoding files into it.
//
// decode_image gives the bytes of Pillow's `Image.open(path).convert("RGB")` (checked against
// Pillow 13.0), so that a network here sees the numbers it sees in Python:
//   - EXIF orientation is ignored; alpha and tRNS are dropped, not blended
//   - 16-bit grey PNG is clamped, min(value, 255) (Pillow's I;16 to RGB); 16-bit colour, and 16-bit
//     grey with alpha, keep the high byte
//   - CMYK and YCCK JPEG are taken as Adobe's inverted CMYK, RGB = (255 - C) (255 - K) / 255
//   - a palette index beyond the palette is black
// JPEG, PNG, WebP (no animation), BMP (uncompressed), PPM/PGM (8-bit), TIFF (8-bit grey, RGB,
// palette).
//
// Errors: gestalt::Error, one line with the file and the reason: missing, empty, a Git LFS pointer,
// not an image, truncated, corrupt, too large, an unsupported kind. Truncated files are errors.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace gestalt::data {

// In pixels.
struct Size {
  int height = 0, width = 0;
};

// A part of an image: its upper left pixel and its size.
struct Rectangle {
  int left = 0, top = 0, width = 0, height = 0;
};

struct Image {
  int height = 0;
  int width = 0;
  int channels = 3;             // 3: RGB, 1: grey
  std::vector<uint8_t> pixels;  // [height, width, channels], rows without padding

  Image() = default;
  // All pixels zero. Error: a size below 1, or channels other than 1 and 3.
  Image(int height, int width, int channels = 3);

  size_t row_bytes() const { return static_cast<size_t>(width) * channels; }
  uint8_t* row(int y) { return pixels.data() + y * row_bytes(); }
  const uint8_t* row(int y) const { return pixels.data() + y * row_bytes(); }
  bool operator==(const Image&) const = default;
};

// Pixels that somebody else owns: an image or a part of it.
struct ImageView {
  const uint8_t* pixels = nullptr;
  int height = 0;
  int width = 0;
  int channels = 3;
  size_t stride = 0;  // bytes from a row to the next

  ImageView() = default;
  ImageView(const Image& image);  // valid as long as the image
  ImageView(const uint8_t* pixels, int height, int width, int channels, size_t stride)
      : pixels(pixels), height(height), width(width), channels(channels), stride(stride) {}

  size_t row_bytes() const { return static_cast<size_t>(width) * channels; }
  const uint8_t* row(int y) const { return pixels + y * stride; }
  // Error: empty, or not inside.
  ImageView part(const Rectangle& part) const;
};

// Pillow's decompression-bomb limit: more pixels are an error.
inline constexpr int64_t max_image_pixels = 178956970;

// Always 3 channels.
Image decode_image(const std::filesystem::path& path);

// The same from memory; `name` stands for the file in errors.
Image decode_image(std::span<const uint8_t> bytes, std::string_view name,
                   int64_t max_pixels = max_image_pixels);

}  // namespace gestalt::data
