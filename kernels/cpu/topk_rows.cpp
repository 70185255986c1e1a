#include "kernels/cpu/topk_rows.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "kernels/cpu/features.h"

namespace gestalt::cpu {
namespace {

template <class T>
TopKSelection select_plain(const T* row, int64_t length, int64_t k,
                           typename TopKKey<T>::Bits* keys) {
  for (int64_t i = 0; i < length; ++i) keys[i] = TopKKey<T>::of(row[i]);
  std::nth_element(keys, keys + k - 1, keys + length, std::greater<>());
  const auto threshold = keys[k - 1];
  // What stands before the k-th is no smaller than it.
  const int64_t ties = std::count(keys, keys + k, threshold);
  return {threshold, ties};
}

template <class T>
void write_plain(const T* row, int64_t length, TopKSelection selection, bool reverse, bool, T* y,
                 uint8_t* mask) {
  int64_t ties = selection.ties;
  for (int64_t begin = 0; begin < length; begin += 32) {
    const int64_t end = std::min(length, begin + 32);
    uint32_t word = 0;
    for (int64_t i = begin; i < end; ++i) {
      const uint64_t key = TopKKey<T>::of(row[i]);
      const bool kept =
          key > selection.threshold || (key == selection.threshold && ties > 0 && ties-- > 0);
      const bool passed = kept != reverse;
      word |= static_cast<uint32_t>(passed) << (i - begin);
      if (y != nullptr) y[i] = passed ? row[i] : std::bit_cast<T>(typename TopKKey<T>::Bits{0});
    }
    if (mask != nullptr) std::memcpy(mask + begin / 8, &word, sizeof(word));
  }
}

template <class T>
void apply_plain(const T* x, const uint8_t* mask, int64_t length, bool, T* y) {
  for (int64_t i = 0; i < length; ++i) {
    const bool passed = (mask[i / 8] >> (i % 8)) & 1;
    y[i] = passed ? x[i] : std::bit_cast<T>(typename TopKKey<T>::Bits{0});
  }
}

}  // namespace

template <class T>
const TopKRows<T>& topk_rows_plain() {
  static constexpr TopKRows<T> rows{select_plain<T>, write_plain<T>, apply_plain<T>};
  return rows;
}

template <class T>
const TopKRows<T>& topk_rows() {
#if defined(__AVX2__)
  if constexpr (sizeof(T) <= 4) return has_avx512() ? topk_rows_avx512<T>() : topk_rows_avx2<T>();
#endif
  return topk_rows_plain<T>();
}

template const TopKRows<float>& topk_rows_plain();
template const TopKRows<bfloat16>& topk_rows_plain();
template const TopKRows<float16>& topk_rows_plain();
template const TopKRows<double>& topk_rows_plain();
template const TopKRows<float>& topk_rows();
template const TopKRows<bfloat16>& topk_rows();
template const TopKRows<float16>& topk_rows();
template const TopKRows<double>& topk_rows();

}  // namespace gestalt::cpu
