#include "data/recycled.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <thread>

namespace gestalt::data {
namespace {

TEST(Recycled, BytesComeBackToTheThreadThatGaveThem) {
  std::vector<uint8_t> bytes = recycled_bytes(1000);
  const uint8_t* address = bytes.data();
  recycle(std::move(bytes));
  std::thread([&] { EXPECT_NE(recycled_bytes(1000).data(), address); }).join();
  const std::vector<uint8_t> again = recycled_bytes(900);
  EXPECT_EQ(again.data(), address);
  EXPECT_EQ(again.size(), 900u);
  EXPECT_NE(recycled_bytes(900).data(), address);
}

TEST(Recycled, LargeBlocksAreNotKept) {
  std::vector<uint8_t> bytes = recycled_bytes(64 << 20);
  recycle(std::move(bytes));
  EXPECT_LT(recycled_bytes(1).capacity(), size_t{64} << 20);
}

// Whatever was there before, and however many images share the thread's memory.
TEST(Recycled, ImagesOfOneThreadHaveTheirOwnPixels) {
  RecycledImage first(20, 30);
  RecycledImage second(20, 30);
  std::fill(first.image.pixels.begin(), first.image.pixels.end(), uint8_t{1});
  std::fill(second.image.pixels.begin(), second.image.pixels.end(), uint8_t{2});
  EXPECT_EQ(first.image.pixels.size(), 1800u);
  EXPECT_EQ(first.image.pixels.front(), 1);
  EXPECT_EQ(second.image.pixels.back(), 2);
}

}  // namespace
}  // namespace gestalt::data
