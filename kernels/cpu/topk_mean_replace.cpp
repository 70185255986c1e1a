// topk_mean_replace: the k largest by signed value, each replaced by their mean; the rest +0.
// Order: NaN above infinity, +0 and -0 tie, ties by lowest index. Written for clarity: this mode is
// for comparison in experiments, not for speed.

#include <algorithm>
#include <functional>

#include "kernels/cpu/channels.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/topk_rows.h"
#include "kernels/dispatch.h"
#include "kernels/rounding.h"

namespace gestalt::cpu {
namespace {

// Ordered as the values are.
template <class T>
int64_t signed_key(T value) {
  const int64_t magnitude = static_cast<int64_t>(TopKKey<T>::of(value));
  const bool negative = std::bit_cast<typename TopKKey<T>::Bits>(value) > TopKKey<T>::magnitude;
  const bool is_nan = magnitude == static_cast<int64_t>(TopKKey<T>::nan);
  return negative && !is_nan ? -magnitude : magnitude;
}

// A row (n, c) of a dense view and of the mask.
struct Row {
  int64_t offset, step, length;
  uint8_t* mask;

  bool kept(int64_t i) const { return (mask[i / 8] >> (i % 8)) & 1; }
};

template <class F>
void for_mask_rows(const View& x, uint8_t* mask, const F& f) {
  const int64_t channels = x.shape[1];
  const int64_t length = x.shape[2] * x.shape[3];
  const int64_t bytes = ceil_div(length, 32) * 4;
  const bool contiguous = x.is_contiguous();
  parallel_for(x.shape[0] * channels, 1 + 16384 / length, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      f(Row{contiguous ? r * length : r / channels * channels * length + r % channels,
            contiguous ? 1 : channels, length, mask + r * bytes});
    }
  });
}

// to[i] = kept ? the mean of the kept from[i] : +0
template <class T>
void spread_mean(const T* from, const Row& row, int64_t k, T* to) {
  double sum = 0;
  for (int64_t i = 0; i < row.length; ++i) {
    if (row.kept(i)) sum += static_cast<double>(from[row.offset + i * row.step]);
  }
  const T mean = T(static_cast<accumulate_t<T>>(sum / static_cast<double>(k)));
  for (int64_t i = 0; i < row.length; ++i) {
    to[row.offset + i * row.step] = row.kept(i) ? mean : T(accumulate_t<T>{0});
  }
}

}  // namespace

void topk_mean_replace_forward(Context&, const View& x, const View& y, const View& mask,
                               const TopKDesc& desc) {
  if (x.numel() == 0) return;
  dispatch<FloatTypes>("topk_mean_replace_forward", x, [&]<class T>(std::type_identity<T>) {
    const T* in = x.as<T>();
    for_mask_rows(x, mask.as<uint8_t>(), [&](const Row& row) {
      std::vector<int64_t> keys(row.length);
      for (int64_t i = 0; i < row.length; ++i) {
        keys[i] = signed_key(in[row.offset + i * row.step]);
      }
      std::vector<int64_t> sorted = keys;
      std::nth_element(sorted.begin(), sorted.begin() + desc.k - 1, sorted.end(), std::greater<>());
      const int64_t threshold = sorted[desc.k - 1];
      int64_t ties = std::count(sorted.begin(), sorted.begin() + desc.k, threshold);
      std::fill_n(row.mask, ceil_div(row.length, 32) * 4, uint8_t{0});
      for (int64_t i = 0; i < row.length; ++i) {
        const bool kept = keys[i] > threshold || (keys[i] == threshold && ties > 0 && ties-- > 0);
        row.mask[i / 8] |= static_cast<uint8_t>(kept << (i % 8));
      }
      spread_mean(in, row, desc.k, y.as<T>());
    });
  });
}

void topk_mean_replace_backward(Context&, const View& dy, const View& mask, const View& dx,
                                const TopKDesc& desc) {
  if (dy.numel() == 0) return;
  dispatch<FloatTypes>("topk_mean_replace_backward", dy, [&]<class T>(std::type_identity<T>) {
    for_mask_rows(dy, mask.as<uint8_t>(),
                  [&](const Row& row) { spread_mean(dy.as<T>(), row, desc.k, dx.as<T>()); });
  });
}

}  // namespace gestalt::cpu
