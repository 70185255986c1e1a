#include "tensor/cpu_pool.h"

#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <random>

#include "kernels/error.h"

namespace gestalt {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool pooling = false;
#else
constexpr bool pooling = true;
#endif

constexpr size_t mb = size_t{1} << 20;

TEST(CpuPool, NeighboursServeTogether) {
  if (!pooling) GTEST_SKIP() << "no pool under AddressSanitizer";
  CpuPool pool;
  void* const a = pool.take(3 * mb);
  void* const b = pool.take(2 * mb);
  void* const c = pool.take(mb);
  pool.give(a);
  pool.give(b);
  EXPECT_EQ(pool.stats().in_use, mb);
  EXPECT_EQ(pool.stats().cached, 5 * mb);
  void* const whole = pool.take(5 * mb);
  EXPECT_EQ(whole, a);
  EXPECT_EQ(pool.stats().cached, 0u);
  pool.give(whole);
  // Of two that are large enough the smaller; and its rest serves too.
  void* const end = pool.take(6 * mb);
  pool.give(c);  // 6 MB free in front
  void* const wall = pool.take(6 * mb);
  EXPECT_EQ(wall, a);
  pool.give(end);
  void* const half = pool.take(2 * mb);
  EXPECT_EQ(half, end);
  EXPECT_EQ(pool.take(4 * mb), static_cast<char*>(end) + 2 * mb);
  EXPECT_EQ(pool.stats().peak, 12 * mb);
}

TEST(CpuPool, BlocksAreAlignedWritableAndTheirOwn) {
  CpuPool pool;
  std::mt19937 random(2);
  struct Block {
    unsigned char* data;
    size_t size;
    unsigned char mark;
  };
  std::vector<Block> blocks;
  size_t in_use = 0;
  const auto check_and_give = [&](size_t i) {
    const Block block = blocks[i];
    for (size_t at = 0; at < block.size; ++at) ASSERT_EQ(block.data[at], block.mark) << at;
    pool.give(block.data);
    in_use -= (block.size + 63) / 64 * 64;
    blocks[i] = blocks.back();
    blocks.pop_back();
  };
  for (int step = 0; step < 3000; ++step) {
    if (step % 1000 == 999) pool.drop();
    if (blocks.size() > 40 || (!blocks.empty() && random() % 2 == 0)) {
      check_and_give(random() % blocks.size());
    } else {
      const size_t size = 1 + random() % (random() % 8 == 0 ? mb : 5000);
      auto* const data = static_cast<unsigned char*>(pool.take(size));
      ASSERT_EQ(reinterpret_cast<uintptr_t>(data) % 64, 0u);
      std::memset(data, step % 256, size);
      blocks.push_back({data, size, static_cast<unsigned char>(step % 256)});
      in_use += (size + 63) / 64 * 64;
    }
    ASSERT_EQ(pool.stats().in_use, in_use);
  }
  while (!blocks.empty()) check_and_give(blocks.size() - 1);
  if (!pooling) return;
  const size_t peak = pool.stats().peak;
  EXPECT_GT(pool.stats().cached, 0u);
  EXPECT_LE(pool.stats().cached, 2 * peak);
  pool.drop();
  EXPECT_EQ(pool.stats().cached, 0u);
}

TEST(CpuPool, ARequestBeyondAllMemoryIsAnError) {
  if (!pooling) GTEST_SKIP() << "AddressSanitizer ends the process on such a request";
  CpuPool pool;
  for (const size_t bytes : {size_t{1} << 60, SIZE_MAX - 10}) {
    try {
      pool.take(bytes);
      FAIL() << "expected an error";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(std::to_string(bytes)), std::string::npos);
    }
  }
  pool.give(pool.take(100));
}

}  // namespace
}  // namespace gestalt
