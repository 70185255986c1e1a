#include "data/resample.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "data/recycled.h"
#include "kernels/error.h"
#include "kernels/parallel.h"
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

// What each output position of a window along one axis sums: `count` inputs from `first` on.
struct Axis {
  std::vector<int> first, count;
  std::vector<int32_t> weights;  // [window, stride]
  int stride = 0;

  const int32_t* weights_of(int position) const {
    return weights.data() + static_cast<size_t>(position) * stride;
  }
  int begin() const { return first.front(); }
  int end() const { return first.back() + count.back(); }
  // For inputs that were cut off before begin().
  void begin_at_zero() {
    for (const int cut = begin(); int& position : first) position -= cut;
  }
};

// Outputs [begin, end) of an axis that is resized to `size`.
struct Window {
  int begin, end, size;
  int length() const { return end - begin; }
};

Axis make_axis(int input_size, float from, float to, const Window& window, const Kernel& kernel) {
  const double scale = static_cast<double>(to - from) / window.size;
  const double filter_scale = std::max(scale, 1.0);
  const double inverse_scale = 1.0 / filter_scale;
  const double support = kernel.support * filter_scale;
  Axis axis;
  axis.stride = static_cast<int>(std::ceil(support)) * 2 + 1;
  axis.first.resize(window.length());
  axis.count.resize(window.length());
  axis.weights.resize(static_cast<size_t>(window.length()) * axis.stride);
  std::vector<double> weights(axis.stride);
  for (int position = 0; position < window.length(); ++position) {
    const double center = from + (window.begin + position + 0.5) * scale;
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

// Columns [left, left + result.width) of the image, resized to the result's height.
void resize_columns(const ImageView& image, int left, const Axis& axis, Image& result) {
  const size_t row_bytes = result.row_bytes();
  parallel_for(result.height, 8, [&](int64_t begin, int64_t end) {
    for (int y = static_cast<int>(begin); y < end; ++y) {
      const uint8_t* from = image.row(axis.first[y]) + static_cast<size_t>(left) * image.channels;
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
}

// Rows [top, top + result.height) of the image, resized to the result's width. Blocks of rows are
// turned on their side, so that neighbouring lanes are different rows and the sums run as for
// columns.
template <int channels>
void resize_rows(const ImageView& image, int top, const Axis& axis, Image& result) {
  constexpr int block = lanes / channels;
  const int left = axis.begin(), columns = axis.end() - left;
  const int blocks = ceil_div(result.height, block);
  parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
    std::vector<uint8_t> turned(static_cast<size_t>(columns) * lanes);  // [columns, lanes]
    uint8_t sums[lanes];
    for (int y = static_cast<int>(begin) * block; y < std::min<int64_t>(end * block, result.height);
         y += block) {
      const int count = std::min(block, result.height - y);
      for (int r = 0; r < count; ++r) {
        const uint8_t* from = image.row(top + y + r) + static_cast<size_t>(left) * channels;
        uint8_t* to = turned.data() + r * channels;
        for (int x = 0; x < columns; ++x, from += channels, to += lanes) {
          std::memcpy(to, from, channels);
        }
      }
      for (int x = 0; x < result.width; ++x) {
        weigh<lanes>(turned.data() + static_cast<size_t>(axis.first[x] - left) * lanes, lanes,
                     axis.weights_of(x), axis.count[x], sums);
        for (int r = 0; r < count; ++r) {
          std::memcpy(result.row(y + r) + x * channels, sums + r * channels, channels);
        }
      }
    }
  });
}

void resize_rows(const ImageView& image, int top, const Axis& axis, Image& result) {
  if (image.channels == 1) return resize_rows<1>(image, top, axis, result);
  resize_rows<3>(image, top, axis, result);
}

void resize_nearest(const ImageView& image, const Box& box, const Window& columns,
                    const Window& rows, Image& result) {
  // Positions are summed up step by step, as Pillow does: multiplying rounds differently.
  const auto positions = [](float from, float to, const Window& window, int limit) {
    const double step = static_cast<double>(to - from) / window.size;
    std::vector<int> result;
    double position = from + step * 0.5;
    for (int i = 0; i < window.end; ++i, position += step) {
      if (i >= window.begin) result.push_back(std::min(static_cast<int>(position), limit - 1));
    }
    return result;
  };
  const auto from_columns = positions(box.left, box.right, columns, image.width);
  const auto from_rows = positions(box.top, box.bottom, rows, image.height);
  for (int y = 0; y < result.height; ++y) {
    const uint8_t* from = image.row(from_rows[y]);
    uint8_t* to = result.row(y);
    for (const int column : from_columns) {
      std::memcpy(to, from + column * image.channels, image.channels);
      to += image.channels;
    }
  }
}

void copy(const ImageView& image, Image& result) {
  for (int y = 0; y < image.height; ++y) {
    std::memcpy(result.row(y), image.row(y), image.row_bytes());
  }
}

}  // namespace

Image resize(const ImageView& image, int height, int width, Filter filter, std::optional<Box> box) {
  GESTALT_CHECK(height >= 1 && width >= 1, "[resize] size must be at least 1x1, got {}x{}", height,
                width);
  Image result(height, width, image.channels);
  resize_window(image, {height, width}, 0, 0, filter, box, result);
  return result;
}

void resize_window(const ImageView& image, Size size, int left, int top, Filter filter,
                   std::optional<Box> part, Image& result) {
  GESTALT_CHECK(image.height >= 1 && image.width >= 1, "[resize] the image is empty");
  GESTALT_CHECK(left >= 0 && top >= 0 && result.width <= size.width - left &&
                    result.height <= size.height - top,
                "[resize] the window {}x{} at ({}, {}) is not inside {}x{} (height x width, left, "
                "top)",
                result.height, result.width, left, top, size.height, size.width);
  const Box whole{0, 0, static_cast<float>(image.width), static_cast<float>(image.height)};
  const Box box = part.value_or(whole);
  GESTALT_CHECK(box.left >= 0 && box.top >= 0 && box.left < box.right && box.top < box.bottom &&
                    box.right <= whole.right && box.bottom <= whole.bottom,
                "[resize] box ({}, {}, {}, {}) is empty or not inside the image of {}x{} (left, "
                "top, right, bottom; height x width)",
                box.left, box.top, box.right, box.bottom, image.height, image.width);
  const Window columns{left, left + result.width, size.width};
  const Window rows{top, top + result.height, size.height};
  if (filter == Filter::nearest) return resize_nearest(image, box, columns, rows, result);

  const bool change_rows = size.width != image.width || box.left != 0 || box.right != whole.right;
  const bool change_columns =
      size.height != image.height || box.top != 0 || box.bottom != whole.bottom;
  if (!change_rows && !change_columns) {
    return copy(image.part({left, top, result.width, result.height}), result);
  }
  const Kernel kernel = kernel_of(filter);
  Axis horizontal, vertical;
  if (change_rows) horizontal = make_axis(image.width, box.left, box.right, columns, kernel);
  if (change_columns) vertical = make_axis(image.height, box.top, box.bottom, rows, kernel);
  if (!change_rows) return resize_columns(image, left, vertical, result);
  if (!change_columns) return resize_rows(image, top, horizontal, result);

  // Between the passes: only the columns or rows that the second one's sums will read.
  const int64_t shrinkage = image.height - size.height;
  if (shrinkage > 0 && shrinkage > (image.width - int64_t{size.width}) * 2) {
    RecycledImage between(result.height, horizontal.end() - horizontal.begin(), image.channels);
    resize_columns(image, horizontal.begin(), vertical, between.image);
    horizontal.begin_at_zero();
    return resize_rows(between.image, 0, horizontal, result);
  }
  RecycledImage between(vertical.end() - vertical.begin(), result.width, image.channels);
  resize_rows(image, vertical.begin(), horizontal, between.image);
  vertical.begin_at_zero();
  resize_columns(between.image, 0, vertical, result);
}

}  // namespace gestalt::data
