#pragma once

// A row's elements in the registers of the threads that share it, as words of one (f32) or two
// (16 bits) elements, and Top-K's selection from them by counting.

#include "kernels/cuda/device/topk_bisect.cuh"
#include "kernels/cuda/device/topk_packed.cuh"
#include "kernels/cuda/device/warp.cuh"

namespace GESTALT_CUDA_NAMESPACE {

// Loops leave early, a group of words at a time, which is uniform for the row, so that short rows
// pay for what they have; the branches also keep the compiler from taking registers for all of a
// loop at once.
template <class Key, class T, int words>
class TopKRegisters {
 public:
  using Bits = ElementBits<T>;
  static constexpr int per_word = topk_per_word<T>, group = 4;
  static_assert(words % group == 0);
  static constexpr uint32_t element_bits = per_word == 2 ? 0xffffu : ~0u;  // of one element

  // used: how many of the words any thread of the row has.
  __device__ explicit TopKRegisters(int used) : used_(used) {}

  template <class Word>
  __device__ void fill(const Word& word) {  // word(w), which may lie past those used
    fill(used_, word, word);
  }
  // inner(w) in groups of words before number `full`, word(w) elsewhere.
  template <class Inner, class Word>
  __device__ void fill(int full, const Inner& inner, const Word& word) {
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

  __device__ uint32_t largest() const {  // raw
    uint32_t most = 0;
    if constexpr (!Key::replaces_by_mean) {
      for_each([&](int, uint32_t word) { most = topk_larger<T>(most, topk_magnitudes<T>(word)); });
      return per_word == 2 ? ::max(most >> 16, most & 0xffffu) : most;
    } else {
      for_each([&](int, uint32_t word) {
#pragma unroll
        for (int e = 0; e < per_word; ++e) {
          most = ::max(most, Key::raw(static_cast<Bits>(word >> 16 * e)));
        }
      });
      return most;
    }
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

  uint32_t word_[words];
  int used_;
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
template <class Team, class Key, class T, int words>
__device__ inline void topk_find_turn(TopKRegisters<Key, T, words>& elements, uint32_t wanted,
                                      TopKTurn& turn) {
  elements.forget();
  constexpr int per_word = topk_per_word<T>;
  constexpr int flagged = 32 / per_word;  // words in one register of flags
  static_assert(words <= 2 * flagged);
  constexpr uint32_t first = per_word == 2 ? 0x10001u : 1u;
  const uint32_t bounds = topk_repeat<T>(turn.low);
  uint32_t flags = 0, more_flags = 0;
  const auto flag = [&](int w, uint32_t ties) {
    (w < flagged ? flags : more_flags) |= ties & (first << (w % flagged));
  };
  if (!Key::replaces_by_mean && topk_are_numbers<T>(bounds)) {
    elements.for_each(
        [&](int w, uint32_t word) { flag(w, elements.template equal<true>(word, bounds)); });
  } else {
    elements.for_each(
        [&](int w, uint32_t word) { flag(w, elements.template equal<false>(word, bounds)); });
  }
  const auto up_to = [=](int end) {  // 0 to `flagged` words
    return end >= flagged ? ~0u : ((1u << end) - 1) * first;
  };
  // The last word before which there are fewer than wanted.
  int found = 0;
  uint32_t before = 0;
#pragma unroll
  for (int step = 16; step > 0; step /= 2) {
    if (step >= words) continue;
    const int end = found + step;
    uint32_t count = static_cast<uint32_t>(__popc(flags & up_to(end)));
    if (words > flagged && end > flagged) {
      count += static_cast<uint32_t>(__popc(more_flags & up_to(end - flagged)));
    }
    count = Team::lanes_sum(count);
    if (count < wanted && end < words) {
      found = end;
      before = count;
    }
  }
  wanted -= before;
  const uint32_t own = (found < flagged ? flags : more_flags) >> (found % flagged);
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
template <class Key, class T, int words, class Team>
__device__ inline TopKTurn topk_turn(TopKRegisters<Key, T, words>& elements, Team& team,
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
      turn.turn = words;  // behind the last
      return turn;
    }
    if (wanted == 0) return turn;
  }
  topk_find_turn<Team>(elements, wanted, turn);
  return turn;
}

// f(w, word, kept) for every word: all bits of its kept elements; inner(w, word, kept) in groups of
// words before number `full`.
template <class Key, class T, int words, class Inner, class F>
__device__ inline void topk_for_each_kept(TopKRegisters<Key, T, words>& elements,
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

template <class Key, class T, int words, class F>
__device__ inline void topk_for_each_kept(TopKRegisters<Key, T, words>& elements,
                                          const TopKTurn& turn, const F& f) {
  topk_for_each_kept(elements, turn, 0, f, f);
}

}  // namespace GESTALT_CUDA_NAMESPACE
