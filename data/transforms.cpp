#include "data/transforms.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "data/recycled.h"
#include "kernels/error.h"
#include "tensor/ops/arithmetic.h"

namespace gestalt::data {
namespace {

// Python's int(round(x)): halves go to the even neighbour.
int round_half_even(double x) {
  return static_cast<int>(std::nearbyint(x));
}

bool chance(double probability, Generator& random) {
  return random.uniform_value() < probability;
}

void check_probability(double probability) {
  GESTALT_CHECK(probability >= 0 && probability <= 1,
                "[transform] expected a probability of mirroring in [0, 1], got {}", probability);
}

// CenterCrop's place along one axis; negative where it pads.
int centered(int size, int crop) {
  return crop > size ? -((crop - size) / 2) : round_half_even((size - crop) / 2.0);
}

// The window's part inside the resized image, along one axis: resized [begin, end) goes to output
// offset.
struct Overlap {
  int begin, end, offset;
};

Overlap overlap(int window, int output, int resized) {
  const int begin = std::clamp(window, 0, resized);
  const int end = std::clamp(window + output, begin, resized);
  return {begin, end, begin - window};
}

// Calls write(row of the output, first column, RGB pixels, number of pixels) for every row of the
// window that the image covers; pixels are not yet mirrored.
template <class Write>
void for_rows(const Geometry& geometry, const DecodedPart& part, const Write& write) {
  const Overlap rows =
      overlap(geometry.window_top, geometry.output_height, geometry.resized_height);
  const Overlap columns =
      overlap(geometry.window_left, geometry.output_width, geometry.resized_width);
  if (rows.begin == rows.end || columns.begin == columns.end) return;
  RecycledImage covered(rows.end - rows.begin, columns.end - columns.begin);
  resize_window(part.pixels, {geometry.resized_height, geometry.resized_width}, columns.begin,
                rows.begin, geometry.filter, part.box, covered.image);
  for (int y = 0; y < covered.image.height; ++y) {
    write(rows.offset + y, columns.offset, covered.image.row(y), covered.image.width);
  }
}

// RGB pixels to three runs of `count` bytes, mirrored or not.
void take_apart(const uint8_t* pixels, int count, bool mirrored, uint8_t* channels) {
  uint8_t *red = channels, *green = red + count, *blue = green + count;
  const auto copy = [&](const auto& place) {
    for (int i = 0; i < count; ++i) {
      red[place(i)] = pixels[3 * i];
      green[place(i)] = pixels[3 * i + 1];
      blue[place(i)] = pixels[3 * i + 2];
    }
  };
  if (mirrored) return copy([count](int i) { return count - 1 - i; });
  copy([](int i) { return i; });
}

// Writes planes; value(channel, byte) is what a byte becomes.
template <class T, class Value>
void write_planes(const Geometry& geometry, const DecodedPart& part, const Value& value,
                  T* planes) {
  const int height = geometry.output_height, width = geometry.output_width;
  const size_t plane = static_cast<size_t>(height) * width;
  const bool padded = geometry.window_left < 0 || geometry.window_top < 0 ||
                      geometry.window_left + width > geometry.resized_width ||
                      geometry.window_top + height > geometry.resized_height;
  if (padded) {
    for (int c = 0; c < 3; ++c) std::fill_n(planes + c * plane, plane, value(c, 0));
  }
  std::vector<uint8_t> apart(3 * static_cast<size_t>(width));  // a row's channels
  for_rows(geometry, part, [&](int y, int x, const uint8_t* pixels, int count) {
    take_apart(pixels, count, geometry.flip, apart.data());
    T* row = planes + static_cast<size_t>(y) * width + (geometry.flip ? width - x - count : x);
    for (int c = 0; c < 3; ++c) {
      const uint8_t* from = apart.data() + static_cast<size_t>(c) * count;
      T* to = row + c * plane;
      for (int i = 0; i < count; ++i) to[i] = value(c, from[i]);
    }
  });
}

using NormalizationTable = std::array<std::array<float, 256>, 3>;

void check(const Normalization& normalization) {
  for (int c = 0; c < 3; ++c) {
    GESTALT_CHECK(
        std::isfinite(normalization.mean[c]) && std::isfinite(normalization.deviation[c]) &&
            normalization.deviation[c] != 0,
        "[normalize] mean and deviation must be finite, and no deviation 0; channel {} has "
        "{} and {}",
        c, normalization.mean[c], normalization.deviation[c]);
  }
}

NormalizationTable make_table(const Normalization& normalization) {
  check(normalization);
  NormalizationTable table;
  for (int c = 0; c < 3; ++c) {
    for (int value = 0; value < 256; ++value) {
      const float unit = static_cast<float>(value) / 255.0f;
      table[c][value] = (unit - normalization.mean[c]) / normalization.deviation[c];
    }
  }
  return table;
}

}  // namespace

Geometry whole_image(int height, int width) {
  return {.part = {.width = width, .height = height},
          .resized_height = height,
          .resized_width = width,
          .output_height = height,
          .output_width = width};
}

void resize_to(Geometry& geometry, int height, int width) {
  geometry.resized_height = geometry.output_height = height;
  geometry.resized_width = geometry.output_width = width;
}

Geometry random_resized_crop(int height, int width, const TrainTransform& options,
                             Generator& random) {
  Geometry geometry = whole_image(height, width);
  const double area = static_cast<double>(height) * width;
  const double log_low = std::log(options.ratio[0]), log_high = std::log(options.ratio[1]);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double target = area * random.uniform_value(options.scale[0], options.scale[1]);
    const double aspect = std::exp(random.uniform_value(log_low, log_high));
    const int crop_width = round_half_even(std::sqrt(target * aspect));
    const int crop_height = round_half_even(std::sqrt(target / aspect));
    if (crop_width > 0 && crop_width <= width && crop_height > 0 && crop_height <= height) {
      geometry.part.top = static_cast<int>(random.integer(height - crop_height + 1));
      geometry.part.left = static_cast<int>(random.integer(width - crop_width + 1));
      geometry.part.height = crop_height;
      geometry.part.width = crop_width;
      return geometry;
    }
  }
  const double aspect = static_cast<double>(width) / height;
  if (aspect < options.ratio[0]) {
    geometry.part.height = round_half_even(width / options.ratio[0]);
  } else if (aspect > options.ratio[1]) {
    geometry.part.width = round_half_even(height * options.ratio[1]);
  }
  geometry.part.top = (height - geometry.part.height) / 2;
  geometry.part.left = (width - geometry.part.width) / 2;
  return geometry;
}

void resize_shorter_side(Geometry& geometry, int size) {
  const bool upright = geometry.part.width <= geometry.part.height;
  const int shorter = upright ? geometry.part.width : geometry.part.height;
  const int longer = upright ? geometry.part.height : geometry.part.width;
  const double exact = static_cast<double>(static_cast<int64_t>(size) * longer) / shorter;
  GESTALT_CHECK(exact <= std::numeric_limits<int>::max(),
                "[transform] a {}x{} image cannot be made {} on its shorter side: its longer one "
                "would be {}",
                geometry.part.height, geometry.part.width, size, static_cast<int64_t>(exact));
  const int scaled = static_cast<int>(exact);
  resize_to(geometry, upright ? scaled : size, upright ? size : scaled);
}

void center_crop(Geometry& geometry, int height, int width) {
  geometry.window_top = centered(geometry.resized_height, height);
  geometry.window_left = centered(geometry.resized_width, width);
  geometry.output_height = height;
  geometry.output_width = width;
}

Transform train_transform(const TrainTransform& options) {
  GESTALT_CHECK(options.size >= 1, "[transform] expected a size of at least 1, got {}",
                options.size);
  GESTALT_CHECK(options.scale[0] >= 0 && options.scale[0] <= options.scale[1] &&
                    options.ratio[0] > 0 && options.ratio[0] <= options.ratio[1],
                "[transform] scale ({}, {}) and ratio ({}, {}) must be ascending and positive",
                options.scale[0], options.scale[1], options.ratio[0], options.ratio[1]);
  check_probability(options.flip);
  return {options.size, options.size, [options](int height, int width, Generator& random) {
            Geometry geometry = random_resized_crop(height, width, options, random);
            resize_to(geometry, options.size, options.size);
            geometry.flip = chance(options.flip, random);
            geometry.filter = options.filter;
            return geometry;
          }};
}

Transform evaluation_transform(const EvaluationTransform& options) {
  GESTALT_CHECK(options.resize >= 0 && options.crop >= 1,
                "[transform] expected sizes of at least 1, got resize {} and crop {}",
                options.resize, options.crop);
  return {options.crop, options.crop, [options](int height, int width, Generator&) {
            Geometry geometry = whole_image(height, width);
            if (options.resize > 0) resize_shorter_side(geometry, options.resize);
            center_crop(geometry, options.crop, options.crop);
            geometry.filter = options.filter;
            return geometry;
          }};
}

Transform square_transform(const SquareTransform& options) {
  const int crop = options.crop > 0 ? options.crop : options.resize;
  GESTALT_CHECK(options.resize >= 1 && options.crop >= 0 && crop <= options.resize,
                "[transform] expected 1 <= crop <= resize, got resize {} and crop {}",
                options.resize, options.crop);
  check_probability(options.flip);
  return {crop, crop, [options, crop](int height, int width, Generator& random) {
            Geometry geometry = whole_image(height, width);
            resize_to(geometry, options.resize, options.resize);
            geometry.window_top = static_cast<int>(random.integer(options.resize - crop + 1));
            geometry.window_left = static_cast<int>(random.integer(options.resize - crop + 1));
            geometry.output_height = geometry.output_width = crop;
            geometry.flip = chance(options.flip, random);
            geometry.filter = options.filter;
            return geometry;
          }};
}

void apply(const Geometry& geometry, const DecodedPart& part, uint8_t* planes) {
  write_planes(
      geometry, part, [](int, uint8_t byte) { return byte; }, planes);
}

void apply(const Geometry& geometry, const DecodedPart& part, const Normalization& normalization,
           float* planes) {
  const NormalizationTable table = make_table(normalization);
  write_planes(
      geometry, part, [&](int c, uint8_t byte) { return table[c][byte]; }, planes);
}

Image render(const Geometry& geometry, const DecodedPart& part) {
  Image image(geometry.output_height, geometry.output_width);
  for_rows(geometry, part, [&](int y, int x, const uint8_t* pixels, int count) {
    if (!geometry.flip) {
      std::memcpy(image.row(y) + 3 * x, pixels, 3 * static_cast<size_t>(count));
      return;
    }
    uint8_t* to = image.row(y) + 3 * (image.width - 1 - x);
    for (int i = 0; i < count; ++i, to -= 3) std::memcpy(to, pixels + 3 * i, 3);
  });
  return image;
}

Tensor normalize(const Tensor& images, const Normalization& normalization) {
  GESTALT_CHECK(images.rank() == 4 && images.size(1) == 3 && images.dtype() == DType::u8,
                "[normalize] expected u8[N,3,H,W], got {}", images);
  check(normalization);
  const FromVectorOptions on_device{.device = images.device()};
  const auto channel = [&](const std::array<float, 3>& values) {
    return Tensor::from_vector(std::vector<float>(values.begin(), values.end()), {1, 3, 1, 1},
                               on_device);
  };
  // A division, as ToTensor's: the product with 1 / 255 rounds differently.
  const Tensor unit = divide(images.to(DType::f32), 255);
  return (unit - channel(normalization.mean)) / channel(normalization.deviation);
}

}  // namespace gestalt::data
