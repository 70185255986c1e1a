#include "data/transforms.h"

#include <cmath>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <numeric>
#include <sstream>

#include "data/sampler.h"
#include "tests/data/folders.h"
#include "tests/source_folder.h"

namespace gestalt::data {
namespace {

// make_transforms.py's image.
Image patterned_image(int height, int width) {
  Image image(height, width);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      uint8_t* pixel = image.row(y) + 3 * x;
      pixel[0] = static_cast<uint8_t>(7 * x + 3 * y);
      pixel[1] = static_cast<uint8_t>(5 * y + x * x / 16);
      pixel[2] = static_cast<uint8_t>(x * y + 11 * (x / 3));
    }
  }
  return image;
}

uint64_t fnv(const void* data, size_t bytes) {
  uint64_t value = 0xCBF29CE484222325;
  for (size_t i = 0; i < bytes; ++i) {
    value = (value ^ static_cast<const uint8_t*>(data)[i]) * 0x100000001B3;
  }
  return value;
}

// The bytes [height, width, RGB] that the geometry gives.
std::vector<uint8_t> rendered(const Geometry& geometry, const Image& image) {
  const size_t plane = static_cast<size_t>(geometry.output_height) * geometry.output_width;
  std::vector<uint8_t> planes(3 * plane), pixels(3 * plane);
  const ImageView part = ImageView(image).part(geometry.part);
  apply(geometry, part, planes.data());
  for (size_t i = 0; i < plane; ++i) {
    for (size_t c = 0; c < 3; ++c) pixels[3 * i + c] = planes[c * plane + i];
  }
  EXPECT_EQ(render(geometry, part).pixels, pixels);
  return pixels;
}

uint64_t checksum(const Geometry& geometry, const Image& image) {
  const std::vector<uint8_t> pixels = rendered(geometry, image);
  return fnv(pixels.data(), pixels.size());
}

uint64_t read_checksum(std::istream& line) {
  std::string text;
  line >> text;
  return std::stoull(text, nullptr, 16);
}

TEST(Transforms, GiveTorchvisionsBytes) {
  std::ifstream list(tests::source_folder() / "tests/fixtures/transforms/transforms.txt");
  std::map<std::string, int> count;
  Generator random(0);
  for (std::string text; std::getline(list, text);) {
    std::istringstream line(text);
    std::string kind;
    int height, width;
    line >> kind >> height >> width;
    ++count[kind];
    const Image image = patterned_image(height, width);
    if (kind == "crop") {
      int size;
      Geometry g;
      line >> g.part.left >> g.part.top >> g.part.width >> g.part.height >> size;
      g.resized_height = g.resized_width = g.output_height = g.output_width = size;
      EXPECT_EQ(checksum(g, image), read_checksum(line)) << text;
    } else if (kind == "center") {
      EvaluationTransform options;
      line >> options.resize >> options.crop;
      const Geometry geometry = evaluation_transform(options).plan(height, width, random);
      EXPECT_EQ(checksum(geometry, image), read_checksum(line)) << text;
    } else if (kind == "square") {
      int size;
      line >> size;
      const Geometry geometry = square_transform({.resize = size}).plan(height, width, random);
      EXPECT_EQ(checksum(geometry, image), read_checksum(line)) << text;
    } else if (kind == "fallback") {
      Geometry expected;
      line >> expected.part.left >> expected.part.top >> expected.part.width >>
          expected.part.height;
      const Geometry g = random_resized_crop(height, width, {.scale = {1, 1}}, random);
      EXPECT_EQ(g.part.left, expected.part.left) << text;
      EXPECT_EQ(g.part.top, expected.part.top) << text;
      EXPECT_EQ(g.part.width, expected.part.width) << text;
      EXPECT_EQ(g.part.height, expected.part.height) << text;
    } else if (kind == "normalized") {
      const Transform transform = evaluation_transform({.resize = 0, .crop = width});
      Geometry geometry = transform.plan(height, width, random);
      center_crop(geometry, height, width);
      std::vector<float> planes(3 * static_cast<size_t>(height) * width);
      apply(geometry, ImageView(image), Normalization{}, planes.data());
      EXPECT_EQ(fnv(planes.data(), planes.size() * sizeof(float)), read_checksum(line)) << text;
    } else {
      ADD_FAILURE() << text;
    }
  }
  EXPECT_EQ(count["crop"], 60);
  EXPECT_EQ(count["center"], 35);
  EXPECT_EQ(count["square"], 10);
  EXPECT_EQ(count["fallback"], 6);
  EXPECT_EQ(count["normalized"], 1);
}

TEST(Transforms, FlipMirrors) {
  const Image image = patterned_image(20, 31);
  Generator random(0);
  for (const int crop : {16, 26}) {  // inside, and with padding
    Geometry geometry = evaluation_transform({.resize = 0, .crop = crop}).plan(20, 31, random);
    const std::vector<uint8_t> straight = rendered(geometry, image);
    geometry.flip = true;
    const std::vector<uint8_t> mirrored = rendered(geometry, image);
    for (int y = 0; y < crop; ++y) {
      for (int x = 0; x < crop; ++x) {
        for (int c = 0; c < 3; ++c) {
          ASSERT_EQ(mirrored[(y * crop + x) * 3 + c], straight[(y * crop + crop - 1 - x) * 3 + c]);
        }
      }
    }
  }
}

TEST(Transforms, NormalizeGivesTheSameBitsAfterwards) {
  const Image image = patterned_image(24, 24);
  Generator random(0);
  const Geometry geometry = square_transform({.resize = 24}).plan(24, 24, random);
  Tensor bytes = Tensor::empty({1, 3, 24, 24}, {.dtype = DType::u8, .device = Device{}});
  apply(geometry, ImageView(image), bytes.data<uint8_t>());
  constexpr Normalization symmetric = {{.5f, .5f, .5f}, {.5f, .5f, .5f}};
  for (const Normalization& normalization : {Normalization{}, unit_range, symmetric}) {
    std::vector<float> planes(3 * 24 * 24);
    apply(geometry, ImageView(image), normalization, planes.data());
    EXPECT_EQ(normalize(bytes, normalization).to_vector<float>(), planes);
  }
}

// Pearson's statistic; what cannot happen must not have happened.
double chi_square(const std::vector<double>& observed, const std::vector<double>& expected) {
  double sum = 0;
  for (size_t i = 0; i < observed.size(); ++i) {
    if (expected[i] == 0 && observed[i] == 0) continue;
    sum += (observed[i] - expected[i]) * (observed[i] - expected[i]) / expected[i];
  }
  return sum;
}

constexpr int bins = 4;
constexpr int draws = 20000;

// Of the area's share and the ratio's logarithm, uniform in their ranges where the crop fits in:
// torchvision draws again elsewhere.
std::vector<double> expected_crops(double height, double width) {
  constexpr int fine = 200;  // points a bin and axis
  std::vector<double> cells(bins * bins);
  for (int i = 0; i < bins * fine; ++i) {
    const double area = (0.08 + 0.92 * (i + 0.5) / (bins * fine)) * height * width;
    for (int j = 0; j < bins * fine; ++j) {
      const double log_ratio = std::log(4.0 / 3) * (2 * (j + 0.5) / (bins * fine) - 1);
      const bool fits = std::sqrt(area * std::exp(log_ratio)) <= width + 0.5 &&
                        std::sqrt(area / std::exp(log_ratio)) <= height + 0.5;
      cells[i / fine * bins + j / fine] += fits;
    }
  }
  const double sum = std::accumulate(cells.begin(), cells.end(), 0.0);
  for (double& cell : cells) cell *= draws / sum;
  return cells;
}

TEST(Transforms, CropsAreDistributedAsTorchvisions) {
  const Transform transform = train_transform({});
  // Large, so that rounding to pixels moves next to nothing over a bin's edge.
  for (const auto& [height, width] : {std::pair{5000, 5000}, std::pair{4000, 6000}}) {
    std::vector<double> cells(bins * bins), lefts(bins), tops(bins);
    int flips = 0;
    for (int i = 0; i < draws; ++i) {
      const PhiloxState state = sample_state(1, i / 1000, i % 1000);
      Generator random(state.seed);
      random.set_state(state);
      const Geometry g = transform.plan(height, width, random);
      ASSERT_TRUE(g.part.left >= 0 && g.part.top >= 0 && g.part.left + g.part.width <= width &&
                  g.part.top + g.part.height <= height);
      const double share = static_cast<double>(g.part.width) * g.part.height / height / width;
      const double log_ratio = std::log(static_cast<double>(g.part.width) / g.part.height);
      const auto bin = [](double unit) {
        return std::clamp(static_cast<int>(unit * bins), 0, bins - 1);
      };
      ++cells[bin((share - 0.08) / 0.92) * bins + bin(log_ratio / std::log(4.0 / 3) / 2 + 0.5)];
      ++lefts[bin((g.part.left + 0.5) / (width - g.part.width + 1))];
      ++tops[bin((g.part.top + 0.5) / (height - g.part.height + 1))];
      flips += g.flip;
    }
    // Quantiles of chi-square at 0.999: 37.7 for 15 degrees of freedom, 16.3 for 3.
    EXPECT_LT(chi_square(cells, expected_crops(height, width)), 37.7);
    const std::vector<double> uniform(bins, draws / static_cast<double>(bins));
    EXPECT_LT(chi_square(lefts, uniform), 16.3);
    EXPECT_LT(chi_square(tops, uniform), 16.3);
    EXPECT_NEAR(flips, draws / 2, 3.3 * std::sqrt(draws / 4.0));
  }
}

TEST(Transforms, RandomCropsReachEveryPlace) {
  const Transform transform = square_transform({.resize = 12, .crop = 10, .flip = 0.5});
  std::vector<double> places(9);
  for (int i = 0; i < 9000; ++i) {
    Generator random(i);
    const Geometry g = transform.plan(50, 40, random);
    ASSERT_EQ(g.resized_height, 12);
    ASSERT_EQ(g.output_width, 10);
    ++places.at(3 * g.window_top + g.window_left);
  }
  EXPECT_LT(chi_square(places, std::vector<double>(9, 1000)), 26.1);  // 8 degrees, 0.999
}

TEST(Transforms, RejectBadOptions) {
  EXPECT_NE(error_of([] { train_transform({.size = 0}); }), "");
  EXPECT_NE(error_of([] { train_transform({.scale = {0.5, 0.1}}); }), "");
  EXPECT_NE(error_of([] { train_transform({.flip = 1.5}); }), "");
  EXPECT_NE(error_of([] { evaluation_transform({.resize = -1}); }), "");
  EXPECT_NE(error_of([] { square_transform({.resize = 10, .crop = 11}); }), "");
}

TEST(Transforms, ALongerSideThatNoIntHoldsIsAnError) {
  Geometry geometry = whole_image(70000, 1);
  resize_shorter_side(geometry, 30000);
  EXPECT_EQ(geometry.resized_height, 2100000000);
  geometry = whole_image(1, 80000);
  EXPECT_EQ(error_of([&] { resize_shorter_side(geometry, 30000); }),
            "[transform] a 1x80000 image cannot be made 30000 on its shorter side: its longer one "
            "would be 2400000000");
}

TEST(Transforms, ANormalizationThatDividesBy0IsAnError) {
  Normalization normalization;
  normalization.deviation[1] = 0;
  const std::string message =
      "[normalize] mean and deviation must be finite, and no deviation 0; channel 1 has 0.456 and "
      "0";
  EXPECT_EQ(error_of([&] {
              normalize(Tensor::zeros({1, 3, 2, 2}, {DType::u8}), normalization);
            }),
            message);
  Image image(2, 2);
  std::vector<float> planes(12);
  EXPECT_EQ(
      error_of([&] { apply(whole_image(2, 2), DecodedPart(image), normalization, planes.data()); }),
      message);
  normalization.deviation[1] = std::nanf("");
  EXPECT_NE(error_of([&] {
              normalize(Tensor::zeros({1, 3, 2, 2}, {DType::u8}), normalization);
            }),
            "");
}

}  // namespace
}  // namespace gestalt::data
