#include "data/image_grid.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "data/preprocess.h"
#include "tests/error_of.h"

namespace gestalt::data {
namespace {

Image grey(int height, int width, uint8_t value) {
  Image image(height, width, 1);
  std::fill(image.pixels.begin(), image.pixels.end(), value);
  return image;
}

TEST(ImageGrid, StandsInRows) {
  const std::vector<Image> images = {grey(1, 2, 1), grey(1, 2, 2), grey(1, 2, 3)};
  const Image grid = draw_image_grid(images, {.columns = 2, .gap = 1, .background = 9});
  EXPECT_EQ(grid.height, 3);
  EXPECT_EQ(grid.width, 5);
  EXPECT_EQ(grid.channels, 1);
  EXPECT_EQ(grid.pixels, (std::vector<uint8_t>{1, 1, 9, 2, 2,  //
                                               9, 9, 9, 9, 9,  //
                                               3, 3, 9, 9, 9}));
  EXPECT_EQ(draw_image_grid(images).width, 10) << "no wider than the images that there are";
  EXPECT_EQ(draw_image_grid(images, {.columns = 1, .gap = 0}).pixels,
            (std::vector<uint8_t>{1, 1, 2, 2, 3, 3}));
}

TEST(ImageGrid, OfABatch) {
  std::vector<float> values(24, 0);
  values[0] = 2;       // red of the first: clamped
  values[16] = 0.5f;   // green of the second, rounded to 128
  values[23] = -0.5f;  // blue of the second
  const Tensor batch = Tensor::from_vector(values, {2, 3, 2, 2});
  const std::vector<Image> images = from_unit_tensors(batch);
  ASSERT_EQ(images.size(), 2u);
  EXPECT_EQ(images[0].pixels, (std::vector<uint8_t>{255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(images[1].pixels, (std::vector<uint8_t>{0, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(from_unit_tensors(batch.contiguous(Format::channels_last)), images);
  const Image grid = draw_image_grid(images, {.gap = 0});
  EXPECT_EQ(grid.width, 4);
  EXPECT_EQ(grid.row(0)[7], 128);
  EXPECT_TRUE(from_unit_tensors(Tensor::zeros({0, 3, 2, 2})).empty());
  EXPECT_EQ(tests::error_of([] {
              from_unit_tensors(Tensor::zeros({2, 1, 2, 2}));
            }),
            "[from_unit_tensors] expected [N,3,H,W], got f32[2,1,2,2]");
}

TEST(ImageGrid, WhatMakesNoSenseIsRefused) {
  const auto refusal = [](const std::vector<Image>& images, const ImageGridOptions& options = {}) {
    return tests::error_of([&] { draw_image_grid(images, options); });
  };
  EXPECT_EQ(refusal({}), "[image_grid] there are no images");
  EXPECT_EQ(refusal({grey(1, 2, 0)}, {.columns = 0}),
            "[image_grid] columns must be positive and the gap not negative, got 0 and 2");
  EXPECT_EQ(refusal({grey(1, 2, 0), Image(1, 2)}),
            "[image_grid] expected images of one size, got 1x2 with 3 channels beside 1x2 with 1 "
            "(height x width)");
  EXPECT_EQ(refusal({grey(1, 2, 0), grey(1, 2, 0)}, {.gap = 2147483647}),
            "[image_grid] 2 images of 2 pixels do not fit into a picture");
}

}  // namespace
}  // namespace gestalt::data
