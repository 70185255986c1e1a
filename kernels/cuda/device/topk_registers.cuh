#pragma once

// A row's elements in the registers of the threads that share it, as words of one (f32) or two
// (16 bits) elements, and Top-K's selection from them by counting. What registers have no room for
// lies in shared memory, where each thread reaches its own words alone: no barriers.

#include "kernels/cuda/device/topk_bisect.cuh"
#include "kernels/cuda/device/topk_packed.cuh"
#include "kernels/cuda/device/warp.cuh"

namespace GESTALT_CUDA_NAMESPACE {

// Words of a group: loops visit one at a time, and shared memory has its words side by side.
inline constexpr int topk_group = 4;
using TopKGroup = Pack<uint32_t, topk_group>;

// Words that a thread has at most, of which the first are registers'. Their ties are flags in two
// registers (f32) or four.
inline constexpr int topk_most_thread_words = 64;

// Groups of a thread's words that shared memory has.
__host__ __device__ constexpr int topk_overflow_groups(int thread_words, int registers) {
  return thread_words <= registers ? 0 : (thread_words - registers + topk_group - 1) / topk_group;
}

// Loops leave early, a group of words at a time, which is uniform for the row, so that short rows
// pay for what they have; the branches also keep the compiler from taking registers for all of a
// loop at once.
template <class Key, class T, int words, bool overflows = false>
class TopKRegisters {
 public:
  using Bits = ElementBits<T>;
  static constexpr int per_word = topk_per_word<T>, group = topk_group;
  static constexpr int most_words = overflows ? topk_most_thread_words : words;
  static_assert(words % group == 0);
  static constexpr uint32_t element_bits = per_word == 2 ? 0xffffu : ~0u;  // of one element

  // used: how many of the words any thread of the row has.
  __device__ explicit TopKRegisters(int used) : used_(used) { static_assert(!overflows); }
  // overflow: topk_overflow_groups() of each thread of the block.
  __device__ TopKRegisters(int used, SharedArray<TopKGroup> overflow)
      : used_(used), overflow_(overflow + threadIdx.x) {}

  template <class Word>
  __device__ void fill(const Word& word) {  // word(w), which may lie past those used
    fill(used_, word, word);
  }
  // inner(w) in groups of words before number `full`, word(w) elsewhere.
  template <class Inner, class Word>
  __device__ void fill(int full, const Inner& inner, const Word& word) {
    const auto load = [&](int begin, auto& to) {
      if (begin + group <= full) {
#pragma unroll
        for (int i = 0; i < group; ++i) to[i] = inner(begin + i);
      } else {
#pragma unroll
        for (int i = 0; i < group; ++i) to[i] = word(begin + i);
      }
    };
    if constexpr (overflows) {
      // Several groups are on the way at once, in the registers that are not yet filled.
      constexpr int batch = 7;
      for (int begin = words; begin < used_; begin += batch * group) {
        TopKGroup groups[batch];
#pragma unroll
        for (int b = 0; b < batch; ++b) {
          if (begin + b * group < used_) load(begin + b * group, groups[b].value);
        }
#pragma unroll
        for (int b = 0; b < batch; ++b) {
          if (begin + b * group < used_) overflow_[place(begin + b * group)] = groups[b];
        }
      }
    }
    for_each_group([&](auto begin) {
      if (begin + group <= full) {
#pragma unroll
        for (int w = begin; w < begin + group; ++w) word_[w] = inner(w);
      } else {
#pragma unroll
        for (int w = begin; w < begin + group; ++w) word_[w] = word(w);
      }
    });
  }

  template <class F>
  __device__ void map(const F& f) {  // word = f(w, word)
    for_each_group([&](auto begin) {
#pragma unroll
      for (int w = begin; w < begin + group; ++w) word_[w] = f(w, word_[w]);
    });
    for_each_overflow([&](int begin, TopKGroup words_here) {
#pragma unroll
      for (int i = 0; i < group; ++i) words_here.value[i] = f(begin + i, words_here.value[i]);
      overflow_[place(begin)] = words_here;
    });
  }

  template <class F>
  __device__ void for_each(const F& f) const {  // f(w, word)
    for_each(0, f, f);
  }
  // inner(w, word) in groups of words before number `full`, f(w, word) elsewhere.
  template <class Inner, class F>
  __device__ void for_each(int full, const Inner& inner, const F& f) const {
    for_each_group([&](auto begin) {
      if (begin + group <= full) {
#pragma unroll
        for (int w = begin; w < begin + group; ++w) inner(w, word_[w]);
      } else {
#pragma unroll
        for (int w = begin; w < begin + group; ++w) f(w, word_[w]);
      }
    });
    for_each_overflow([&](int begin, const TopKGroup& words_here) {
      if (begin + group <= full) {
#pragma unroll
        for (int i = 0; i < group; ++i) inner(begin + i, words_here.value[i]);
      } else {
#pragma unroll
        for (int i = 0; i < group; ++i) f(begin + i, words_here.value[i]);
      }
    });
  }

  // Elements of each lane that count_from() looks at.
  __device__ int counted() const {
    return (used_ + group - 1) / group * group * per_word;
  }

  // Between steps: what was computed from a word is computed again instead of kept, which would
  // take as many registers again.
  __device__ void forget() {
#if defined(__CUDA_ARCH__)
    for_each_group([&](auto begin) {
#pragma unroll
      for (int w = begin; w < begin + group; ++w) asm volatile("" : "+r"(word_[w]));
    });
#endif
  }

  // Of this thread's elements: how many keys (raw) are at least `key`.
  __device__ uint32_t count_from(uint32_t key) {
    forget();
    if constexpr (!Key::replaces_by_mean) {
      const uint32_t bounds = topk_repeat<T>(key);
      return topk_are_numbers<T>(bounds) ? count_as<true>(bounds) : count_as<false>(bounds);
    } else {
      uint32_t sum = 0;
      for_each([&](int, uint32_t word) {
#pragma unroll
        for (int e = 0; e < per_word; ++e) {
          if (Key::raw(static_cast<Bits>(word >> 16 * e)) >= key) ++sum;
        }
      });
      return sum;
    }
  }

  // Of this thread's elements, all that a search begins with.
  __device__ TopKSurvey survey() const {
    TopKSurvey found{0, 0};
    if constexpr (!Key::replaces_by_mean) {
      TopKCount<T, true> counts(topk_repeat<T>(1));
      for_each([&](int, uint32_t word) {
        found.largest = topk_larger<T>(found.largest, topk_magnitudes<T>(word));
        counts.add(word);
      });
      if (per_word == 2) found.largest = ::max(found.largest >> 16, found.largest & 0xffffu);
      found.non_zero = sum_of(counts);
    } else {
      for_each([&](int, uint32_t word) {
#pragma unroll
        for (int e = 0; e < per_word; ++e) {
          const uint32_t key = Key::raw(static_cast<Bits>(word >> 16 * e));
          found.largest = ::max(found.largest, key);
          if (key >= 1) ++found.non_zero;
        }
      });
    }
    return found;
  }

  // All bits of the elements of a word whose key is the bound, or at least the bound, which is
  // repeated in each element.
  template <bool numbers>
  __device__ static uint32_t equal(uint32_t word, uint32_t bounds) {
    if constexpr (!Key::replaces_by_mean) {
      return topk_equal<T, numbers>(word, bounds);
    } else {
      return where(word, bounds, [](uint32_t key, uint32_t bound) { return key == bound; });
    }
  }
  template <bool numbers>
  __device__ static uint32_t at_least(uint32_t word, uint32_t bounds) {
    if constexpr (!Key::replaces_by_mean) {
      return topk_at_least<T, numbers>(word, bounds);
    } else {
      return where(word, bounds, [](uint32_t key, uint32_t bound) { return key >= bound; });
    }
  }

 private:
  // All bits of the elements with holds(key, bound).
  template <class Holds>
  __device__ static uint32_t where(uint32_t word, uint32_t bounds, const Holds& holds) {
    uint32_t mask = 0;
#pragma unroll
    for (int e = 0; e < per_word; ++e) {
      const uint32_t key = Key::of(static_cast<Bits>(word >> 16 * e));
      if (holds(key, static_cast<Bits>(bounds >> 16 * e))) mask |= element_bits << 16 * e;
    }
    return mask;
  }

  template <bool numbers>
  __device__ uint32_t count_as(uint32_t bounds) const {
    TopKCount<T, numbers> counts(bounds);
    for_each([&](int, uint32_t word) { counts.add(word); });
    return sum_of(counts);
  }
  template <bool numbers>
  __device__ static uint32_t sum_of(const TopKCount<T, numbers>& counts) {
    return per_word == 2 ? counts.of(0) + counts.of(1) : counts.of(0);
  }

  template <class F>
  __device__ void for_each_group(const F& f) const {
    visit_groups(f, std::make_integer_sequence<int, words / group>{});
  }
  template <class F, int... g>
  __device__ void visit_groups(const F& f, std::integer_sequence<int, g...>) const {
    ((g * group < used_ ? f(std::integral_constant<int, g * group>{}) : void()), ...);
  }

  template <class F>
  __device__ void for_each_overflow(const F& f) const {  // f(number of the first word, group)
    if constexpr (overflows) {
      for (int begin = words; begin < used_; begin += group) {
        const TopKGroup words_here = overflow_[place(begin)];
        f(begin, words_here);
      }
    }
  }
  __device__ static int place(int begin) {
    return (begin - words) / group * static_cast<int>(blockDim.x);
  }

  uint32_t word_[words];
  int used_;
  SharedArray<TopKGroup> overflow_{};
};

// Which words of a warp keep what: up to the word `turn` every key from `low` up, from there on
// those from `high` up, and in the word `turn` itself also the elements `extra` of this lane.
struct TopKTurn {
  uint32_t low, high;
  int turn;
  uint32_t extra;
};

// Where the lanes' part of a row turns from keeping ties to dropping them: the first `wanted` of
// its ties are kept, of no fewer. In order: words, in a word lanes, in a lane elements.
template <class Team, class Key, class T, int words, bool overflows>
__device__ inline void topk_find_turn(TopKRegisters<Key, T, words, overflows>& elements,
                                      uint32_t wanted, TopKTurn& turn) {
  elements.forget();
  constexpr int per_word = topk_per_word<T>;
  constexpr int most_words = TopKRegisters<Key, T, words, overflows>::most_words;
  constexpr int flagged = 32 / per_word;  // words in one register of flags
  constexpr int registers = (most_words + flagged - 1) / flagged;
  constexpr uint32_t first = per_word == 2 ? 0x10001u : 1u;
  const uint32_t bounds = topk_repeat<T>(turn.low);
  uint32_t flags[registers] = {};
  const auto flag = [&](int w, uint32_t ties) {
#pragma unroll
    for (int r = 0; r < registers; ++r) {  // no index that the compiler does not know
      if (w / flagged == r) flags[r] |= ties & (first << (w % flagged));
    }
  };
  if (!Key::replaces_by_mean && topk_are_numbers<T>(bounds)) {
    elements.for_each(
        [&](int w, uint32_t word) { flag(w, elements.template equal<true>(word, bounds)); });
  } else {
    elements.for_each(
        [&](int w, uint32_t word) { flag(w, elements.template equal<false>(word, bounds)); });
  }
  const auto up_to = [=](int end) {  // 0 to `flagged` words
    return end >= flagged ? ~0u : end <= 0 ? 0 : ((1u << end) - 1) * first;
  };
  // The last word before which there are fewer than wanted.
  int found = 0;
  uint32_t before = 0;
#pragma unroll
  for (int step = topk_most_thread_words / 2; step > 0; step /= 2) {
    if (step >= most_words) continue;
    const int end = found + step;
    uint32_t count = 0;
#pragma unroll
    for (int r = 0; r < registers; ++r) {
      count += static_cast<uint32_t>(__popc(flags[r] & up_to(end - r * flagged)));
    }
    count = Team::lanes_sum(count);
    if (count < wanted && end < most_words) {
      found = end;
      before = count;
    }
  }
  wanted -= before;
  uint32_t own = flags[0];
#pragma unroll
  for (int r = 1; r < registers; ++r) {
    if (found / flagged == r) own = flags[r];
  }
  own >>= found % flagged;
  const uint32_t earlier = (1u << Team::lane()) - 1;
  uint32_t rank = 0;
#pragma unroll
  for (int e = 0; e < per_word; ++e) {
    const bool tie = (own >> 16 * e & 1u) != 0;
    rank += static_cast<uint32_t>(__popc(Team::ballot(tie) & earlier));
  }
  turn.turn = found;
  turn.extra = 0;
#pragma unroll
  for (int e = 0; e < per_word; ++e) {
    const bool tie = (own >> 16 * e & 1u) != 0;
    if (tie && rank < wanted) turn.extra |= (per_word == 2 ? 0xffffu : ~0u) << 16 * e;
    rank += tie;
  }
}

// count: elements of the lanes' part.
template <class Key, class T, int words, bool overflows, class Team>
__device__ inline TopKTurn topk_turn(TopKRegisters<Key, T, words, overflows>& elements, Team& team,
                                     TopKSelection selection, int count) {
  const uint32_t above = topk_above<Key>(selection.threshold);
  TopKTurn turn{selection.threshold, above, 0, 0};
  if (!Team::any(selection.ties != 0)) return turn;
  uint32_t wanted = selection.ties;
  if (team.warps() > 1) {
    uint32_t own =
        Team::lanes_sum(elements.count_from(selection.threshold) - elements.count_from(above));
    if (selection.threshold == Key::of(Key::lowest)) {  // what lies behind the part ties, too
      own -= static_cast<uint32_t>(elements.counted() * Team::lanes - count);
    }
    wanted -= ::min(team.before(own), wanted);
    if (wanted >= own) {
      turn.turn = elements.most_words;  // behind the last
      return turn;
    }
    if (wanted == 0) return turn;
  }
  topk_find_turn<Team>(elements, wanted, turn);
  return turn;
}

// f(w, word, kept) for every word: all bits of its kept elements; inner(w, word, kept) in groups of
// words before number `full`.
template <class Key, class T, int words, bool overflows, class Inner, class F>
__device__ inline void topk_for_each_kept(TopKRegisters<Key, T, words, overflows>& elements,
                                          const TopKTurn& turn, int full, const Inner& inner,
                                          const F& f) {
  elements.forget();
  const uint32_t low = topk_repeat<T>(turn.low), high = topk_repeat<T>(turn.high);
  const auto visit = [&](const auto& kept) {
    elements.for_each(
        full, [&](int w, uint32_t word) { inner(w, word, kept(w, word)); },
        [&](int w, uint32_t word) { f(w, word, kept(w, word)); });
  };
  const auto visit_all = [&](auto numbers) {
    visit([&](int w, uint32_t word) {
      uint32_t mask = elements.template at_least<numbers>(word, w < turn.turn ? low : high);
      if (w == turn.turn) mask |= turn.extra;
      return mask;
    });
  };
  if constexpr (!Key::replaces_by_mean) {
    if (__all_sync(full_warp, topk_are_numbers<T>(high))) {
      // f32 rows seldom have ties to tell apart.
      if (topk_per_word<T> == 1 && __all_sync(full_warp, turn.turn == 0 && turn.extra == 0)) {
        visit([&](int, uint32_t word) { return elements.template at_least<true>(word, high); });
      } else {
        visit_all(std::true_type{});
      }
      return;
    }
  }
  visit_all(std::false_type{});
}

template <class Key, class T, int words, bool overflows, class F>
__device__ inline void topk_for_each_kept(TopKRegisters<Key, T, words, overflows>& elements,
                                          const TopKTurn& turn, const F& f) {
  topk_for_each_kept(elements, turn, 0, f, f);
}

}  // namespace GESTALT_CUDA_NAMESPACE
