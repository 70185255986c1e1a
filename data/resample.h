#pragma once

// Resizing as Pillow's Image.resize(size, filter, box) does it for 8-bit images, byte for byte
// (checked against Pillow 13.0): antialiased (the filter's support grows with the reduction),
// weights computed in double and rounded to 22 bits of fraction, sums in int32, each pass clipped
// to 8 bits. Rows first, then columns; columns first where the height shrinks by more than twice
// what the width does (since Pillow 12; older releases always take rows first, which differs by a
// unit here and there for such images).
//
// Error: a size below 1, or a box that is empty or not inside the image.

#include <optional>

#include "data/image.h"

namespace gestalt::data {

enum class Filter { nearest, box, bilinear, hamming, bicubic, lanczos };

// The part of the source that is resized, in its pixels. The filter reaches beyond its edges, as
// far as the image does; cropping first (ImageView::part) keeps it inside.
struct Box {
  float left = 0, top = 0, right = 0, bottom = 0;
};

Image resize(const ImageView& image, int height, int width, Filter filter,
             std::optional<Box> box = std::nullopt);

// The part of resize(image, size, filter, box) that begins at (left, top) and has the size of
// `result`, into it. The rest is not computed. Error: also, a part that is not inside `size`.
void resize_window(const ImageView& image, Size size, int left, int top, Filter filter,
                   std::optional<Box> box, Image& result);

}  // namespace gestalt::data
