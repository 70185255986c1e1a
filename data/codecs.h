#pragma once

// The decoders and encoders behind image.h and encode.h, one a format (internal to data/).
//
// Decoders get bytes that already carry the format's signature and give RGB. Their errors hold the
// reason alone; decode_image puts the file's name before it.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "data/opened_image.h"

namespace gestalt::data::codecs {

// Takes the bytes: they are read when the pixels are.
std::unique_ptr<OpenedImage> open_jpeg(std::vector<uint8_t> bytes, int64_t max_pixels);
Image decode_jpeg(std::span<const uint8_t> bytes, int64_t max_pixels);
Image decode_png(std::span<const uint8_t> bytes, int64_t max_pixels);
Image decode_webp(std::span<const uint8_t> bytes, int64_t max_pixels);
Image decode_tiff(std::span<const uint8_t> bytes, int64_t max_pixels);
Image decode_bmp(std::span<const uint8_t> bytes, int64_t max_pixels);
Image decode_pnm(std::span<const uint8_t> bytes, int64_t max_pixels);

std::vector<uint8_t> encode_jpeg(const Image& image, int quality);
std::vector<uint8_t> encode_png(const Image& image);

// Throws unless 1 <= width, height and width * height <= max_pixels.
void check_size(int64_t width, int64_t height, int64_t max_pixels);

// Throws unless the part is not empty and inside of an image of this size.
void check_part(const Rectangle& part, int height, int width);

}  // namespace gestalt::data::codecs
