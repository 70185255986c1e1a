#include "tensor/cpu_pool.h"

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "kernels/error.h"

namespace gestalt {
namespace {

constexpr size_t mb = size_t{1} << 20;

TEST(CpuPool, NeighboursServeTogether) {
  if (!CpuPool::pooling) GTEST_SKIP() << "no pool under AddressSanitizer";
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
  if (!CpuPool::pooling) return;
  const size_t peak = pool.stats().peak;
  EXPECT_GT(pool.stats().cached, 0u);
  EXPECT_LE(pool.stats().cached, 2 * peak);
  pool.drop();
  EXPECT_EQ(pool.stats().cached, 0u);
}

TEST(CpuPool, ARequestBeyondAllMemoryIsAnError) {
  if (!CpuPool::pooling) GTEST_SKIP() << "AddressSanitizer ends the process on such a request";
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

// A line of /proc/self/status that is in kB, in bytes.
size_t process_status(const std::string& key) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key + ":", 0) == 0) return std::stoull(line.substr(key.size() + 1)) << 10;
  }
  return 0;
}

std::string error_of_taking(CpuPool& pool, size_t bytes) {
  try {
    pool.give(pool.take(bytes));
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

// 32 TB: the system lends that many addresses, but not the memory.
TEST(CpuPool, AFailureKeepsNoAddresses) {
  if (!CpuPool::pooling) GTEST_SKIP() << "AddressSanitizer ends the process on such a request";
  CpuPool pool;
  void* const first = pool.take(mb);
  const size_t before = process_status("VmSize");
  const std::string error = error_of_taking(pool, size_t{1} << 45);
  if (error.empty()) GTEST_SKIP() << "this system promises any amount of memory";
  EXPECT_NE(error.find("asked 35184372088832 bytes, 1048576 in use, "), std::string::npos) << error;
  EXPECT_NE(error.find(" free"), std::string::npos) << error;
  error_of_taking(pool, size_t{1} << 45);
  EXPECT_LE(process_status("VmSize"), before + 64 * mb);
  // And the range in use goes on.
  EXPECT_EQ(pool.take(mb), static_cast<char*>(first) + mb);
}

TEST(CpuPool, DroppedPagesAreNotCached) {
  if (!CpuPool::pooling) GTEST_SKIP() << "no pool under AddressSanitizer";
  CpuPool pool;
  void* const a = pool.take(3 * mb);
  void* const b = pool.take(2 * mb);
  pool.take(mb);
  pool.give(a);
  EXPECT_EQ(pool.stats().cached, 3 * mb);
  pool.drop();
  EXPECT_EQ(pool.stats().cached, 0u);
  pool.give(b);
  EXPECT_EQ(pool.stats().cached, 2 * mb);
  EXPECT_EQ(pool.take(5 * mb), a);
  EXPECT_EQ(pool.stats().cached, 0u);
}

// The flags of the mapping that holds `pointer`, " rd wr mr hg ...".
std::string mapping_flags(const void* pointer) {
  const auto wanted = reinterpret_cast<uintptr_t>(pointer);
  std::ifstream maps("/proc/self/smaps");
  bool is_inside = false;
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%zx-%zx ", &begin, &end) == 2) {
      is_inside = begin <= wanted && wanted < end;
    } else if (is_inside && line.rfind("VmFlags:", 0) == 0) {
      return line.substr(8) + ' ';
    }
  }
  return {};
}

TEST(CpuPool, AsksForHugePages) {
  if (!CpuPool::pooling) GTEST_SKIP() << "no pool under AddressSanitizer";
  if (access("/sys/kernel/mm/transparent_hugepage", F_OK) != 0) {
    GTEST_SKIP() << "this system has none";
  }
  CpuPool pool;
  // As the range's writable part grows, too.
  for (int block = 0; block < 3; ++block) {
    EXPECT_NE(mapping_flags(pool.take(40 * mb)).find(" hg "), std::string::npos) << block;
  }
}

// The child's exit code is the number of the first step that went wrong.
int live_within_a_limit() {
  const size_t start = process_status("VmSize");
  rlimit limit{};
  limit.rlim_cur = limit.rlim_max = start + 512 * mb;
  if (setrlimit(RLIMIT_AS, &limit) != 0) return 1;
  CpuPool pool;
  void* const small = pool.take(1000);
  if (process_status("VmSize") > start + 64 * mb) return 2;
  void* const large = pool.take(300 * mb);  // more than half
  std::memset(large, 1, 300 * mb);
  // Others find their share, e.g. stacks of threads.
  void* const other =
      mmap(nullptr, 100 * mb, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (other == MAP_FAILED) return 3;
  munmap(other, 100 * mb);
  // What one size gave back serves another: 300 MB and 400 MB are more than the limit.
  pool.give(large);
  void* const larger = pool.take(400 * mb);
  std::memset(larger, 2, 400 * mb);
  if (error_of_taking(pool, 300 * mb).find("(ulimit -v)") == std::string::npos) return 4;
  pool.give(larger);
  pool.give(small);
  pool.drop();
  if (pool.stats().cached != 0 || process_status("VmSize") > start + 32 * mb) return 5;
  // Many ranges, cut into blocks of all sizes and put together again.
  std::mt19937 random(3);
  std::vector<std::pair<char*, size_t>> blocks;
  for (int step = 0; step < 400; ++step) {
    if (blocks.size() > 12 || (!blocks.empty() && random() % 2 == 0)) {
      std::swap(blocks[random() % blocks.size()], blocks.back());
      const auto [data, size] = blocks.back();
      if (data[0] != static_cast<char>(size) || data[size - 1] != static_cast<char>(size)) return 6;
      pool.give(data);
      blocks.pop_back();
    } else {
      const size_t size = 1 + random() % (20 * mb);
      auto* const data = static_cast<char*>(pool.take(size));
      data[0] = data[size - 1] = static_cast<char>(size);
      blocks.emplace_back(data, size);
    }
    if (step % 100 == 99) pool.drop();
  }
  for (const auto& [data, size] : blocks) pool.give(data);
  pool.give(pool.take(400 * mb));
  return 0;
}

TEST(CpuPool, TakesNoMoreOfLimitedAddressesThanItNeeds) {
  if (!CpuPool::pooling) GTEST_SKIP() << "no pool under AddressSanitizer";
  EXPECT_EXIT(_exit(live_within_a_limit()), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace gestalt
