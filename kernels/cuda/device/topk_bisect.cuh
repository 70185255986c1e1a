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

// Steps that guess before the rest halves the bits: twice the mean of what rows need; past them the
// row is of a kind that guessing does not suit.
inline constexpr int topk_guided_steps = 14;

// The logarithm of how many elements there are from a key up, never of none.
__device__ inline float topk_log_count(uint32_t count) {
  return topk_log2(::fmaxf(static_cast<float>(count), 0.7f));
}

// A key in (low, high), where about k elements are expected from it up; most, least and wanted are
// the logarithms of the counts from `low` up, from `high` up and of k. Between the two the
// logarithm of the count is taken as linear in the magnitude, which suits tails of activations: 6.5
// steps at 784 Gaussian elements, where halving the magnitude needs 9.3. Never near an end, so that
// both ends move; where an end is no finite number, at one end, which makes it one.
template <class Key>
__device__ inline uint32_t topk_guess(uint32_t low, uint32_t high, float most, float least,
                                      float wanted) {
  const float linear = (most - wanted) * topk_reciprocal(most - least);
  const float share = ::fminf(::fmaxf(linear, 0.05f), 0.95f);
  const float from = Key::value(low);
  const float value = from + (Key::value(high) - from) * share;
  return ::min(::max(Key::from_value(value), low + 1), high - 1);
}

// The search for one row's selection. Throughout, from the key `low` up there are more than k
// elements, from `high` up fewer. The result does not depend on which keys are tried.
template <class Key>
class TopKBisection {
 public:
  // non_zero: elements of at least the key 1; largest: of the keys, raw.
  __device__ TopKBisection(uint32_t k, uint32_t non_zero, uint32_t largest)
      : k_(k),
        high_(::min(largest, Key::most) + 1),
        wanted_(topk_log_count(k)),
        most_(topk_log_count(non_zero)),
        least_(topk_log_count(0)) {
    if (non_zero <= k) {
      finish({0, k - non_zero});
    } else {
      narrow();
    }
  }

  __device__ bool done() const { return done_; }
  __device__ TopKSelection selection() const { return selection_; }

  // The key from which up elements are to be counted, unless done.
  __device__ uint32_t next() {
    middle_ = low_ + (high_ - low_) / 2;
    if constexpr (!Key::replaces_by_mean) {
      if (step_ < topk_guided_steps) middle_ = topk_guess<Key>(low_, high_, most_, least_, wanted_);
    }
    ++step_;
    return middle_;
  }
  __device__ void found(uint32_t count) {
    if (count == k_) {
      finish(keys_from(middle_));
      return;
    }
    if (count > k_) {
      low_ = middle_;
      most_ = topk_log_count(count);
    } else {
      high_ = middle_;
      above_ = count;
      least_ = topk_log_count(count);
    }
    narrow();
  }

 private:
  __device__ void narrow() {
    if (high_ - low_ <= 1) finish({low_, k_ - above_});
  }
  __device__ void finish(TopKSelection selection) {
    selection_ = selection;
    done_ = true;
  }

  uint32_t k_, low_ = 1, high_, above_ = 0, middle_ = 0;
  float wanted_, most_, least_;
  int step_ = 0;
  bool done_ = false;
  TopKSelection selection_{0, 0};
};

// count(key): how many elements of the row have at least that key (raw), computed by lanes
// together; any(value): whether it holds in one of the rows that go through it together.
template <class Key, class Count, class Any>
__device__ inline TopKSelection topk_bisect(const Count& count, const Any& any, uint32_t largest,
                                            uint32_t k) {
  TopKBisection<Key> search(k, count(1), largest);
  while (any(!search.done())) {
    const uint32_t found = count(search.done() ? 1 : search.next());
    if (!search.done()) search.found(found);
  }
  return search.selection();
}

}  // namespace GESTALT_CUDA_NAMESPACE
