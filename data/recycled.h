#pragma once

// Memory for pixels that a thread keeps from one image to the next (internal to data/). Fresh
// memory comes from the system page by page, and zeroed: for an image that costs as much as
// resizing it.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "data/image.h"

namespace gestalt::data {

// `size` bytes of any value, of this thread's kept ones where such are.
std::vector<uint8_t> recycled_bytes(size_t size);
// Keeps them for this thread, a few and 16 MB at most.
void recycle(std::vector<uint8_t> bytes);

// An image of such memory, which it gives back.
struct RecycledImage {
  Image image;

  RecycledImage(int height, int width, int channels = 3);
  ~RecycledImage() { recycle(std::move(image.pixels)); }
  RecycledImage(const RecycledImage&) = delete;
  RecycledImage& operator=(const RecycledImage&) = delete;
};

}  // namespace gestalt::data
