#pragma once

// What Top-K selects from: x itself, or the ReLU of x, of x with a bias, or of x normalized.
// Decided once a row while the kernel runs: a kernel for each form would multiply the code and gain
// nothing. Each step rounds to T as the separate ops do, so that the selection is theirs to the
// bit.

#include "kernels/cuda/device/statistic.cuh"
#include "kernels/cuda/device/topk_packed.cuh"

namespace GESTALT_CUDA_NAMESPACE {

// y = (x - center - remainder) * factor + shift, for a channel: Affine of normalize.cuh.
struct TopKAffine {
  float center, remainder, factor, shift;
};

// One thread a channel.
template <class Slope>
__global__ void topk_affine(Statistic center, Statistic remainder, Slope slope, int channels,
                            TopKAffine* affine) {
  const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (channel >= channels) return;
  float shift;
  const float factor = slope(channel, shift);
  affine[channel] = {center[channel], remainder.present() ? remainder[channel] : 0.0f, factor,
                     shift};
}

// The prologue of one channel's elements.
template <class T>
struct TopKRectify {
  TopKAffine affine;
  bool plain;  // nothing before the ReLU

  __device__ ElementBits<T> operator()(ElementBits<T> element) const {
    float value = load(std::bit_cast<T>(element));
    if (!plain) {
      const float centred = value - affine.center - affine.remainder;
      value = load(store<T>(centred * affine.factor + affine.shift));
    }
    return value < 0 ? ElementBits<T>{0}
           : plain   ? element
                     : std::bit_cast<ElementBits<T>>(store<T>(value));
  }
};

// What the prologue makes of a word; past the end Key::lowest stays. Behind a ReLU keys are
// magnitudes: the lowest is 0, and its ReLU too.
template <class Key, class T>
__device__ inline uint32_t topk_rectify_word(const TopKRectify<T>& rectify, uint32_t word, int i,
                                             int count) {
  if (rectify.plain) {
    if constexpr (topk_per_word<T> == 1) {
      return __uint_as_float(word) < 0 ? 0 : word;
    } else if constexpr (topk_compares_halves) {
      return word & ~TopKHalves<T>::negative(word);
    }
  }
  uint32_t result = 0;
#pragma unroll
  for (int e = 0; e < topk_per_word<T>; ++e) {
    const auto element = static_cast<ElementBits<T>>(word >> 16 * e);
    const ElementBits<T> value = i + e < count ? rectify(element) : Key::lowest;
    result |= static_cast<uint32_t>(value) << 16 * e;
  }
  return result;
}

template <class T>
struct TopKPrologue {
  bool rectifies = false;
  int channels = 1;
  int64_t first_row = 0;    // the number of x's first row among all
  const T* bias = nullptr;  // [channels], of stride bias_stride, or null
  int64_t bias_stride = 0;
  const TopKAffine* affine = nullptr;  // [channels], or null

  __device__ bool present() const { return rectifies; }
  __device__ TopKRectify<T> of_channel(int channel) const {
    if (affine != nullptr) return {affine[channel], false};
    if (bias != nullptr) return {{0.0f, 0.0f, 1.0f, load(bias[channel * bias_stride])}, false};
    return {{}, true};
  }
  __device__ TopKRectify<T> of_row(int64_t row) const {
    return of_channel(static_cast<int>((first_row + row) % channels));
  }
};

template <class T>
struct TopKInput {
  const ElementBits<T>* x;
  TopKPrologue<T> prologue;
  // How many rows (tiles) further that one lies which a block asks into L2 while it selects from
  // its own; 0: none.
  int ahead = 0;
};

}  // namespace GESTALT_CUDA_NAMESPACE
