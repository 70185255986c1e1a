#pragma once

// Images of one size in rows and columns, such as a batch of samples (as torchvision's make_grid,
// without its border). Captions, titles and images of several sizes: data/contact_sheet.h.

#include <cstdint>
#include <span>

#include "data/image.h"

namespace gestalt::data {

struct ImageGridOptions {
  int64_t columns = 8;       // or as many as there are images
  int gap = 2;               // pixels between them
  uint8_t background = 255;  // of the gaps, and of what the last row leaves
};

// Row by row. Error: no images, images of several sizes or numbers of channels, options that make
// no sense, a picture of more than 2^31 - 1 pixels a side.
Image draw_image_grid(std::span<const Image> images, const ImageGridOptions& options = {});

}  // namespace gestalt::data
