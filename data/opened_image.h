#pragma once

// An image file whose size is known and whose pixels are decoded on request, so that a crop costs
// no more than it must: of a JPEG, the rows below it are not read at all, and those above it and
// the columns beside it are passed over as far as the format allows.

#include <filesystem>
#include <memory>
#include <optional>

#include "data/resample.h"

namespace gestalt::data {

struct DecodedPart {
  ImageView pixels;
  std::optional<Box> box;  // of the pixels; all of them where there is none

  DecodedPart(const ImageView& pixels) : pixels(pixels) {}
  DecodedPart(const ImageView& pixels, const Box& box) : pixels(pixels), box(box) {}
};

class OpenedImage {
 public:
  virtual ~OpenedImage() = default;

  int height() const { return height_; }
  int width() const { return width_; }

  // RGB pixels of the part, the very bytes that decode_image has there. Valid as long as this. Once
  // only. Errors: as decode_image; damage outside the part may go unnoticed.
  virtual ImageView decode(const Rectangle& part) = 0;
  ImageView decode_whole() { return decode({.width = width_, .height = height_}); }

  // The part for a resize to that size: a JPEG is decoded at 1/2, 1/4 or 1/8 of its size where
  // that leaves at least as many pixels (libjpeg's scaled inverse transform, which is faster and
  // gives other bytes). Other files: as decode.
  virtual DecodedPart decode_for(const Rectangle& part, Size /*resized*/) { return decode(part); }

 protected:
  int height_ = 0, width_ = 0;
};

// Reads the header of a JPEG, and the whole of other files. Errors: as decode_image.
std::unique_ptr<OpenedImage> open_image(const std::filesystem::path& path);

}  // namespace gestalt::data
