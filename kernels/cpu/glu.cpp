// The gated linear unit: y = value * sigmoid(gate), the two halves of the channels.

#include <algorithm>
#include <limits>

#include "kernels/cpu/elementary.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/lanes.h"
#include "kernels/dispatch.h"
#include "kernels/parallel.h"
#include "kernels/rounding.h"

namespace gestalt::cpu {
namespace {

// y as rows that lie as one, an image or a pixel; x has of each row the values, then the gates.
struct GatedRows {
  int64_t count, length;

  explicit GatedRows(const View& x) {
    const int64_t images = x.shape[0], channels = x.shape[1] / 2;
    const int64_t pixels = x.shape[2] * x.shape[3];
    const bool by_image = x.is_contiguous();
    count = by_image ? images : images * pixels;
    length = by_image ? channels * pixels : channels;
  }
};

// f(LaneCount, place of the values in x, place in y) over all of y; some twice.
template <class T, class F>
void for_gated(const GatedRows& rows, const F& f) {
  constexpr int64_t block = 8192;
  if (rows.length == 0) return;
  const int64_t pieces = ceil_div(rows.length, block);
  const int64_t grain = 1 + block / std::min(rows.length, block);
  parallel_for(rows.count * pieces, grain, [&](int64_t first, int64_t last) {
    for (int64_t piece = first; piece < last; ++piece) {
      const int64_t row = piece / pieces, begin = piece % pieces * block;
      const int64_t in_x = 2 * row * rows.length, in_y = row * rows.length;
      for_runs<T>(begin, std::min(rows.length, begin + block),
                  [&]<int lanes, int vectors>(int64_t i, Run<lanes, vectors>) {
                    for (int v = 0; v < vectors; ++v) {
                      f(LaneCount<lanes>{}, in_x + i + v * lanes, in_y + i + v * lanes);
                    }
                  });
    }
  });
}

// Of gates: the sigmoid, and what it lacks of one, without the rounding of a difference.
template <class E, int count>
struct Sigmoid {
  using Values = Lanes<E, count>;
  Values exponential, open;

  explicit Sigmoid(const Values& gate)
      : exponential(exp_lanes(-gate)), open(1 / (1 + exponential)) {}
  Values closed() const {
    const Values finite = Values{} + std::numeric_limits<E>::max();  // infinity times 0 is NaN
    return (exponential < finite ? exponential : finite) * open;
  }
};

}  // namespace

void glu_forward(Context&, const View& x, const View& y) {
  const GatedRows rows(x);
  dispatch<FloatTypes>("glu_forward", x, [&]<class T>(std::type_identity<T>) {
    const T *value = x.as<const T>(), *gate = value + rows.length;
    T* out = y.as<T>();
    for_gated<T>(rows, [=]<int lanes>(LaneCount<lanes>, int64_t from, int64_t to) {
      const Sigmoid<accumulate_t<T>, lanes> of(load_lanes<lanes>(gate + from));
      const auto opened = load_lanes<lanes>(value + from) * of.open;
      store_lanes<lanes>(narrow_lanes<T, lanes>(opened), out + to);
    });
  });
}

void glu_backward(Context&, const View& dy, const View& x, const View& dx) {
  const GatedRows rows(x);
  dispatch<FloatTypes>("glu_backward", x, [&]<class T>(std::type_identity<T>) {
    const T *value = x.as<const T>(), *gate = value + rows.length, *from_y = dy.as<const T>();
    T *dvalue = dx.as<T>(), *dgate = dvalue + rows.length;
    for_gated<T>(rows, [=]<int lanes>(LaneCount<lanes>, int64_t at, int64_t at_y) {
      const Sigmoid<accumulate_t<T>, lanes> of(load_lanes<lanes>(gate + at));
      const auto opened = load_lanes<lanes>(from_y + at_y) * of.open;
      const auto slope = load_lanes<lanes>(value + at) * of.closed();
      store_lanes<lanes>(narrow_lanes<T, lanes>(opened), dvalue + at);
      store_lanes<lanes>(narrow_lanes<T, lanes>(opened * slope), dgate + at);
    });
  });
}

}  // namespace gestalt::cpu
