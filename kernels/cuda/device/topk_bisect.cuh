#pragma once

// Top-K's selection by counting how many elements have at least a key.

#include "kernels/cuda/device/topk_key.cuh"

namespace GESTALT_CUDA_NAMESPACE {

// Rough is good enough for guesses.
__device__ inline float topk_log2(float value) {
#if defined(__CUDA_ARCH__)
  float result;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
  return result;
#else
  return ::log2f(value);
#endif
}
__device__ inline float topk_reciprocal(float value) {
#if defined(__CUDA_ARCH__)
  float result;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
  return result;
#else
  return 1 / value;
#endif
}

// What is known of a row before the search: its largest key (raw), and how many of its elements
// have at least the key 1.
struct TopKSurvey {
  uint32_t largest, non_zero;
};

// Steps that guess before the rest halves the bits: twice what most rows need; past them the row is
// of a kind that guessing does not suit, such as f32 with thousands of ties.
inline constexpr int topk_guided_steps = 14;

// The search for one row's selection. Throughout, from the key `low` up there are more than k
// elements, from `high` up fewer. The result does not depend on which keys are tried.
//
// Each guess is where a chord of the count over the magnitude, between both ends, passes k. The
// counts of activations fall ever more slowly: the chord lies above them and its guess too high, so
// that by itself it would move one end alone, in ever smaller steps. So behind a guess that was too
// high the next goes only `bend` of the way, and more the nearer the count was to k. The first
// guess takes the logarithm of the count as linear, which suits exponential tails, and goes further
// than that by `reach`, since most tails are steeper. Mean steps of rows of 196 to 50176 elements,
// 5 to 20 % kept, Gaussian, exponential, uniform and of VGG-16's maps: 3.4 to 4.9 for 16 bits, 4.7
// to 6.6 for f32. Halving the magnitude needs 9.3 at 784.
//
// A step is instructions that every lane of a warp issues whatever its row does, so it has no
// branches: a row whose search is done goes through the steps of its warp's other row unchanged.
template <class Key>
class TopKBisection {
 public:
  static constexpr float bend = 0.6f, reach = 1.6f;

  // Counts below 2^24.
  __device__ TopKBisection(uint32_t k, TopKSurvey row)
      : k_(static_cast<float>(k)),
        most_(static_cast<float>(row.non_zero)),
        high_(::min(row.largest, Key::most) + 1) {
    if (row.non_zero <= k) {  // all of these, and zeros
      low_ = 0;
      high_ = 1;
      least_ = most_;
      return;
    }
    const float most = topk_log2(most_), none = topk_log2(0.7f);
    stretch_ = reach * (most - topk_log2(k_)) * topk_reciprocal(most - none) *  //
               most_ * topk_reciprocal(most_ - k_);
    slope_ = (1 - bend) * topk_reciprocal(k_);
  }

  __device__ bool done() const { return high_ - low_ <= 1; }
  // Once done: above low_ there are fewer than k, of low_ itself enough.
  __device__ TopKSelection selection() const { return {low_, static_cast<uint32_t>(k_ - least_)}; }

  // The key from which up elements are to be counted; any one where done.
  __device__ uint32_t next() {
    middle_ = low_ + (high_ - low_) / 2;
    if constexpr (!Key::replaces_by_mean) {
      if (step_ < topk_guided_steps) middle_ = guess();
    }
    ++step_;
    return middle_;
  }
  __device__ void found(uint32_t found_count) {
    const auto count = static_cast<float>(found_count);
    const bool open = !done();
    const bool over = open && count > k_, under = open && count <= k_;
    low_ = over ? middle_ : low_;
    most_ = over ? count : most_;
    high_ = under ? middle_ : high_;
    least_ = under ? count : least_;
    stretch_ = over ? 1 : bend + slope_ * count;   // where done nobody looks
    if (under && count == k_) low_ = middle_ - 1;  // none of its elements are wanted
  }

 private:
  // In (low, high). Where an end is no finite number, at one end, which makes it one.
  __device__ uint32_t guess() const {
    const float share = (most_ - k_) * topk_reciprocal(most_ - least_) * stretch_;
    const float from = Key::value(low_);
    const float value = from + (Key::value(high_) - from) * share;
    return ::min(::max(Key::from_value(value), low_ + 1), high_ - 1);
  }

  float k_, most_, least_ = 0;  // most_, least_: how many there are from low_ and from high_ up
  uint32_t low_ = 1, high_, middle_ = 0;
  float stretch_ = 1, slope_ = 0;  // of the chord's next guess
  int step_ = 0;
};

// count(key): how many elements of the row have at least that key (raw), computed by lanes
// together; any(value): whether it holds in one of the rows that go through it together.
template <class Key, class Count, class Any>
__device__ inline TopKSelection topk_bisect(const Count& count, const Any& any, TopKSurvey row,
                                            uint32_t k) {
  TopKBisection<Key> search(k, row);
  while (any(!search.done())) search.found(count(search.next()));
  return search.selection();
}

}  // namespace GESTALT_CUDA_NAMESPACE
