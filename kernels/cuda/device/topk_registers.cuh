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

// f(0) to f(count - 1), each a constant. The index of a loop may not become one: compared with a
// variable it is replaced by that, and what it is an index of goes into memory.
template <int count, class F>
__device__ inline void topk_for_each_index(const F& f) {
  [&]<int... i>(std::integer_sequence<int, i...>) {
    (f(std::integral_constant<int, i>{}), ...);
  }
  (std::make_integer_sequence<int, count>{});
}

// Where a word of a group lies in its row, which decides how it is read and written: all lanes have
// it whole; a lane has it whole or not at all; it may be cut off, or lie across two words of
// memory.
enum class TopKPlace : uint8_t { inner, whole, edge };
template <TopKPlace place>
using TopKAt = std::integral_constant<TopKPlace, place>;

// What is known of the places of a row's words, from none to both of the better ones: each form is
// code of its own.
struct TopKEdges {};
struct TopKInner {
  int inner;  // words of the row's begin that all lanes have
};
struct TopKExtent : TopKInner {
  bool whole;  // of the others none is cut off
};

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
  // bf16 has no comparison of magnitudes: where there are registers for them they are kept, which
  // saves an instruction a word in each step.
  static constexpr bool keeps_magnitudes =
      std::is_same_v<T, bfloat16> && words <= 16 && !overflows && !Key::replaces_by_mean;

  // used: how many of the words any thread of the row has.
  __device__ explicit TopKRegisters(int used) : used_(used) { static_assert(!overflows); }
  // overflow: topk_overflow_groups() of each thread of the block.
  __device__ TopKRegisters(int used, SharedArray<TopKGroup> overflow)
      : used_(used), overflow_(overflow + threadIdx.x) {}

  // word(w, TopKAt), which may lie past those used.
  template <class Extent, class Word>
  __device__ void fill(const Extent& extent, const Word& word) {
    const auto load = [&](int begin, auto& to) {
      at_place(begin, extent, [&](auto at) {
#pragma unroll
        for (int i = 0; i < group; ++i) to[i] = word(begin + i, at);
      });
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
      at_place(begin, extent, [&](auto at) {
#pragma unroll
        for (int w = begin; w < begin + group; ++w) word_[w] = word(w, at);
      });
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
    for_each_ranked(TopKEdges{}, [&](int w, uint32_t word, uint32_t, auto) { f(w, word); });
  }
  // f(w, word, ranked, TopKAt). ranked: what equal() and at_least() compare, once survey() has been
  // called.
  template <class Extent, class F>
  __device__ void for_each_ranked(const Extent& extent, const F& f) const {
    for_each_group([&](auto begin) {
      at_place(begin, extent, [&](auto at) {
#pragma unroll
        for (int w = begin; w < begin + group; ++w) f(w, word_[w], ranked(w), at);
      });
    });
    for_each_overflow([&](int begin, const TopKGroup& words_here) {
      at_place(begin, extent, [&](auto at) {
#pragma unroll
        for (int i = 0; i < group; ++i) {
          const uint32_t word = words_here.value[i];
          f(begin + i, word, word, at);
        }
      });
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
      for (int w = begin; w < begin + group; ++w) {
        asm volatile("" : "+r"(word_[w]));
        if constexpr (keeps_magnitudes) asm volatile("" : "+r"(magnitude_[w]));
      }
    });
#endif
  }

  // Of this thread's elements: how many keys (raw) are at least `key`.
  __device__ uint32_t count_from(uint32_t key) {
    forget();
    if constexpr (!Key::replaces_by_mean) {
      const uint32_t bounds = topk_repeat<T>(key);
      return topk_is_number<T>(key) ? count_as<true>(bounds) : count_as<false>(bounds);
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

  // Of this thread's elements, all that a search begins with: before anything else is asked.
  __device__ TopKSurvey survey() {
    TopKSurvey found{0, 0};
    if constexpr (!Key::replaces_by_mean) {
      TopKCount<T, true, !keeps_magnitudes> counts(topk_repeat<T>(1));
      for_each([&](int w, uint32_t word) {
        const uint32_t magnitudes = topk_magnitudes<T>(word);
        if constexpr (keeps_magnitudes) magnitude_[w] = magnitudes;
        found.largest = topk_larger<T>(found.largest, magnitudes);
        counts.add(keeps_magnitudes ? magnitudes : word);
      });
      if (per_word == 2) found.largest = ::max(found.largest >> 16, found.largest & 0xffffu);
      found.non_zero = counts.total();
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
  // repeated in each element. ranked: as for_each_ranked() has it.
  template <bool numbers>
  __device__ static uint32_t equal(uint32_t ranked, uint32_t bounds) {
    if constexpr (!Key::replaces_by_mean) {
      return topk_equal<T, numbers, !keeps_magnitudes>(ranked, bounds);
    } else {
      return where(ranked, bounds, [](uint32_t key, uint32_t bound) { return key == bound; });
    }
  }
  template <bool numbers>
  __device__ static uint32_t at_least(uint32_t ranked, uint32_t bounds) {
    if constexpr (!Key::replaces_by_mean) {
      return topk_at_least<T, numbers, !keeps_magnitudes>(ranked, bounds);
    } else {
      return where(ranked, bounds, [](uint32_t key, uint32_t bound) { return key >= bound; });
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
    TopKCount<T, numbers, !keeps_magnitudes> counts(bounds);
    for_each_ranked(TopKEdges{}, [&](int, uint32_t, uint32_t ranked, auto) { counts.add(ranked); });
    return counts.total();
  }

  __device__ uint32_t ranked(int w) const {
    if constexpr (keeps_magnitudes) return magnitude_[w];
    return word_[w];
  }

  // f(TopKAt) of a group of words.
  template <class F>
  __device__ static void at_place(int, TopKEdges, const F& f) {
    f(TopKAt<TopKPlace::edge>{});
  }
  template <class F>
  __device__ static void at_place(int begin, TopKInner extent, const F& f) {
    if (begin + group <= extent.inner) {
      f(TopKAt<TopKPlace::inner>{});
    } else {
      f(TopKAt<TopKPlace::edge>{});
    }
  }
  template <class F>
  __device__ static void at_place(int begin, TopKExtent extent, const F& f) {
    if (per_word == 1 || begin + group <= extent.inner || !extent.whole) {
      at_place(begin, TopKInner{extent.inner}, f);  // one element is never cut off
    } else if constexpr (per_word == 2) {
      f(TopKAt<TopKPlace::whole>{});
    }
  }

  template <class F>
  __device__ void for_each_group(const F& f) const {
    topk_for_each_index<words / group>([&](auto g) {
      if (g * group < used_) f(std::integral_constant<int, g * group>{});
    });
  }

  template <class F>
  __device__ void for_each_overflow(const F& f) const {  // f(number of the first word, group)
    if constexpr (overflows) {
      // A group and its address at a time: unrolled, each group's address was computed anew.
      SharedArray<TopKGroup> at = overflow_;
#pragma unroll 1
      for (int begin = words; begin < used_; begin += group) {
        const TopKGroup words_here = at[0];
        f(begin, words_here);
        at = at + static_cast<int>(blockDim.x);
      }
    }
  }
  __device__ static int place(int begin) {
    return (begin - words) / group * static_cast<int>(blockDim.x);
  }

  uint32_t word_[words];
  uint32_t magnitude_[keeps_magnitudes ? words : 1];
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
    topk_for_each_index<registers>(
        [&](auto r) { flags[r] |= w / flagged == r ? ties & (first << (w % flagged)) : 0; });
  };
  const auto flag_all = [&](auto numbers) {
    elements.for_each_ranked(TopKEdges{}, [&](int w, uint32_t, uint32_t ranked, auto) {
      flag(w, elements.template equal<numbers>(ranked, bounds));
    });
  };
  if (!Key::replaces_by_mean && topk_is_number<T>(turn.low)) {
    flag_all(std::true_type{});
  } else {
    flag_all(std::false_type{});
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
  uint32_t own = 0;
  topk_for_each_index<registers>([&](auto r) { own |= found / flagged == r ? flags[r] : 0; });
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

// f(w, word, kept, TopKAt) for every word: all bits of its kept elements.
template <class Team, class Key, class T, int words, bool overflows, class Extent, class F>
__device__ inline void topk_for_each_kept(TopKRegisters<Key, T, words, overflows>& elements,
                                          const TopKTurn& turn, const Extent& extent, const F& f) {
  elements.forget();
  const uint32_t low = topk_repeat<T>(turn.low), high = topk_repeat<T>(turn.high);
  const auto visit = [&](const auto& kept) {
    elements.for_each_ranked(extent, [&](int w, uint32_t word, uint32_t ranked, auto at) {
      f(w, word, kept(w, ranked), at);
    });
  };
  const auto visit_all = [&](auto numbers) {
    visit([&](int w, uint32_t ranked) {
      uint32_t mask = elements.template at_least<numbers>(ranked, w < turn.turn ? low : high);
      if (w == turn.turn) mask |= turn.extra;
      return mask;
    });
  };
  if constexpr (!Key::replaces_by_mean) {
    if (Team::all(topk_is_number<T>(turn.high))) {
      // f32 rows seldom have ties to tell apart.
      if (topk_per_word<T> == 1 && Team::all(turn.turn == 0 && turn.extra == 0)) {
        visit([&](int, uint32_t ranked) { return elements.template at_least<true>(ranked, high); });
      } else {
        visit_all(std::true_type{});
      }
      return;
    }
  }
  visit_all(std::false_type{});
}

}  // namespace GESTALT_CUDA_NAMESPACE
