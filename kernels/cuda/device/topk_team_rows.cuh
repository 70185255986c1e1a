#pragma once

// Top-K of contiguous rows that fit into the registers of a warp, a block or a cluster, and into
// the shared memory of the latter two, by counting.
//
// Floor: x is read once and y written once; the mask adds 1/32 (f32) or 1/16 of a write.
// Neighbouring lanes have neighbouring words, whole lines of 128 bytes whatever the row's
// alignment; all loads of a row are on the way at once. 16 bytes a lane would save little of about
// 30 instructions an element, and cost as many where mask words are put together. A word takes two
// instructions a step of the bisection, 4 to 7 steps, and about ten to come and go.

#include "kernels/cuda/device/prefetch.cuh"
#include "kernels/cuda/device/topk_prologue.cuh"
#include "kernels/cuda/device/topk_registers.cuh"
#include "kernels/cuda/device/topk_team.cuh"

namespace GESTALT_CUDA_NAMESPACE {

// The elements of a row that the lanes of one warp have: whole words of the mask.
struct TopKShare {
  int begin, count;
  int words;  // of a lane, at most
  int full;   // of these, how many every lane has

  // step: elements of a word of all lanes.
  __device__ TopKShare(int length, int warp, int warps, int step)
      : words(((length + step - 1) / step + warps - 1) / warps) {
    const int size = words * step;
    begin = ::min(warp * size, length);
    count = ::min(size, length - begin);
    full = count / step;
  }
  // Of a row that does not exist.
  __device__ void clear() { begin = count = full = 0; }

  // Where words are whole in memory if elements are that lie at `begin` of their array.
  template <class T>
  __device__ TopKExtent extent(bool aligned) const {
    return {{aligned ? full : 0}, aligned && count % topk_per_word<T> == 0};
  }
};

// Elements from here on are whole words.
template <class Bits>
__device__ inline bool topk_has_words(const Bits* data) {
  return reinterpret_cast<uintptr_t>(data) % sizeof(uint32_t) == 0;
}

// The number of the first element of this lane's word w.
template <class T, class Team>
__device__ inline int topk_element(int w) {
  return (w * Team::lanes + Team::lane()) * topk_per_word<T>;
}

// One word of `count` elements from `from` on, the i-th and, of 16 bits, the next. at: TopKAt.
template <class Key, class T, class At>
__device__ inline uint32_t topk_load_word(const ElementBits<T>* from, int i, int count,
                                          bool aligned, At at) {
  const auto whole = [&] { return *reinterpret_cast<const uint32_t*>(from + i); };
  if constexpr (at == TopKPlace::inner) {
    return whole();
  } else if constexpr (at == TopKPlace::whole) {
    return i < count ? whole() : topk_repeat<T>(Key::lowest);
  } else if constexpr (topk_per_word<T> == 1) {
    return i < count ? from[i] : Key::lowest;
  } else {
    if (aligned && i + 1 < count) return whole();
    const uint32_t low = i < count ? from[i] : Key::lowest;
    const uint32_t high = i + 1 < count ? from[i + 1] : Key::lowest;
    return low | high << 16;
  }
}

template <class T, class At>
__device__ inline void topk_store_word(ElementBits<T>* to, int i, int count, bool aligned,
                                       uint32_t word, At at) {
  const auto whole = [&] { *reinterpret_cast<uint32_t*>(to + i) = word; };
  if constexpr (at == TopKPlace::inner) {
    whole();
  } else if constexpr (at == TopKPlace::whole || topk_per_word<T> == 1) {
    if (i < count) whole();
  } else {
    if (aligned && i + 1 < count) {
      whole();
    } else {
      if (i < count) to[i] = static_cast<uint16_t>(word);
      if (i + 1 < count) to[i + 1] = static_cast<uint16_t>(word >> 16);
    }
  }
}

// Bits 0 to 15 to the even places.
__device__ inline uint32_t topk_spread(uint32_t bits) {
  bits &= 0xffffu;
  bits = (bits | bits << 8) & 0x00ff00ffu;
  bits = (bits | bits << 4) & 0x0f0f0f0fu;
  bits = (bits | bits << 2) & 0x33333333u;
  return (bits | bits << 1) & 0x55555555u;
}

// Collects the mask's words of a row's lanes. Of 32 lanes w % 32 has what they tell about their
// words w and w + 32, of which there may be 64; of fewer each has a word of the mask.
template <class T, class Team>
struct TopKMaskWords {
  struct Ballots {
    uint32_t even = 0, odd = 0;  // of 16 bits: of the words' first and second elements
  };
  Ballots first, second;  // of the words before and from number 32 on

  __device__ void add(int w, uint32_t passed) {
    const uint32_t low = Team::ballot((passed & 1u) != 0);
    const uint32_t high = topk_per_word<T> == 2 ? Team::ballot((passed >> 16 & 1u) != 0) : 0;
    if constexpr (Team::lanes == 32) {
      if (Team::lane() == w % 32) (w < 32 ? first : second) = {low, high};
    } else {  // a word of the mask has those of one or several words
      constexpr int words = 32 / (Team::lanes * topk_per_word<T>);
      const int place = w % words * Team::lanes;
      if (Team::lane() == w / words) first = {first.even | low << place, first.odd | high << place};
    }
  }
  // to: of the lanes' first element; count: their elements.
  __device__ void store(uint32_t* to, int count) const {
    const int words = (count + 31) / 32;
    store(first, to, words);
    if (Team::lanes == 32) store(second, to + 32 * topk_per_word<T>, words - 32 * topk_per_word<T>);
  }

 private:
  __device__ static void store(const Ballots& ballots, uint32_t* to, int words) {
    const int lane = Team::lane();
    const auto [even, odd] = ballots;
    if constexpr (topk_per_word<T> == 1) {
      if (lane < words) to[lane] = even;
    } else if constexpr (Team::lanes == 32) {
      if (2 * lane < words) to[2 * lane] = topk_spread(even) | topk_spread(odd) << 1;
      if (2 * lane + 1 < words) {
        to[2 * lane + 1] = topk_spread(even >> 16) | topk_spread(odd >> 16) << 1;
      }
    } else {
      if (lane < words) to[lane] = topk_spread(even) | topk_spread(odd) << 1;
    }
  }
};

// y of a word, and which of its elements passed, of those inside the row.
template <class Key, class T>
__device__ inline uint32_t topk_result_word(uint32_t word, uint32_t kept, uint32_t means, int i,
                                            int count, const TopKOutput<T>& output,
                                            uint32_t& passed) {
  passed = output.reverse ? ~kept : kept;
  if (output.mask != nullptr) {  // else nobody looks past the end
    if (i >= count) passed = 0;
    if (topk_per_word<T> == 2 && i + 1 >= count) passed &= 0xffffu;
  }
  if constexpr (Key::replaces_by_mean) {
    return passed & means;
  } else {
    if (output.tau == 1.0f) return word & passed;
    uint32_t result = 0;
#pragma unroll
    for (int e = 0; e < topk_per_word<T>; ++e) {
      const ElementBits<T> y = topk_blend<T>(static_cast<ElementBits<T>>(word >> 16 * e),
                                             (passed >> 16 * e & 1u) != 0, output.tau);
      result |= static_cast<uint32_t>(y) << 16 * e;
    }
    return result;
  }
}

// Selects from a row that lies in a team's registers and hands over what becomes of it:
// sink.put(w, y, TopKAt), with places by sink.extent. length: of the row; count: elements of the
// lanes' share; mask: its words, or null.
template <class Key, class T, int words, bool overflows, class Team, class Sink>
__device__ inline void topk_select_in_registers(TopKRegisters<Key, T, words, overflows>& elements,
                                                Team& team, int count, uint32_t k,
                                                const TopKOutput<T>& output, uint32_t* mask,
                                                const Sink& sink) {
  const TopKSelection selection = topk_bisect<Key>(
      [&](uint32_t key) { return team.sum(elements.count_from(key)); },
      [&](bool value) { return Team::any(value); }, team.whole(elements.survey()), k);
  const TopKTurn turn = topk_turn(elements, team, selection, count);
  if constexpr (!Key::replaces_by_mean) {
    if (output.is_plain()) {
      topk_for_each_kept<Team>(
          elements, turn, sink.extent,
          [&](int w, uint32_t word, uint32_t kept, auto at) { sink.put(w, word & kept, at); });
      return;
    }
  }
  uint32_t means = 0;
  if constexpr (Key::replaces_by_mean) {
    double sum = 0;
    topk_for_each_kept<Team>(
        elements, turn, TopKEdges{}, [&](int w, uint32_t word, uint32_t kept, auto) {
#pragma unroll
          for (int e = 0; e < topk_per_word<T>; ++e) {
            if ((kept >> 16 * e & 1u) != 0 && topk_element<T, Team>(w) + e < count) {
              sum += load(std::bit_cast<T>(static_cast<ElementBits<T>>(word >> 16 * e)));
            }
          }
        });
    means = topk_repeat<T>(topk_mean<T>(team.sum(sum), k));
  }
  TopKMaskWords<T, Team> mask_words;
  topk_for_each_kept<Team>(
      elements, turn, TopKEdges{}, [&](int w, uint32_t word, uint32_t kept, auto at) {
        uint32_t passed;
        const uint32_t y = topk_result_word<Key, T>(word, kept, means, topk_element<T, Team>(w),
                                                    count, output, passed);
        sink.put(w, y, at);
        if (output.mask != nullptr) mask_words.add(w, passed);
      });
  if (output.mask != nullptr) mask_words.store(mask, count);
}

// Words to memory.
template <class T, class Team>
struct TopKRowSink {
  ElementBits<T>* to;
  int count;
  bool aligned;
  TopKExtent extent;

  __device__ TopKRowSink(ElementBits<T>* to, const TopKShare& share)
      : to(to),
        count(share.count),
        aligned(topk_has_words(to)),
        extent(share.template extent<T>(aligned)) {}
  template <class At>
  __device__ void put(int w, uint32_t y, At at) const {
    topk_store_word<T>(to, topk_element<T, Team>(w), count, aligned, y, at);
  }
};

// overflows: words that registers have no room for are in shared memory (topk_overflow_groups()).
template <class Key, class T, int words, class Team, bool overflows>
__global__ void __launch_bounds__(Team::most_threads, Team::resident)
    topk_team_rows(TopKInput<T> input, int64_t rows, int length, uint32_t k, TopKOutput<T> output) {
  using Bits = ElementBits<T>;
  SharedMemory memory;
  Team team(memory);
  int64_t row = team.row();
  if (!Team::any(row < rows)) return;  // a whole warp's
  TopKShare share(length, team.warp(), team.warps(), Team::lanes * topk_per_word<T>);
  if (row >= rows) {
    row = rows - 1;
    share.clear();
  }
  const Bits* from = input.x + row * length + share.begin;
  TopKRegisters<Key, T, words, overflows> elements = [&] {
    if constexpr (overflows) {
      return TopKRegisters<Key, T, words, true>(
          share.words,
          memory.array<TopKGroup>(static_cast<size_t>(topk_overflow_groups(share.words, words) *
                                                      static_cast<int>(blockDim.x))));
    } else {
      return TopKRegisters<Key, T, words>(share.words);
    }
  }();
  const bool aligned = topk_has_words(from);
  elements.fill(share.template extent<T>(aligned), [&](int w, auto at) {
    return topk_load_word<Key, T>(from, topk_element<T, Team>(w), share.count, aligned, at);
  });
  if constexpr (overflows) {  // else others on the multiprocessor load meanwhile
    if (input.ahead > 0 && row + input.ahead < rows) {
      const Bits* next = from + static_cast<int64_t>(input.ahead) * length;
      constexpr int step = prefetch_bytes / sizeof(Bits);
      for (int i = Team::lane() * step; i < share.count; i += Team::lanes * step) {
        prefetch_l2(next + i);
      }
    }
  }
  if (input.prologue.present()) {
    const TopKRectify<T> rectify = input.prologue.of_row(row);
    elements.map([&](int w, uint32_t word) {
      return topk_rectify_word<Key, T>(rectify, word, topk_element<T, Team>(w), share.count);
    });
  }
  team.wait();
  topk_select_in_registers<Key, T>(
      elements, team, share.count, k, output,
      output.mask == nullptr ? nullptr
                             : output.mask + row * ((length + 31) / 32) + share.begin / 32,
      TopKRowSink<T, Team>(output.y + row * length + share.begin, share));
}

}  // namespace GESTALT_CUDA_NAMESPACE
