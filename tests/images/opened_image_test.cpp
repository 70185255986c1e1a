#include "data/opened_image.h"

#include <fstream>
#include <gtest/gtest.h>
#include <random>

#include "data/encode.h"
#include "data/folder.h"
#include "data/resample.h"
#include "kernels/error.h"
#include "tests/images/fixtures.h"
#include "tests/source_folder.h"

namespace gestalt::data {
namespace {

bool same(const ImageView& part, const Image& image, int left, int top) {
  for (int y = 0; y < part.height; ++y) {
    if (!std::equal(part.row(y), part.row(y) + part.row_bytes(), image.row(top + y) + 3 * left)) {
      return false;
    }
  }
  return true;
}

void expect_parts_equal(const std::filesystem::path& path, int parts) {
  const Image image = decode_image(path);
  std::mt19937 random(3);
  const auto between = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  for (int i = 0; i < parts; ++i) {
    const int width = between(1, image.width), height = between(1, image.height);
    const int left = between(0, image.width - width), top = between(0, image.height - height);
    const auto opened = open_image(path);
    ASSERT_EQ(opened->height(), image.height);
    ASSERT_EQ(opened->width(), image.width);
    const ImageView part = opened->decode({left, top, width, height});
    ASSERT_EQ(part.height, height);
    ASSERT_EQ(part.width, width);
    ASSERT_TRUE(same(part, image, left, top))
        << path << ": " << height << "x" << width << " at " << left << ", " << top;
  }
}

TEST(OpenedImage, PartsHaveTheBytesOfTheWhole) {
  std::ifstream list(fixture("decode.txt"));
  std::string name;
  int height, width, jpegs = 0;
  while (list >> name >> height >> width) {
    expect_parts_equal(fixture(name), 40);
    jpegs += name.ends_with(".jpg");
  }
  EXPECT_GE(jpegs, 12);
}

TEST(OpenedImage, PartsOfAPhotographHaveTheBytesOfTheWhole) {
  expect_parts_equal(tests::source_folder() / "docs/images/demo.jpg", 60);
}

TEST(OpenedImage, PartsOfManyPhotographs) {
  const std::filesystem::path folder = tests::test_data() / "fewshot/jeep";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no photographs at " << folder;
  for (const auto& path : list_images(folder)) expect_parts_equal(path, 3);
}

double mean_difference(const Image& a, const Image& b) {
  double sum = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(a.pixels[i] - b.pixels[i]);
  return sum / static_cast<double>(a.pixels.size());
}

TEST(OpenedImage, ReducedPartsLookTheSame) {
  const std::filesystem::path path = tests::source_folder() / "docs/images/demo.jpg";
  const Image image = decode_image(path);
  struct Case {
    Rectangle part;
    Size size;
  };
  for (const Case& c : {Case{{0, 0, image.width, image.height}, {64, 64}},
                        Case{{30, 20, 200, 180}, {40, 40}}, Case{{17, 33, 100, 150}, {50, 50}},
                        Case{{10, 20, 240, 200}, {25, 120}}, Case{{5, 5, 60, 60}, {60, 60}}}) {
    const Rectangle part = c.part;
    const Size size = c.size;
    const auto opened = open_image(path);
    const DecodedPart decoded = opened->decode_for(part, size);
    const ImageView& reduced = decoded.pixels;
    EXPECT_GE(reduced.width, size.width);
    EXPECT_GE(reduced.height, size.height);
    if (part.width >= 2 * size.width && part.height >= 2 * size.height) {
      EXPECT_LE(reduced.width, part.width / 2 + 2);
    }
    const auto resized = [&](const ImageView& view, std::optional<Box> box) {
      return resize(view, size.height, size.width, Filter::bilinear, box);
    };
    EXPECT_LT(mean_difference(resized(reduced, decoded.box),
                              resized(ImageView(image).part(part), std::nullopt)),
              6);
  }
}

TEST(OpenedImage, ErrorsNameTheFile) {
  const auto expect_error = [](const std::string& part, const auto& action) {
    try {
      action();
      ADD_FAILURE() << "no error: " << part;
    } catch (const Error& error) {
      EXPECT_PRED_FORMAT2(::testing::IsSubstring, part, error.what());
    }
  };
  expect_error("none.jpg': no such file", [] { open_image(fixture("none.jpg")); });
  const auto truncated = open_image(fixture("truncated.jpg"));
  expect_error("truncated.jpg': ", [&] { truncated->decode_whole(); });
  const auto opened = open_image(fixture("baseline_420.jpg"));
  expect_error("not inside", [&] { opened->decode({1, 0, opened->width(), 1}); });
  opened->decode({0, 0, 4, 4});
  expect_error("decoded before", [&] { opened->decode({0, 0, 4, 4}); });
}

}  // namespace
}  // namespace gestalt::data
