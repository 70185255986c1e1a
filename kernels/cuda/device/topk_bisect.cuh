#pragma once

// Top-K's selection by counting: for rows whose elements lie in registers.

#include "kernels/cuda/device/topk_key.cuh"

namespace GESTALT_CUDA_NAMESPACE {

__device__ inline float topk_log2(float value) {
#if defined(__CUDA_ARCH__)
  return __log2f(value);
#else
  return ::log2f(value);
#endif
}

// Steps that guess before the rest halves the bits: twice the mean of what rows need; past them the
// row is of a kind that guessing does not suit.
inline constexpr int topk_guided_steps = 14;

// A key in (low, high), where about k elements are expected from it up; `below` of them are from
// `low` up and `above` from `high` up. Between the two the logarithm of the count is taken as
// linear in the magnitude, which suits tails of activations: 6.5 steps at 784 Gaussian elements,
// where halving the magnitude needs 9.3. Never near an end, so that both ends move.
template <class Key>
__device__ inline uint32_t topk_guess(uint32_t low, uint32_t high, uint32_t below, uint32_t above,
                                      uint32_t k) {
  const float most = topk_log2(static_cast<float>(below));
  const float least = topk_log2(::fmaxf(static_cast<float>(above), 0.7f));
  const float wanted = topk_log2(static_cast<float>(k));
  const float share = ::fminf(::fmaxf((most - wanted) / (most - least), 0.05f), 0.95f);
  const float from = Key::value(low), to = Key::value(high);
  const float value = from + (to - from) * share;
  // Not so where an end is no finite number.
  if (!(value > from && value < to)) return low + (high - low) / 2;
  return ::min(::max(Key::from_value(value), low + 1), high - 1);
}

// count(key): how many elements of the row have at least that key (raw); `largest` of the keys.
// Throughout, count(low) > k > count(high). The result does not depend on which keys are tried.
template <class Key, class Count>
__device__ inline TopKSelection topk_bisect(const Count& count, uint32_t largest, uint32_t k) {
  const uint32_t non_zero = count(1);
  if (non_zero <= k) return {0, k - non_zero};
  uint32_t low = 1, high = largest + 1, below = non_zero, above = 0;
  for (int step = 0; high - low > 1; ++step) {
    uint32_t middle = low + (high - low) / 2;
    if constexpr (!Key::replaces_by_mean) {
      if (step < topk_guided_steps) middle = topk_guess<Key>(low, high, below, above, k);
    }
    const uint32_t found = count(middle);
    if (found == k) return keys_from(middle);
    if (found > k) {
      low = middle;
      below = found;
    } else {
      high = middle;
      above = found;
    }
  }
  return {low, k - above};
}

// Elements of a row in one thread's registers, two to a register where they have 16 bits: numbers
// 0, lanes, 2 * lanes ... from `first` on, of which `present` exist. Loops leave early in steps of
// 8, which is uniform for the row, so that short rows pay for what they have.
template <class Key, class T, int items>
class TopKRegisters {
 public:
  using Bits = ElementBits<T>;
  static constexpr int per_word = static_cast<int>(sizeof(uint32_t) / sizeof(Bits));
  static constexpr int group = items < 8 ? items : 8;

  // used: how many of the items any thread of the row has.
  __device__ explicit TopKRegisters(int used) : used_(used) {}

  // element(j): the j-th, asked for where j < used.
  template <class Element>
  __device__ void fill(const Element& element) {
    for_each_group([&](auto begin) {
#pragma unroll
      for (int j = begin; j < begin + group; ++j) set(j, j < used_ ? element(j) : Key::lowest);
    });
  }

  // The same from global memory: all loads are on the way before the first is waited for.
  template <class Element>
  __device__ void fill_at_once(const Element& element) {
    Bits loaded[items];
    for_each_group([&](auto begin) {
#pragma unroll
      for (int j = begin; j < begin + group; ++j) {
        loaded[j] = j < used_ ? element(j) : Key::lowest;
      }
    });
    for_each_group([&](auto begin) {
#pragma unroll
      for (int j = begin; j < begin + group; ++j) set(j, loaded[j]);
    });
  }

  // element = f(j, element) for j < used.
  template <class F>
  __device__ void map(const F& f) {
    for_each_group([&](auto begin) {
#pragma unroll
      for (int j = begin; j < begin + group; j += per_word) {
        Bits elements[per_word];  // read before set() overwrites the word
#pragma unroll
        for (int e = 0; e < per_word; ++e) {
          elements[e] = j + e < used_ ? f(j + e, get(j + e)) : get(j + e);
        }
#pragma unroll
        for (int e = 0; e < per_word; ++e) set(j + e, elements[e]);
      }
    });
  }

  // f(j, element) for j < used, in order.
  template <class F>
  __device__ void for_each(const F& f) const {
    for_each_group([&](auto begin) {
#pragma unroll
      for (int j = begin; j < begin + group; ++j) {
        if (j < used_) f(j, get(j));
      }
    });
  }

  __device__ uint32_t count_from(uint32_t key) const {
    uint32_t count = 0;
    if constexpr (per_word == 2 && !Key::replaces_by_mean) {
      // Two keys with the upper bit set, minus `key` twice: it stays set where a key is at least
      // that. Sixteen words' answers are put side by side before they are counted.
      uint32_t answers = 0;
      for_each_group([&](auto begin) {
#pragma unroll
        for (int w = begin / 2; w < (begin + group) / 2; ++w) {
          const uint32_t difference = (word_[w] | 0x80008000u) - (key | key << 16);
          answers |= (difference & 0x80008000u) >> (w % 16);
        }
        if constexpr ((begin + group) % 32 == 0) {
          count += static_cast<uint32_t>(__popc(answers));
          answers = 0;
        }
      });
      return count + static_cast<uint32_t>(__popc(answers));
    }
    if constexpr (std::is_same_v<T, float> && !Key::replaces_by_mean) {
      // Compared as floats the sign costs nothing. NaN is above every number.
      if (key < nan_key<T>) {
        const float least = __uint_as_float(key);
        for_each_group([&](auto begin) {
#pragma unroll
          for (int j = begin; j < begin + group; ++j) {
            if (!(::fabsf(__uint_as_float(word_[j])) < least)) ++count;
          }
        });
        return count;
      }
    }
    for_each_group([&](auto begin) {
#pragma unroll
      for (int j = begin; j < begin + group; ++j) {
        if (Key::raw(get(j)) >= key) ++count;
      }
    });
    return count;
  }

  __device__ uint32_t largest() const {  // raw
    uint32_t most = 0;
    for_each_group([&](auto begin) {
#pragma unroll
      for (int j = begin; j < begin + group; ++j) most = ::max(most, Key::raw(get(j)));
    });
    return most;
  }

 private:
  template <class F>
  __device__ void for_each_group(const F& f) const {
    visit_groups(f, std::make_integer_sequence<int, items / group>{});
  }
  template <class F, int... g>
  __device__ void visit_groups(const F& f, std::integer_sequence<int, g...>) const {
    ((g * group < used_ ? f(std::integral_constant<int, g * group>{}) : void()), ...);
  }

  __device__ Bits get(int j) const {
    if constexpr (per_word == 2) {
      return static_cast<Bits>(word_[j / 2] >> (j % 2 * 16));
    } else {
      return word_[j];
    }
  }
  __device__ void set(int j, Bits element) {
    if constexpr (per_word == 2) {
      word_[j / 2] = j % 2 == 0 ? element : word_[j / 2] | static_cast<uint32_t>(element) << 16;
    } else {
      word_[j] = element;
    }
  }

  uint32_t word_[items / per_word];
  int used_;
};

}  // namespace GESTALT_CUDA_NAMESPACE
