// Weighted squared distance of the channels of a and b, each of unit length, and its gradient.
//
// Blocks of pixels: small enough for their elements to stay in the cache from the pass that finds
// the lengths to those that need them. Products with the inverse lengths are rounded before their
// difference (-ffp-contract=off), so that equal arrays have no distance.

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/lanes.h"
#include "kernels/dispatch.h"
#include "kernels/parallel.h"
#include "kernels/rounding.h"

namespace gestalt::cpu {
namespace {

constexpr int64_t most_pixels = 256;  // of a block in planes

struct Blocks {
  int64_t images, channels, pixels;
  bool planes;   // a channel's pixels are neighbours, else a pixel's channels
  int64_t size;  // pixels of a block
  int64_t per_image;

  // By the shape alone, as the order of sums is.
  explicit Blocks(const View& a)
      : images(a.shape[0]),
        channels(a.shape[1]),
        pixels(a.shape[2] * a.shape[3]),
        planes(a.is_contiguous() && pixels > 1) {
    constexpr int64_t elements = 16384;
    const int64_t fitting = elements / std::max<int64_t>(channels, 1);
    size = planes ? std::clamp<int64_t>(fitting / 64 * 64, 64, most_pixels)
                  : std::max<int64_t>(fitting, 1);
    per_image = ceil_div(pixels, size);
  }
};

// A block's pixels: where they begin in the arrays, and how many they are.
struct Pixels {
  int64_t image, begin, count;
};

// f(block, pixels)
template <class F>
void for_blocks(const Blocks& blocks, const F& f) {
  parallel_for(blocks.images * blocks.per_image, 1, [&](int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block) {
      const int64_t image = block / blocks.per_image;
      const int64_t pixel = block % blocks.per_image * blocks.size;
      const int64_t step = blocks.planes ? 1 : blocks.channels;
      f(block, Pixels{image, image * blocks.channels * blocks.pixels + pixel * step,
                      std::min(blocks.size, blocks.pixels - pixel)});
    }
  });
}

template <class Sum>
struct Epsilon {
  Sum squared, added;
  explicit Epsilon(double epsilon)
      : squared(static_cast<Sum>(epsilon * epsilon)), added(static_cast<Sum>(epsilon)) {}
  Sum root(Sum squares) const { return std::sqrt(squares + squared); }
  Sum inverse_length(Sum squares) const { return 1 / (root(squares) + added); }
};

// ---- planes: vectors of pixels, one channel after the other ----

template <class Sum>
using OfPixels = std::array<Sum, most_pixels>;

template <class T>
struct Planes {
  using Sum = accumulate_t<T>;
  const T *a, *b;  // at the block's first pixel
  const Sum* weight;
  int64_t channels, stride, count;
  OfPixels<Sum> of_a{}, of_b{};  // inverse lengths

  Planes(const Blocks& blocks, const Pixels& at, const View& a, const View& b, const View& weight)
      : a(a.as<const T>() + at.begin),
        b(b.as<const T>() + at.begin),
        weight(weight.as<const Sum>()),
        channels(blocks.channels),
        stride(blocks.pixels),
        count(at.count) {}

  // f(LaneCount, weight, place in the block, place of the element), over the channels in order
  template <class F>
  void for_all(const F& f) const {
    for (int64_t c = 0; c < channels; ++c) {
      const Sum factor = weight[c];
      const int64_t row = c * stride;
      for_lanes<T>(count, [&](auto lanes, int64_t i) { f(lanes, factor, i, row + i); });
    }
  }

  // Sums of squares.
  void find_squares() {
    for_all([&]<int lanes>(LaneCount<lanes>, Sum, int64_t i, int64_t at) {
      const auto left = load_lanes<lanes>(a + at), right = load_lanes<lanes>(b + at);
      store_lanes<lanes>(load_lanes<lanes>(&of_a[i]) + left * left, &of_a[i]);
      store_lanes<lanes>(load_lanes<lanes>(&of_b[i]) + right * right, &of_b[i]);
    });
  }
  static void invert(const Epsilon<Sum>& epsilon, int64_t count, OfPixels<Sum>& squares) {
    for (int64_t i = 0; i < count; ++i) squares[i] = epsilon.inverse_length(squares[i]);
  }

  double distance(const Epsilon<Sum>& epsilon) {
    find_squares();
    invert(epsilon, count, of_a);
    invert(epsilon, count, of_b);
    OfPixels<Sum> sums{};
    for_all([&]<int lanes>(LaneCount<lanes>, Sum factor, int64_t i, int64_t at) {
      const auto difference = load_lanes<lanes>(a + at) * load_lanes<lanes>(&of_a[i]) -
                              load_lanes<lanes>(b + at) * load_lanes<lanes>(&of_b[i]);
      const auto sum = load_lanes<lanes>(&sums[i]) + difference * difference * factor;
      store_lanes<lanes>(sum, &sums[i]);
    });
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += sums[i];
    return sum;
  }

  void gradient(const Epsilon<Sum>& epsilon, Sum factor, T* da) {
    find_squares();
    OfPixels<Sum> stretch{}, factors{};  // |a| / root, and 2 scale dy / |a|
    for (int64_t i = 0; i < count; ++i) {
      const Sum root = epsilon.root(of_a[i]);
      stretch[i] = (root + epsilon.added) / root;
    }
    invert(epsilon, count, of_a);
    invert(epsilon, count, of_b);
    for (int64_t i = 0; i < count; ++i) factors[i] = factor * of_a[i];
    OfPixels<Sum> along{};
    for_all([&]<int lanes>(LaneCount<lanes>, Sum factor, int64_t i, int64_t at) {
      const auto unit = load_lanes<lanes>(a + at) * load_lanes<lanes>(&of_a[i]);
      const auto difference = unit - load_lanes<lanes>(b + at) * load_lanes<lanes>(&of_b[i]);
      store_lanes<lanes>(load_lanes<lanes>(&along[i]) + difference * unit * factor, &along[i]);
    });
    for (int64_t i = 0; i < count; ++i) along[i] *= stretch[i];
    for_all([&]<int lanes>(LaneCount<lanes>, Sum factor, int64_t i, int64_t at) {
      const auto unit = load_lanes<lanes>(a + at) * load_lanes<lanes>(&of_a[i]);
      const auto difference = unit - load_lanes<lanes>(b + at) * load_lanes<lanes>(&of_b[i]);
      const auto across = difference * factor - load_lanes<lanes>(&along[i]) * unit;
      store_lanes<lanes>(narrow_lanes<T, lanes>(across * load_lanes<lanes>(&factors[i])), da + at);
    });
  }
};

// ---- pixels: vectors of channels ----

// The sum over [0, end) of the lanes of f(LaneCount, i).
template <class T, class F>
accumulate_t<T> sum_lanes(int64_t end, const F& f) {
  using Sum = accumulate_t<T>;
  constexpr int lanes = full_lanes<T>;
  using Full = LaneCount<lanes>;
  Lanes<Sum, lanes> sums[2]{};
  int64_t i = 0;
  for (; i + 2 * lanes <= end; i += 2 * lanes) {
    sums[0] += f(Full{}, i);
    sums[1] += f(Full{}, i + lanes);
  }
  for (; i + lanes <= end; i += lanes) sums[0] += f(Full{}, i);
  sums[0] += sums[1];
  Sum sum = 0;
  for (int j = 0; j < lanes; ++j) sum += sums[0][j];
  for (; i < end; ++i) sum += f(LaneCount<1>{}, i);
  return sum;
}

template <class T>
struct Pixel {
  using Sum = accumulate_t<T>;
  const T *a, *b;
  const Sum* weight;
  int64_t channels;

  static Sum squares(const T* x, int64_t channels) {
    return sum_lanes<T>(channels, [&]<int lanes>(LaneCount<lanes>, int64_t c) {
      const auto value = load_lanes<lanes>(x + c);
      return value * value;
    });
  }

  double distance(const Epsilon<Sum>& epsilon) const {
    const Sum of_a = epsilon.inverse_length(squares(a, channels));
    const Sum of_b = epsilon.inverse_length(squares(b, channels));
    return sum_lanes<T>(channels, [&]<int lanes>(LaneCount<lanes>, int64_t c) {
      const auto difference = load_lanes<lanes>(a + c) * of_a - load_lanes<lanes>(b + c) * of_b;
      return difference * difference * load_lanes<lanes>(weight + c);
    });
  }

  void gradient(const Epsilon<Sum>& epsilon, Sum factor, T* da) const {
    const Sum root = epsilon.root(squares(a, channels)), length = root + epsilon.added;
    const Sum of_a = 1 / length, of_b = epsilon.inverse_length(squares(b, channels));
    const Sum along =
        length / root * sum_lanes<T>(channels, [&]<int lanes>(LaneCount<lanes>, int64_t c) {
          const auto unit = load_lanes<lanes>(a + c) * of_a;
          const auto difference = unit - load_lanes<lanes>(b + c) * of_b;
          return difference * unit * load_lanes<lanes>(weight + c);
        });
    factor *= of_a;
    for_lanes<T>(channels, [&]<int lanes>(LaneCount<lanes>, int64_t c) {
      const auto unit = load_lanes<lanes>(a + c) * of_a;
      const auto difference = unit - load_lanes<lanes>(b + c) * of_b;
      const auto across = difference * load_lanes<lanes>(weight + c) - along * unit;
      store_lanes<lanes>(narrow_lanes<T, lanes>(across * factor), da + c);
    });
  }
};

}  // namespace

void unit_distance_forward(Context&, const View& a, const View& b, const View& weight,
                           double epsilon, double scale, const View& y) {
  const Blocks blocks(a);
  dispatch<FloatTypes>("unit_distance_forward", a, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    const Epsilon<Sum> small(epsilon);
    std::vector<double> partial(static_cast<size_t>(blocks.images * blocks.per_image));
    for_blocks(blocks, [&](int64_t block, const Pixels& at) {
      if (blocks.planes) {
        partial[block] = Planes<T>(blocks, at, a, b, weight).distance(small);
        return;
      }
      Pixel<T> pixel{a.as<const T>() + at.begin, b.as<const T>() + at.begin, weight.as<const Sum>(),
                     blocks.channels};
      for (int64_t i = 0; i < at.count; ++i) {
        partial[block] += pixel.distance(small);
        pixel.a += blocks.channels;
        pixel.b += blocks.channels;
      }
    });
    for (int64_t n = 0; n < blocks.images; ++n) {
      double sum = 0;
      for (int64_t i = 0; i < blocks.per_image; ++i) sum += partial[n * blocks.per_image + i];
      y.as<Sum>()[n] = static_cast<Sum>(scale * sum);
    }
  });
}

// With u = a / |a|, d = u - b / |b| and |a| = root + epsilon: the gradient to u is g = 2 scale dy w
// d, and that to a is (g - (g . u) u |a| / root) / |a|, finite where a is 0.
void unit_distance_backward(Context&, const View& dy, const View& a, const View& b,
                            const View& weight, double epsilon, double scale, const View& da) {
  const Blocks blocks(a);
  dispatch<FloatTypes>("unit_distance_backward", a, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    const Epsilon<Sum> small(epsilon);
    for_blocks(blocks, [&](int64_t, const Pixels& at) {
      const auto factor = static_cast<Sum>(2 * scale * dy.as<const Sum>()[at.image]);
      T* out = da.as<T>() + at.begin;
      if (blocks.planes) return Planes<T>(blocks, at, a, b, weight).gradient(small, factor, out);
      Pixel<T> pixel{a.as<const T>() + at.begin, b.as<const T>() + at.begin, weight.as<const Sum>(),
                     blocks.channels};
      for (int64_t i = 0; i < at.count; ++i) {
        pixel.gradient(small, factor, out);
        pixel.a += blocks.channels;
        pixel.b += blocks.channels;
        out += blocks.channels;
      }
    });
  });
}

}  // namespace gestalt::cpu
