#pragma once

// The Top-K of a row over an instruction set `Isa`, for topk_avx2.cpp and topk_avx512.cpp.
// Everything stands in an unnamed namespace: the two files are compiled for different processors,
// and the linker must never take one's code for the other's.
//
// Method: count what is not zero; fewer than k: the threshold is 0. Else bisect for the threshold,
// counting keys >= pivot in vectors, until a count is exactly k or one key value is left. When a
// bracket holds few keys they are compressed and searched alone; on long rows a sample gives that
// bracket, so that the row is read twice: to compress, and to write.
//
// Isa: T, Vector, lanes, octave; load, load_first (others 0), key, above, equal (a lane a bit),
// Counter, max_lane, can_collect, compress (past the end of what it keeps up to a vector is
// scribbled on), store, store_first, stream.

#include <cstring>

#include "kernels/cpu/topk_rows.h"

namespace gestalt::cpu {
namespace {

template <class Isa>
using BitsOf = typename TopKKey<typename Isa::T>::Bits;

inline int lanes_set(uint32_t mask) {
  return __builtin_popcount(mask);
}

// Calls f(vector) over all elements; lanes behind the end are 0.
template <class Isa, class F>
inline void for_vectors(const BitsOf<Isa>* keys, int64_t length, F&& f) {
  int64_t i = 0;
  for (; i + Isa::lanes <= length; i += Isa::lanes) f(Isa::load(keys + i));
  if (i < length) f(Isa::load_first(keys + i, static_cast<int>(length - i)));
}

// Number of keys >= pivot; 1 <= pivot <= nan, so that padding and payloads of NaN don't matter.
template <class Isa>
int64_t count_at_least(const BitsOf<Isa>* keys, int64_t length, BitsOf<Isa> pivot) {
  const auto below = Isa::broadcast(pivot - 1);
  typename Isa::Counter counter[4];
  int64_t i = 0;
  for (; i + 4 * Isa::lanes <= length; i += 4 * Isa::lanes) {
    for (int j = 0; j < 4; ++j) {
      counter[j].add(Isa::magnitude(Isa::load(keys + i + j * Isa::lanes)), below);
    }
  }
  for_vectors<Isa>(keys + i, length - i,
                   [&](auto vector) { counter[0].add(Isa::magnitude(vector), below); });
  return counter[0].total() + counter[1].total() + counter[2].total() + counter[3].total();
}

template <class Isa>
BitsOf<Isa> largest_key(const BitsOf<Isa>* keys, int64_t length) {
  auto largest = Isa::broadcast(0);
  for_vectors<Isa>(keys, length,
                   [&](auto vector) { largest = Isa::max(largest, Isa::key(vector)); });
  return Isa::max_lane(largest);
}

struct Collected {
  int64_t above = 0;  // keys >= high
  int64_t count = 0;  // keys in [low, high), written
};

template <class Isa>
Collected collect(const BitsOf<Isa>* keys, int64_t length, BitsOf<Isa> low, BitsOf<Isa> high,
                  BitsOf<Isa>* out) {
  const auto below_low = Isa::broadcast(low - 1);
  const auto below_high = Isa::broadcast(high - 1);
  Collected collected;
  typename Isa::Counter counter;
  for_vectors<Isa>(keys, length, [&](auto vector) {
    const auto key = Isa::key(vector);
    counter.add(key, below_high);
    const uint32_t inside = Isa::above(key, below_low) & ~Isa::above(key, below_high);
    Isa::compress(out + collected.count, key, inside);
    collected.count += lanes_set(inside);
  });
  collected.above = counter.total();
  return collected;
}

// A range of keys that holds the k-th largest: count(>= low) >= k > count(>= high).
template <class Bits>
struct Bracket {
  Bits low, high;
  int64_t count_low, count_high;
};

template <class Isa>
TopKSelection bisect(const BitsOf<Isa>* keys, int64_t length, int64_t k,
                     Bracket<BitsOf<Isa>> bracket, BitsOf<Isa>* scratch) {
  using Bits = BitsOf<Isa>;
  constexpr int64_t few = 64;
  if (bracket.count_low == k) return {static_cast<uint64_t>(bracket.low - 1), 0};
  for (int step = 0; bracket.high - bracket.low > 1; ++step) {
    const int64_t inside = bracket.count_low - bracket.count_high;
    if constexpr (Isa::can_collect) {
      if (inside * 8 <= length && length > 4 * few && scratch != nullptr) {
        const Collected found = collect<Isa>(keys, length, bracket.low, bracket.high, scratch);
        return bisect<Isa>(scratch, found.count, k - bracket.count_high,
                           {bracket.low, bracket.high, found.count, 0}, nullptr);
      }
    }
    // Keys inside an octave are close to linear in their rank: interpolate; but halve every third
    // time, which bounds the number of steps whatever the row holds.
    const Bits width = bracket.high - bracket.low;
    Bits offset = width / 2;
    if (step % 3 != 2 && width > 8) {
      const double fraction = static_cast<double>(bracket.count_low - k) / inside;
      offset = static_cast<Bits>(width * fraction);
      const Bits margin = width / 16;
      if (offset < margin) offset = margin;
      if (offset > width - margin) offset = width - margin;
      if (offset == 0) offset = 1;
    }
    const Bits pivot = bracket.low + offset;
    const int64_t count = count_at_least<Isa>(keys, length, pivot);
    if (count == k) return {static_cast<uint64_t>(pivot - 1), 0};
    if (count > k) {
      bracket.low = pivot;
      bracket.count_low = count;
    } else {
      bracket.high = pivot;
      bracket.count_high = count;
    }
  }
  return {bracket.low, k - bracket.count_high};
}

// The whole row, by steps down from the largest key.
template <class Isa>
TopKSelection select_all(const BitsOf<Isa>* keys, int64_t length, int64_t k, BitsOf<Isa>* scratch) {
  using Bits = BitsOf<Isa>;
  const int64_t nonzero = count_at_least<Isa>(keys, length, 1);
  if (nonzero < k) return {0, k - nonzero};
  Bracket<Bits> bracket{1, static_cast<Bits>(largest_key<Isa>(keys, length) + 1), nonzero, 0};
  // Most rows have their k-th within an octave or three of the largest; small keys have long
  // ranges.
  for (Bits step = Isa::octave; bracket.high - bracket.low > step; step *= 2) {
    const Bits pivot = bracket.high - step;
    const int64_t count = count_at_least<Isa>(keys, length, pivot);
    if (count == k) return {static_cast<uint64_t>(pivot - 1), 0};
    if (count > k) {
      bracket.low = pivot;
      bracket.count_low = count;
      break;
    }
    bracket.high = pivot;
    bracket.count_high = count;
    if (step > static_cast<Bits>(~Bits{0}) / 4) break;
  }
  return bisect<Isa>(keys, length, k, bracket, scratch);
}

template <class Isa>
TopKSelection select_simd(const typename Isa::T* row, int64_t length, int64_t k,
                          BitsOf<Isa>* scratch) {
  using Bits = BitsOf<Isa>;
  constexpr int64_t sample_size = 1024;
  const Bits* keys = reinterpret_cast<const Bits*>(row);
  if constexpr (Isa::can_collect) {
    if (length >= 8 * sample_size) {
      const int64_t stride = length / sample_size;
      Bits* sample = scratch;
      for (int64_t i = 0; i < sample_size; ++i) sample[i] = keys[i * stride];
      // Ranks around the k-th's by four deviations of the binomial, and a little for tiny k.
      const double fraction = static_cast<double>(k) / length;
      const double rank = fraction * sample_size;
      const double margin = 4 * __builtin_sqrt(rank * (1 - fraction)) + 4;
      const int64_t rank_high = static_cast<int64_t>(rank - margin);
      const int64_t rank_low = static_cast<int64_t>(rank + margin);
      Bits low = 1, high = TopKKey<typename Isa::T>::nan;
      Bits* rest = scratch + sample_size;
      if (rank_low <= sample_size) {
        const TopKSelection found = select_all<Isa>(sample, sample_size, rank_low, rest);
        // With ties left out the threshold itself is not kept: the bracket begins above it.
        low = static_cast<Bits>(found.threshold + (found.ties == 0));
        if (low == 0) low = 1;
      }
      if (rank_high >= 1) {
        const TopKSelection found = select_all<Isa>(sample, sample_size, rank_high, rest);
        high = static_cast<Bits>(found.threshold + 1);
      }
      if (low < high) {
        const Collected found = collect<Isa>(keys, length, low, high, scratch);
        if (found.above < k && found.above + found.count >= k) {
          return bisect<Isa>(scratch, found.count, k - found.above, {low, high, found.count, 0},
                             nullptr);
        }
      }
    }
  }
  return select_all<Isa>(keys, length, k, scratch);
}

// The lowest `count` set bits of `mask`.
inline uint32_t lowest_bits(uint32_t mask, int64_t count) {
  uint32_t kept = 0;
  for (; count > 0 && mask != 0; --count, mask &= mask - 1) kept |= mask & -mask;
  return kept;
}

// 32 elements (or the `count` that are left): a mask word.
template <class Isa>
struct Word {
  static constexpr int vectors = 32 / Isa::lanes;

  typename Isa::Vector vector[vectors];

  static Word load(const BitsOf<Isa>* keys) {
    Word word;
    for (int i = 0; i < vectors; ++i) word.vector[i] = Isa::load(keys + i * Isa::lanes);
    return word;
  }
  static Word load_first(const BitsOf<Isa>* keys, int count) {
    BitsOf<Isa> padded[32] = {};
    std::memcpy(padded, keys, count * sizeof(BitsOf<Isa>));
    return load(padded);
  }
  uint32_t above(typename Isa::Vector threshold) const {
    uint32_t bits = 0;
    for (int i = 0; i < vectors; ++i) {
      bits |= Isa::above(Isa::key(vector[i]), threshold) << (i * Isa::lanes);
    }
    return bits;
  }
  uint32_t equal(typename Isa::Vector threshold) const {
    uint32_t bits = 0;
    for (int i = 0; i < vectors; ++i) {
      bits |= Isa::equal(Isa::key(vector[i]), threshold) << (i * Isa::lanes);
    }
    return bits;
  }
  template <bool stream>
  void store(uint32_t bits, BitsOf<Isa>* y) const {
    for (int i = 0; i < vectors; ++i) {
      const auto kept = Isa::select(vector[i], bits >> (i * Isa::lanes));
      if constexpr (stream) {
        Isa::stream(y + i * Isa::lanes, kept);
      } else {
        Isa::store(y + i * Isa::lanes, kept);
      }
    }
  }
  void store_first(uint32_t bits, int count, BitsOf<Isa>* y) const {
    BitsOf<Isa> padded[32];
    store<false>(bits, padded);
    std::memcpy(y, padded, count * sizeof(BitsOf<Isa>));
  }
};

template <class Isa, bool stream, bool with_y>
void write_row(const BitsOf<Isa>* keys, int64_t length, TopKSelection selection, bool reverse,
               BitsOf<Isa>* y, uint8_t* mask) {
  const auto threshold = Isa::broadcast(static_cast<BitsOf<Isa>>(selection.threshold));
  const uint32_t flip = reverse ? ~0u : 0u;
  const int64_t whole = length / 32 * 32;
  const auto finish = [&](const Word<Isa>& word, uint32_t bits, int64_t i) {
    if (mask != nullptr) std::memcpy(mask + i / 8, &bits, sizeof(bits));
    if constexpr (with_y) word.template store<stream>(bits, y + i);
  };
  int64_t i = 0;
  int64_t ties = selection.ties;
  for (; i < whole && ties > 0; i += 32) {
    const auto word = Word<Isa>::load(keys + i);
    uint32_t equal = word.equal(threshold);
    const int found = lanes_set(equal);
    if (found > ties) equal = lowest_bits(equal, ties);
    ties -= found;
    finish(word, (word.above(threshold) | equal) ^ flip, i);
  }
  for (; i < whole; i += 32) {
    const auto word = Word<Isa>::load(keys + i);
    finish(word, word.above(threshold) ^ flip, i);
  }
  if (i < length) {
    const int count = static_cast<int>(length - i);
    const uint32_t valid = (1u << count) - 1;
    const auto word = Word<Isa>::load_first(keys + i, count);
    const uint32_t equal = lowest_bits(word.equal(threshold) & valid, ties);
    const uint32_t bits = ((word.above(threshold) | equal) ^ flip) & valid;
    if (mask != nullptr) std::memcpy(mask + i / 8, &bits, sizeof(bits));
    if constexpr (with_y) word.store_first(bits, count, y + i);
  }
}

template <class Isa>
bool can_stream(const void* y) {
  return reinterpret_cast<uintptr_t>(y) % sizeof(typename Isa::Vector) == 0;
}

template <class Isa>
void write_simd(const typename Isa::T* row, int64_t length, TopKSelection selection, bool reverse,
                bool stream, typename Isa::T* y, uint8_t* mask) {
  const auto* keys = reinterpret_cast<const BitsOf<Isa>*>(row);
  auto* out = reinterpret_cast<BitsOf<Isa>*>(y);
  if (y == nullptr) {
    write_row<Isa, false, false>(keys, length, selection, reverse, out, mask);
  } else if (stream && can_stream<Isa>(y)) {
    write_row<Isa, true, true>(keys, length, selection, reverse, out, mask);
  } else {
    write_row<Isa, false, true>(keys, length, selection, reverse, out, mask);
  }
}

template <class Isa, bool stream>
void apply_row(const BitsOf<Isa>* x, const uint8_t* mask, int64_t length, BitsOf<Isa>* y) {
  uint32_t bits;
  int64_t i = 0;
  for (; i + 32 <= length; i += 32) {
    std::memcpy(&bits, mask + i / 8, sizeof(bits));
    Word<Isa>::load(x + i).template store<stream>(bits, y + i);
  }
  if (i < length) {
    std::memcpy(&bits, mask + i / 8, sizeof(bits));
    const int count = static_cast<int>(length - i);
    Word<Isa>::load_first(x + i, count).store_first(bits, count, y + i);
  }
}

template <class Isa>
void apply_simd(const typename Isa::T* x, const uint8_t* mask, int64_t length, bool stream,
                typename Isa::T* y) {
  const auto* in = reinterpret_cast<const BitsOf<Isa>*>(x);
  auto* out = reinterpret_cast<BitsOf<Isa>*>(y);
  if (stream && can_stream<Isa>(y)) {
    apply_row<Isa, true>(in, mask, length, out);
  } else {
    apply_row<Isa, false>(in, mask, length, out);
  }
}

template <class Isa>
inline constexpr TopKRows<typename Isa::T> topk_rows_simd{select_simd<Isa>, write_simd<Isa>,
                                                          apply_simd<Isa>};

}  // namespace
}  // namespace gestalt::cpu
