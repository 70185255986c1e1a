#include "kernels/rounding.h"

#include <cstdint>
#include <gtest/gtest.h>
#include <limits>

namespace gestalt {
namespace {

TEST(Rounding, UpIsUpOnBothSidesOfZero) {
  const int64_t ceilings[] = {-2, -1, -1, -1, 0, 0, 0, 1, 1, 1, 2};  // of -6/3 ... 4/3
  for (int64_t a = -6; a <= 4; ++a) EXPECT_EQ(ceil_div(a, 3), ceilings[a + 6]) << a;
  EXPECT_EQ(ceil_div(7, 1), 7);
  EXPECT_EQ(ceil_div(-7, 1), -7);
}

TEST(Rounding, MultiplesStay) {
  EXPECT_EQ(round_up(size_t{0}, 64), 0u);
  EXPECT_EQ(round_up(size_t{1}, 64), 64u);
  EXPECT_EQ(round_up(size_t{64}, 64), 64u);
  EXPECT_EQ(round_up(size_t{65}, 64), 128u);
}

TEST(Rounding, LargeNumbersDoNotOverflow) {
  constexpr auto largest = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(ceil_div(largest, 2), largest / 2 + 1);
}

}  // namespace
}  // namespace gestalt
