// From optimized tensors to pictures (the published post-processing).

#include "tools/synthesis/picture.h"

#include <array>
#include <gtest/gtest.h>

#include "data/preprocess.h"

namespace gestalt::tools {
namespace {

// 51, 102, 153 and 204 are borders of the histogram's 100 bins over 0 to 255. What is expected was
// computed with NumPy's histogram of the 8-bit levels and linear interpolation.
TEST(Picture, LevelsOnTheBordersOfBinsFallIntoTheirBins) {
  constexpr int side = 6;
  constexpr std::array<uint8_t, side> levels{0, 51, 102, 153, 204, 255};
  constexpr std::array<uint8_t, side> expected{1, 52, 103, 154, 205, 253};
  data::Image image(side, side);
  for (int row = 0; row < side; ++row) {
    std::fill(image.row(row), image.row(row) + 3 * side, levels[row]);
  }
  const SourceImage source = to_source(image, side);
  const data::Image picture = finish_picture(source.target, source);
  for (int row = 0; row < side; ++row) {
    for (int i = 0; i < 3 * side; ++i) {
      EXPECT_EQ(picture.row(row)[i], expected[row]) << "row " << row << ", value " << i;
    }
  }
}

}  // namespace
}  // namespace gestalt::tools
