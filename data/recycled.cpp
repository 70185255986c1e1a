#include "data/recycled.h"

#include <algorithm>
#include <array>
#include <utility>

namespace gestalt::data {
namespace {

constexpr size_t most_bytes = 16 << 20;

// Of a trivial type, so that it can still be asked when the thread's other objects are gone.
thread_local bool ended = false;

struct Kept {
  std::array<std::vector<uint8_t>, 4> blocks;
  ~Kept() { ended = true; }
};

std::array<std::vector<uint8_t>, 4>& kept() {
  thread_local Kept kept;
  return kept.blocks;
}

bool has_less(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  return a.capacity() < b.capacity();
}

}  // namespace

std::vector<uint8_t> recycled_bytes(size_t size) {
  std::vector<uint8_t> bytes;
  if (!ended) {
    // The least one that is large enough.
    for (std::vector<uint8_t>& block : kept()) {
      if (block.capacity() >= size && (bytes.capacity() < size || has_less(block, bytes))) {
        std::swap(bytes, block);
      }
    }
  }
  bytes.resize(size);
  return bytes;
}

void recycle(std::vector<uint8_t> bytes) {
  if (ended || bytes.capacity() > most_bytes / kept().size()) return;
  std::vector<uint8_t>& least = *std::min_element(kept().begin(), kept().end(), has_less);
  if (has_less(least, bytes)) std::swap(least, bytes);
}

RecycledImage::RecycledImage(int height, int width, int channels) {
  image.height = height;
  image.width = width;
  image.channels = channels;
  image.pixels = recycled_bytes(image.row_bytes() * height);
}

}  // namespace gestalt::data
