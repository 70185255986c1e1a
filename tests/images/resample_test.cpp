#include "data/resample.h"

#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <string>

#include "kernels/error.h"
#include "kernels/parallel.h"
#include "tests/images/fixtures.h"

namespace gestalt::data {
namespace {

uint64_t fnv(const std::vector<uint8_t>& bytes) {
  uint64_t value = 0xCBF29CE484222325;
  for (const uint8_t byte : bytes) value = (value ^ byte) * 0x100000001B3;
  return value;
}

const std::map<std::string, Filter> filters = {
    {"nearest", Filter::nearest}, {"box", Filter::box},         {"bilinear", Filter::bilinear},
    {"hamming", Filter::hamming}, {"bicubic", Filter::bicubic}, {"lanczos", Filter::lanczos}};

TEST(Resize, GivesPillowsBytes) {
  std::ifstream list(fixture("resize.txt"));
  std::string source, filter, checksum;
  int height, width, count = 0;
  Box box;
  while (list >> source >> filter >> height >> width >> box.left >> box.top >> box.right >>
         box.bottom >> checksum) {
    ++count;
    const Image image =
        resize(decode_image(fixture(source)), height, width, filters.at(filter), box);
    EXPECT_EQ(fnv(image.pixels), std::stoull(checksum, nullptr, 16))
        << source << " by " << filter << " to " << height << "x" << width << " of box " << box.left
        << " " << box.top << " " << box.right << " " << box.bottom;
  }
  EXPECT_GE(count, 400);
}

// Channels are independent, so a grey image is each channel of the same image in RGB.
TEST(Resize, GreyEqualsOneChannel) {
  const Image rgb = decode_image(fixture("resize_rgb.png"));
  Image grey(rgb.height, rgb.width, 1);
  for (size_t i = 0; i < grey.pixels.size(); ++i) grey.pixels[i] = rgb.pixels[3 * i + 1];
  for (const auto& [name, filter] : filters) {
    const Image expected = resize(rgb, 64, 21, filter);
    const Image image = resize(grey, 64, 21, filter);
    for (size_t i = 0; i < image.pixels.size(); ++i) {
      ASSERT_EQ(image.pixels[i], expected.pixels[3 * i + 1]) << name;
    }
  }
}

TEST(Resize, ThreadCountDoesNotMatter) {
  const Image image = decode_image(fixture("resize_rgb.png"));
  const int threads = num_threads();
  set_num_threads(1);
  const Image one = resize(image, 200, 211, Filter::lanczos);
  set_num_threads(5);
  const Image five = resize(image, 200, 211, Filter::lanczos);
  set_num_threads(threads);
  EXPECT_EQ(one, five);
}

// By rows first, and, where the height shrinks most, by columns first.
TEST(Resize, WindowIsThePartOfTheWhole) {
  const Image image = decode_image(fixture("resize_rgb.png"));
  struct Case {
    Size size;
    Rectangle window;
  };
  const Case cases[] = {
      {{50, 70}, {.left = 11, .top = 7, .width = 31, .height = 29}},
      {{5, image.width}, {.left = 3, .top = 1, .width = 40, .height = 3}},
      {{5, 77}, {.left = 3, .top = 1, .width = 40, .height = 3}},
      {{image.height, 77}, {.left = 8, .top = 2, .width = 1, .height = 9}},
      {{image.height, image.width}, {.left = 1, .top = 2, .width = 9, .height = 8}}};
  for (const auto& [name, filter] : filters) {
    for (const auto& [size, window] : cases) {
      const Image whole = resize(image, size.height, size.width, filter);
      Image part(window.height, window.width);
      resize_window(image, size, window.left, window.top, filter, std::nullopt, part);
      const ImageView expected = ImageView(whole).part(window);
      for (int y = 0; y < window.height; ++y) {
        EXPECT_TRUE(std::equal(part.row(y), part.row(y) + part.row_bytes(), expected.row(y)))
            << name << " to " << size.height << "x" << size.width << ", row " << y;
      }
    }
  }
  Image part(4, 4);
  EXPECT_THROW(resize_window(image, {7, 7}, 4, 0, Filter::box, std::nullopt, part), Error);
  EXPECT_THROW(resize_window(image, {7, 7}, 0, -1, Filter::box, std::nullopt, part), Error);
}

TEST(Resize, RejectsBadSizesAndBoxes) {
  const Image image(4, 5);
  EXPECT_THROW(resize(image, 0, 3, Filter::lanczos), Error);
  EXPECT_THROW(resize(Image(), 2, 3, Filter::lanczos), Error);
  EXPECT_THROW(resize(image, 2, 2, Filter::lanczos, Box{0, 0, 6, 4}), Error);
  EXPECT_THROW(resize(image, 2, 2, Filter::lanczos, Box{2, 0, 2, 4}), Error);
}

}  // namespace
}  // namespace gestalt::data
