#include "data/resample.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/cpu/parallel.h"
#include "kernels/error.h"
#include "kernels/rounding.h"

namespace gestalt::data {
namespace {

constexpr int fraction_bits = 32 - 8 - 2;
// Bytes worked on at once; a multiple of three, so that it holds whole pixels.
constexpr int lanes = 48;

double sinc(double x) {
  if (x == 0) return 1;
  x *= M_PI;
  return std::sin(x) / x;
}

struct Kernel {
  double (*weight)(double x);
  double support;
};

Kernel kernel_of(Filter filter) {
  switch (filter) {
    case Filter::box:
      return {[](double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }, 0.5};
    case Filter::bilinear:
      return {[](double x) { return std::max(1 - std::abs(x), 0.0); }, 1};
    case Filter::hamming:
      return {[](double x) {
                if (x == 0) return 1.0;
                if (std::abs(x) >= 1) return 0.0;
                // Pillow's constants are floats.
                return sinc(x) * (0.54f + 0.46f * std::cos(std::abs(x) * M_PI));
              },
              1};
    case Filter::bicubic:
      return {[](double x) {
                constexpr double a = -0.5;
                x = std::abs(x);
                if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
                return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0.0;
              },
              2};
    default:
      return {[](double x) { return -3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0.0; }, 3};
  }
}

// What each output position along one axis sums: `count` inputs from `first` on.
struct Axis {
  std::vector<int> first, count;
  std::vector<int32_t> weights;  // [output size, stride]
  int stride = 0;

  const int32_t* weights_of(int position) const {
    return weights.data() + static_cast<size_t>(position) * stride;
  }
};

Axis make_axis(int input_size, float from, float to, int output_size, const Kernel& kernel) {
  const double scale = static_cast<double>(to - from) / output_size;
  const double filter_scale = std::max(scale, 1.0);
  const double inverse_scale = 1.0 / filter_scale;
  const double support = kernel.support * filter_scale;
  Axis axis;
  axis.stride = static_cast<int>(std::ceil(support)) * 2 + 1;
  axis.first.resize(output_size);
  axis.count.resize(output_size);
  axis.weights.resize(static_cast<size_t>(output_size) * axis.stride);
  std::vector<double> weights(axis.stride);
  for (int position = 0; position < output_size; ++position) {
    const double center = from + (position + 0.5) * scale;
    const int first = std::max(static_cast<int>(center - support + 0.5), 0);
    const int count = std::min(static_cast<int>(center + support + 0.5), input_size) - first;
    double sum = 0;
    for (int i = 0; i < count; ++i) {
      weights[i] = kernel.weight((i + first - center + 0.5) * inverse_scale);
      sum += weights[i];
    }
    int32_t* rounded = axis.weights.data() + static_cast<size_t>(position) * axis.stride;
    for (int i = 0; i < count; ++i) {
      const double weight = (sum != 0 ? weights[i] / sum : weights[i]) * (1 << fraction_bits);
      rounded[i] = static_cast<int32_t>(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    axis.first[position] = first;
    axis.count[position] = count;
  }
  return axis;
}

// to[lane] = sum over i of weights[i] * from[i * stride + lane], rounded and clipped.
template <int Lanes>
void weigh(const uint8_t* from, size_t stride, const int32_t* weights, int count, uint8_t* to) {
  int32_t sums[Lanes];
  for (int lane = 0; lane < Lanes; ++lane) sums[lane] = 1 << (fraction_bits - 1);
  for (int i = 0; i < count; ++i, from += stride) {
    const int32_t weight = weights[i];
    for (int lane = 0; lane < Lanes; ++lane) sums[lane] += weight * from[lane];
  }
  for (int lane = 0; lane < Lanes; ++lane) {
    to[lane] = static_cast<uint8_t>(std::clamp(sums[lane] >> fraction_bits, 0, 255));
  }
}

Image resize_columns(const ImageView& image, int height, const Axis& axis) {
  Image result(height, image.width, image.channels);
  const size_t row_bytes = image.row_bytes();
  cpu::parallel_for(height, 8, [&](int64_t begin, int64_t end) {
    for (int y = static_cast<int>(begin); y < end; ++y) {
      const uint8_t* from = image.row(axis.first[y]);
      uint8_t* to = result.row(y);
      size_t x = 0;
      for (; x + lanes <= row_bytes; x += lanes) {
        weigh<lanes>(from + x, image.stride, axis.weights_of(y), axis.count[y], to + x);
      }
      for (; x < row_bytes; ++x) {
        weigh<1>(from + x, image.stride, axis.weights_of(y), axis.count[y], to + x);
      }
    }
  });
  return result;
}

// Rows [first_row, first_row + rows) of the image, resized to `width`. Blocks of rows are turned on
// their side, so that neighbouring lanes are different rows and the sums run as for columns.
Image resize_rows(const ImageView& image, int first_row, int rows, int width, const Axis& axis) {
  const int channels = image.channels;
  Image result(rows, width, channels);
  const int block = lanes / channels;
  const int blocks = ceil_div(rows, block);
  cpu::parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
    std::vector<uint8_t> turned(static_cast<size_t>(image.width) * lanes);  // [width, lanes]
    uint8_t sums[lanes];
    for (int y = static_cast<int>(begin) * block; y < std::min<int64_t>(end * block, rows);
         y += block) {
      const int count = std::min(block, rows - y);
      for (int r = 0; r < count; ++r) {
        const uint8_t* from = image.row(first_row + y + r);
        uint8_t* to = turned.data() + r * channels;
        for (int x = 0; x < image.width; ++x, from += channels, to += lanes) {
          for (int c = 0; c < channels; ++c) to[c] = from[c];
        }
      }
      for (int x = 0; x < width; ++x) {
        weigh<lanes>(turned.data() + static_cast<size_t>(axis.first[x]) * lanes, lanes,
                     axis.weights_of(x), axis.count[x], sums);
        for (int r = 0; r < count; ++r) {
          std::memcpy(result.row(y + r) + x * channels, sums + r * channels, channels);
        }
      }
    }
  });
  return result;
}

Image copy(const ImageView& image) {
  Image result(image.height, image.width, image.channels);
  for (int y = 0; y < image.height; ++y) {
    std::memcpy(result.row(y), image.row(y), image.row_bytes());
  }
  return result;
}

Image resize_nearest(const ImageView& image, int height, int width, const Box& box) {
  // Positions are summed up step by step, as Pillow does: multiplying rounds differently.
  const auto positions = [](float from, float to, int size, int limit) {
    const double step = static_cast<double>(to - from) / size;
    std::vector<int> result(size);
    double position = from + step * 0.5;
    for (int& index : result) {
      index = std::min(static_cast<int>(position), limit - 1);
      position += step;
    }
    return result;
  };
  const auto columns = positions(box.left, box.right, width, image.width);
  const auto rows = positions(box.top, box.bottom, height, image.height);
  Image result(height, width, image.channels);
  for (int y = 0; y < height; ++y) {
    const uint8_t* from = image.row(rows[y]);
    uint8_t* to = result.row(y);
    for (int x = 0; x < width; ++x, to += image.channels) {
      std::memcpy(to, from + columns[x] * image.channels, image.channels);
    }
  }
  return result;
}

}  // namespace

Image resize(const ImageView& image, int height, int width, Filter filter,
             std::optional<Box> part) {
  GESTALT_CHECK(height >= 1 && width >= 1, "[resize] size must be at least 1x1, got {}x{}", height,
                width);
  GESTALT_CHECK(image.height >= 1 && image.width >= 1, "[resize] the image is empty");
  const Box whole{0, 0, static_cast<float>(image.width), static_cast<float>(image.height)};
  const Box box = part.value_or(whole);
  GESTALT_CHECK(box.left >= 0 && box.top >= 0 && box.left < box.right && box.top < box.bottom &&
                    box.right <= whole.right && box.bottom <= whole.bottom,
                "[resize] box ({}, {}, {}, {}) is empty or not inside the image of {}x{} (left, "
                "top, right, bottom; height x width)",
                box.left, box.top, box.right, box.bottom, image.height, image.width);
  if (filter == Filter::nearest) return resize_nearest(image, height, width, box);

  const bool change_rows = width != image.width || box.left != 0 || box.right != whole.right;
  const bool change_columns = height != image.height || box.top != 0 || box.bottom != whole.bottom;
  if (!change_rows && !change_columns) return copy(image);
  const Kernel kernel = kernel_of(filter);
  Axis horizontal, vertical;
  if (change_rows) horizontal = make_axis(image.width, box.left, box.right, width, kernel);
  if (change_columns) vertical = make_axis(image.height, box.top, box.bottom, height, kernel);
  if (!change_rows) return resize_columns(image, height, vertical);
  if (!change_columns) return resize_rows(image, 0, image.height, width, horizontal);

  const int64_t shrinkage = image.height - height;
  if (shrinkage > 0 && shrinkage > (image.width - int64_t{width}) * 2) {
    const Image columns = resize_columns(image, height, vertical);
    return resize_rows(columns, 0, height, width, horizontal);
  }
  // Only the rows that the columns' sums will read.
  const int first = vertical.first.front();
  const int last = vertical.first.back() + vertical.count.back();
  for (int& row : vertical.first) row -= first;
  return resize_columns(resize_rows(image, first, last - first, width, horizontal), height,
                        vertical);
}

}  // namespace gestalt::data
