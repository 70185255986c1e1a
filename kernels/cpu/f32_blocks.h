#pragma once

// F32Blocks: memory that a context keeps between the copies of its kernels. Fresh memory is zeroed
// and faulted in page by page, which takes as long as a convolution of half-precision images.

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <utility>

namespace gestalt::cpu {

class F32Blocks {
 public:
  struct Block {
    size_t size = 0;  // floats
    std::unique_ptr<float[]> memory;
  };

  static constexpr size_t count = 4;                       // as many as one kernel holds
  static constexpr size_t least_size = size_t{1} << 14;    // smaller ones are malloc's business
  static constexpr size_t most_floats = size_t{64} << 20;  // kept in all: 256 MiB

  // A block of at least `size` floats, which hold anything: the smallest kept one that is not more
  // than four times as large, or a new one.
  Block take(size_t size) {
    Block* best = nullptr;
    for (Block& block : kept_) {
      const bool fits = block.memory && block.size >= size && block.size / 4 <= size;
      if (fits && (best == nullptr || block.size < best->size)) best = &block;
    }
    if (best == nullptr) return {size, std::unique_ptr<float[]>(new float[size])};
    return std::exchange(*best, {});
  }

  // Keeps a block for a later take(); those kept the longest go where there are too many.
  void give(Block block) noexcept {
    if (block.size < least_size || block.size > most_floats) return;
    auto place = std::find_if(kept_.begin(), kept_.end() - 1,
                              [](const Block& kept) { return kept.memory == nullptr; });
    std::rotate(kept_.begin(), place, place + 1);
    kept_.front() = std::move(block);
    for (auto oldest = kept_.rbegin(); floats() > most_floats; ++oldest) *oldest = {};
  }

  // Floats in kept blocks.
  size_t floats() const {
    size_t sum = 0;
    for (const Block& block : kept_) sum += block.size;
    return sum;
  }

  void clear() { kept_ = {}; }

 private:
  std::array<Block, count> kept_;  // the newest first
};

}  // namespace gestalt::cpu
