#pragma once

// Weighted squared distance of the channels of a and b, each of unit length, and its gradient.
//
// Where a pixel's channels are neighbours, some lanes of a warp hold those of one pixel in their
// registers, in packs of 16 bytes where channels are whole packs. Elsewhere a warp has a pixel a
// lane and its block's other warps have other channels; the elements are read once for the lengths
// and from the caches again. Sums of blocks go through memory and a fold of them.
//
// Products with the inverse lengths are rounded before their difference, so that equal arrays have
// no distance.
//
// Floor: one read of a and b, backward one write too. VGG-16's first activations of 8 images of
// 256x256, bf16: 134 MB forward, 201 MB backward; a dozen instructions an element take less time.

#include <cstdint>

#include "kernels/cuda/device/block.cuh"
#include "kernels/cuda/device/convert.cuh"
#include "kernels/cuda/device/groups.cuh"
#include "kernels/cuda/device/shared.cuh"
#include "kernels/cuda/device/warp.cuh"
#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int distance_threads = 256;
inline constexpr int distance_warps = distance_threads / warp_lanes;
// Of each array, a lane: 16 elements of packs, so that a warp holds 512 channels.
__host__ __device__ constexpr int held_packs(int size) {
  return size == 1 ? 4 : 16 / size;
}

template <class T>
struct UnitPair {
  const T *a, *b;
  const float* weight;
  int64_t channels, pixels;
  int64_t stride_c, stride_p;
  float epsilon;

  __device__ float root(float squares) const { return sqrtf(squares + epsilon * epsilon); }
  __device__ float inverse_length(float squares) const { return 1 / (root(squares) + epsilon); }
};

// Of a pixel, in each of its lanes.
struct UnitLengths {
  float a, b;     // inverse
  float stretch;  // |a| / root of its squares

  template <class T>
  __device__ UnitLengths(const UnitPair<T>& pair, float squares_a, float squares_b)
      : a(pair.inverse_length(squares_a)), b(pair.inverse_length(squares_b)) {
    const float root = pair.root(squares_a);
    stretch = (root + pair.epsilon) / root;
  }
  __device__ float unit(float value) const { return __fmul_rn(value, a); }
  __device__ float difference(float unit, float other) const { return unit - __fmul_rn(other, b); }
};

// partial[blockIdx.x] = the sum over the block.
__device__ inline void write_block_sum(const SharedArray<float>& sums, float value,
                                       float* partial) {
  value = block_sum<distance_threads>(sums, value);
  if (threadIdx.x == 0) partial[blockIdx.x] = value;
}

// ---- a pixel's channels are neighbours ----

struct PixelLanes {
  int lanes;       // a pixel, a power of two
  int packs;       // a pixel, at most lanes * held_packs(size)
  int64_t blocks;  // an image
  bool aligned;    // all arrays, to whole packs
};

template <class T, int size>
struct HeldPixel {
  static constexpr int held = held_packs(size);

  Pack<T, size> a[held], b[held];
  int64_t image;
  int64_t begin;  // of the pixel in the arrays
  int lane, lanes;
  int packs;  // 0 where there is no pixel

  __device__ HeldPixel(const UnitPair<T>& pair, const PixelLanes& of) : lanes(of.lanes) {
    const int thread = static_cast<int>(threadIdx.x);
    lane = thread % lanes;
    image = blockIdx.x / of.blocks;
    const int64_t pixel =
        (blockIdx.x - image * of.blocks) * (distance_threads / lanes) + thread / lanes;
    begin = (image * pair.pixels + pixel) * pair.channels;
    packs = pixel < pair.pixels ? of.packs : 0;
#pragma unroll
    for (int i = 0; i < held; ++i) {
      a[i] = b[i] = Pack<T, size>{};
      if (lane + i * lanes < packs) {
        a[i] = read_pack<size>(pair.a + offset(i), of.aligned);
        b[i] = read_pack<size>(pair.b + offset(i), of.aligned);
      }
    }
  }
  __device__ int channel(int i) const {
    return (lane + i * lanes) * size;
  }
  __device__ int64_t offset(int i) const {
    return begin + channel(i);
  }

  // The sum over a pixel's lanes, in each of them.
  __device__ float sum(float value) const {
    for (int step = lanes / 2; step > 0; step /= 2) {
      value += __shfl_xor_sync(full_warp, value, step);
    }
    return value;
  }
  __device__ UnitLengths lengths(const UnitPair<T>& pair) const {
    float squares_a = 0, squares_b = 0;
#pragma unroll
    for (int i = 0; i < held; ++i) {
#pragma unroll
      for (int j = 0; j < size; ++j) {
        const float left = load(a[i].value[j]), right = load(b[i].value[j]);
        squares_a += left * left;
        squares_b += right * right;
      }
    }
    return {pair, sum(squares_a), sum(squares_b)};
  }
  // f(i, weights of the channels there) for the packs that are there
  template <class F>
  __device__ void for_packs(const UnitPair<T>& pair, bool aligned, const F& f) const {
#pragma unroll
    for (int i = 0; i < held; ++i) {
      if (lane + i * lanes < packs) f(i, read_pack<size>(pair.weight + channel(i), aligned));
    }
  }
};

template <int size, class T>
__global__ void __launch_bounds__(distance_threads)
    unit_distance_pixels(UnitPair<T> pair, PixelLanes of, float* partial) {
  const HeldPixel<T, size> pixel(pair, of);
  const UnitLengths lengths = pixel.lengths(pair);
  float sum = 0;
  pixel.for_packs(pair, of.aligned, [&](int i, const Pack<float, size>& weight) {
#pragma unroll
    for (int j = 0; j < size; ++j) {
      const float unit = lengths.unit(load(pixel.a[i].value[j]));
      const float difference = lengths.difference(unit, load(pixel.b[i].value[j]));
      sum += weight.value[j] * (difference * difference);
    }
  });
  SharedMemory shared;
  write_block_sum(shared.array<float>(distance_warps), sum, partial);
}

template <int size, class T>
__global__ void __launch_bounds__(distance_threads)
    unit_distance_backward_pixels(UnitPair<T> pair, PixelLanes of, float scale, const float* dy,
                                  T* da) {
  const HeldPixel<T, size> pixel(pair, of);
  const UnitLengths lengths = pixel.lengths(pair);
  float along = 0;
  pixel.for_packs(pair, of.aligned, [&](int i, const Pack<float, size>& weight) {
#pragma unroll
    for (int j = 0; j < size; ++j) {
      const float unit = lengths.unit(load(pixel.a[i].value[j]));
      const float difference = lengths.difference(unit, load(pixel.b[i].value[j]));
      along += weight.value[j] * (difference * unit);
    }
  });
  along = pixel.sum(along) * lengths.stretch;
  const float factor = scale * dy[pixel.image] * lengths.a;
  pixel.for_packs(pair, of.aligned, [&](int i, const Pack<float, size>& weight) {
    Pack<T, size> result;
#pragma unroll
    for (int j = 0; j < size; ++j) {
      const float unit = lengths.unit(load(pixel.a[i].value[j]));
      const float difference = lengths.difference(unit, load(pixel.b[i].value[j]));
      result.value[j] = store<T>(factor * (weight.value[j] * difference - along * unit));
    }
    write_pack(result, da + pixel.offset(i), of.aligned);
  });
}

// ---- a channel's pixels are neighbours, or there are too many channels to hold ----

// A pixel for each lane, a share of its channels for each warp.
template <class T>
struct SharedPixel {
  const UnitPair<T>& pair;
  int64_t image, begin;
  int warp, lane;
  bool present;

  __device__ SharedPixel(const UnitPair<T>& pair, int64_t blocks) : pair(pair) {
    warp = static_cast<int>(threadIdx.x) / warp_lanes;
    lane = static_cast<int>(threadIdx.x) % warp_lanes;
    image = blockIdx.x / blocks;
    const int64_t pixel = (blockIdx.x - image * blocks) * warp_lanes + lane;
    begin = image * pair.pixels * pair.channels + pixel * pair.stride_p;
    present = pixel < pair.pixels;
  }
  // f(channel, a, b)
  template <class F>
  __device__ void for_channels(const F& f) const {
    if (!present) return;
#pragma unroll 4
    for (int64_t c = warp; c < pair.channels; c += distance_warps) {
      const int64_t at = begin + c * pair.stride_c;
      f(c, load(pair.a[at]), load(pair.b[at]));
    }
  }
  // The sum of a lane's values over the warps, in each of them.
  __device__ float sum(const SharedArray<float>& values, float value) const {
    values[warp * warp_lanes + lane] = value;
    __syncthreads();
    float total = 0;
#pragma unroll
    for (int i = 0; i < distance_warps; ++i) {
      const float of_warp = values[i * warp_lanes + lane];
      total += of_warp;
    }
    return total;
  }
  __device__ UnitLengths lengths(const SharedArray<float>& of_a,
                                 const SharedArray<float>& of_b) const {
    float squares_a = 0, squares_b = 0;
    for_channels([&](int64_t, float left, float right) {
      squares_a += left * left;
      squares_b += right * right;
    });
    const float sum_a = sum(of_a, squares_a), sum_b = sum(of_b, squares_b);
    return {pair, sum_a, sum_b};
  }
};

template <class T>
__global__ void __launch_bounds__(distance_threads)
    unit_distance_planes(UnitPair<T> pair, int64_t blocks, float* partial) {
  SharedMemory shared;
  const SharedArray<float> of_a = shared.array<float>(distance_threads);
  const SharedArray<float> of_b = shared.array<float>(distance_threads);
  const SharedArray<float> sums = shared.array<float>(distance_warps);
  const SharedPixel<T> pixel(pair, blocks);
  const UnitLengths lengths = pixel.lengths(of_a, of_b);
  float sum = 0;
  pixel.for_channels([&](int64_t c, float left, float right) {
    const float difference = lengths.difference(lengths.unit(left), right);
    sum += pair.weight[c] * (difference * difference);
  });
  write_block_sum(sums, sum, partial);
}

template <class T>
__global__ void __launch_bounds__(distance_threads)
    unit_distance_backward_planes(UnitPair<T> pair, int64_t blocks, float scale, const float* dy,
                                  T* da) {
  SharedMemory shared;
  const SharedArray<float> of_a = shared.array<float>(distance_threads);
  const SharedArray<float> of_b = shared.array<float>(distance_threads);
  const SharedArray<float> products = shared.array<float>(distance_threads);
  const SharedPixel<T> pixel(pair, blocks);
  const UnitLengths lengths = pixel.lengths(of_a, of_b);
  float along = 0;
  pixel.for_channels([&](int64_t c, float left, float right) {
    const float unit = lengths.unit(left);
    along += pair.weight[c] * (lengths.difference(unit, right) * unit);
  });
  along = pixel.sum(products, along) * lengths.stretch;
  const float factor = scale * dy[pixel.image] * lengths.a;
  pixel.for_channels([&](int64_t c, float left, float right) {
    const float unit = lengths.unit(left);
    const float across = pair.weight[c] * lengths.difference(unit, right) - along * unit;
    da[pixel.begin + c * pair.stride_c] = store<T>(factor * across);
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
