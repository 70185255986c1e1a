#pragma once

// The warps that share a row whose elements lie in their registers and shared memory, in equal
// parts one after the other: one warp, a block, or a cluster of blocks. All threads of a team call
// each function together; what it returns is the same in all of them but for before().

#include "kernels/cuda/device/cluster.cuh"
#include "kernels/cuda/device/shared.cuh"
#include "kernels/cuda/device/topk_bisect.cuh"
#include "kernels/cuda/device/warp.cuh"

namespace GESTALT_CUDA_NAMESPACE {

// What lanes of a warp do together: all 32, or 16 or 8 of them for a row, so that a warp has two or
// four rows, each of which goes its own way through the same instructions.
template <int lanes_>
struct TopKLanes {
  static constexpr int lanes = lanes_;
  static_assert(lanes == 32 || lanes == 16 || lanes == 8);

  __device__ static int lane() { return static_cast<int>(threadIdx.x % lanes); }
  // With fewer than 32 lanes, of values whose sum fits into 16 bits: then two rows' are added up at
  // once.
  __device__ static uint32_t lanes_sum(uint32_t value) {
    if constexpr (lanes == 32) return warp_sum(value);
    const unsigned half = (threadIdx.x & lanes) != 0 ? 16 : 0;
    value <<= half;
    if constexpr (lanes == 16) return warp_sum(value) >> half & 0xffffu;
    const bool upper = (threadIdx.x & 16u) != 0;
    const uint32_t of_lower = warp_sum(upper ? 0 : value), of_upper = warp_sum(upper ? value : 0);
    return (upper ? of_upper : of_lower) >> half & 0xffffu;
  }
  __device__ static double lanes_sum(double value) {
    return reduce(value, [](auto a, auto b) { return a + b; });
  }
  __device__ static uint32_t lanes_max(uint32_t value) {
    if constexpr (lanes == 32) return warp_max(value);
    return reduce(value, [](auto a, auto b) { return ::max(a, b); });
  }
  // Of the row's lanes, from bit 0 on.
  __device__ static uint32_t ballot(bool value) {
    return __ballot_sync(full_warp, value) >> (threadIdx.x & (32u - lanes)) &
           full_warp >> (32 - lanes);
  }
  // Whether it holds for any of the warp's rows, where it is the same for the lanes of each.
  __device__ static bool any(bool value) {
    if constexpr (lanes == 32) return value;
    return __any_sync(full_warp, value) != 0;
  }
  // Whether it holds for all lanes of the warp.
  __device__ static bool all(bool value) { return __all_sync(full_warp, value) != 0; }

 private:
  template <class T, class F>
  __device__ static T reduce(T value, const F& f) {
#pragma unroll
    for (int step = lanes / 2; step > 0; step /= 2) {
      value = f(value, __shfl_xor_sync(full_warp, value, step));
    }
    return value;
  }
};

// A thread that has a row by itself, and goes its own way.
struct TopKLoneThread {
  static constexpr int lanes = 1;

  __device__ static int lane() { return 0; }
  __device__ static uint32_t lanes_sum(uint32_t value) { return value; }
  __device__ static uint32_t ballot(bool value) { return value ? 1 : 0; }
  __device__ static bool any(bool value) { return value; }
  __device__ static bool all(bool value) { return value; }
  __device__ int warps() const { return 1; }
  __device__ uint32_t before(uint32_t) const { return 0; }
};

// Several teams a block, one a warp, or half or a quarter of one.
template <int lanes_>
class TopKWarpTeam : public TopKLanes<lanes_> {
 public:
  using TopKLanes<lanes_>::lanes;
  static constexpr int most_threads = 128;  // of a block
  static constexpr int resident = 8;        // blocks a multiprocessor that registers are left for
  static constexpr size_t bytes = 0;        // of shared memory

  __device__ explicit TopKWarpTeam(SharedMemory&) {}
  __device__ int64_t row() const {
    return static_cast<int64_t>(blockIdx.x) * (blockDim.x / lanes) + threadIdx.x / lanes;
  }
  __device__ int warps() const { return 1; }
  __device__ int warp() const { return 0; }

  __device__ void wait() const {}
  __device__ uint32_t sum(uint32_t value) { return this->lanes_sum(value); }
  __device__ TopKSurvey whole(TopKSurvey own) {
    return {this->lanes_max(own.largest), this->lanes_sum(own.non_zero)};
  }
  // The sum over the warps before this one, of values that are the same in all lanes of a warp.
  __device__ uint32_t before(uint32_t) const { return 0; }
  __device__ double sum(double value) { return this->lanes_sum(value); }
};

// A block: its warps leave each other values in shared memory, behind one barrier; two places in
// turn, so that nobody writes where others still read.
class TopKBlockTeam : public TopKLanes<32> {
 public:
  static constexpr int most_warps = 32, most_threads = most_warps * warp_lanes;
  static constexpr int resident = 1;
  static constexpr size_t bytes = shared_size<uint32_t>(2 * most_warps) +
                                  shared_size<TopKSurvey>(most_warps) +
                                  shared_size<double>(most_warps);

  __device__ explicit TopKBlockTeam(SharedMemory& memory)
      : values_(memory.array<uint32_t>(2 * most_warps)),
        surveys_(memory.array<TopKSurvey>(most_warps)),
        sums_(memory.array<double>(most_warps)) {}
  __device__ int64_t row() const { return blockIdx.x; }
  __device__ int warps() const { return static_cast<int>(blockDim.x / warp_lanes); }
  __device__ int warp() const { return static_cast<int>(threadIdx.x / warp_lanes); }

  __device__ void wait() const {}
  __device__ uint32_t sum(uint32_t value) { return warp_sum(of_warp(warp_sum(value))); }
  __device__ TopKSurvey whole(TopKSurvey own) {  // once
    const TopKSurvey of_warp{warp_max(own.largest), warp_sum(own.non_zero)};
    if (lane() == 0) surveys_[warp()] = of_warp;
    __syncthreads();
    TopKSurvey theirs{0, 0};
    if (lane() < warps()) theirs = surveys_[lane()];
    return {warp_max(theirs.largest), warp_sum(theirs.non_zero)};
  }
  __device__ uint32_t before(uint32_t value) {
    const uint32_t theirs = of_warp(value);
    return warp_sum(lane() < warp() ? theirs : 0);
  }
  __device__ double sum(double value) {  // once
    value = warp_sum(value);
    if (lane() == 0) sums_[warp()] = value;
    __syncthreads();
    double total = 0;
    for (int other = 0; other < warps(); ++other) total += sums_[other];
    return total;
  }

 private:
  // The value of the warp whose number is this lane's.
  __device__ uint32_t of_warp(uint32_t value) {
    const SharedArray<uint32_t> values = values_ + place_;
    place_ ^= most_warps;
    if (lane() == 0) values[warp()] = value;
    __syncthreads();
    return lane() < warps() ? static_cast<uint32_t>(values[lane()]) : 0;
  }

  SharedArray<uint32_t> values_;
  SharedArray<TopKSurvey> surveys_;
  SharedArray<double> sums_;
  int place_ = 0;
};

// A cluster: each warp writes its value into the memory of every block, so that one barrier
// suffices, behind which a block reads its own memory alone.
class TopKClusterTeam : public TopKLanes<32> {
 public:
  static constexpr int most_blocks = 8;
  static constexpr int most_block_warps = 32, most_threads = most_block_warps * warp_lanes;
  static constexpr int most_warps = most_blocks * most_block_warps;
  static constexpr int resident = 1;
  static constexpr size_t bytes = shared_size<uint32_t>(2 * most_warps) +
                                  shared_size<TopKSurvey>(most_warps) +
                                  shared_size<double>(most_warps);

  __device__ explicit TopKClusterTeam(SharedMemory& memory)
      : values_(memory.array<uint32_t>(2 * most_warps)),
        surveys_(memory.array<TopKSurvey>(most_warps)),
        sums_(memory.array<double>(most_warps)) {
    cluster_arrive();
  }
  __device__ int64_t row() const { return blockIdx.x / cluster_size(); }
  __device__ int warps() const {
    return static_cast<int>(cluster_size() * (blockDim.x / warp_lanes));
  }
  __device__ int warp() const {
    return static_cast<int>(cluster_rank() * (blockDim.x / warp_lanes) + threadIdx.x / warp_lanes);
  }

  // Called once before all else, as late as can be: the other blocks have begun.
  __device__ void wait() const { cluster_wait(); }
  __device__ uint32_t sum(uint32_t value) {
    const SharedArray<uint32_t> values = of_warps(warp_sum(value));
    uint32_t total = 0;
    for (int other = lane(); other < warps(); other += warp_lanes) total += values[other];
    return warp_sum(total);
  }
  __device__ TopKSurvey whole(TopKSurvey own) {  // once
    const TopKSurvey of_warp{warp_max(own.largest), warp_sum(own.non_zero)};
    if (lane() < static_cast<int>(cluster_size())) {
      map_shared(surveys_, static_cast<unsigned>(lane()))[warp()] = of_warp;
    }
    cluster_sync();
    TopKSurvey total{0, 0};
    for (int other = lane(); other < warps(); other += warp_lanes) {
      const TopKSurvey theirs = surveys_[other];
      total.largest = ::max(total.largest, theirs.largest);
      total.non_zero += theirs.non_zero;
    }
    return {warp_max(total.largest), warp_sum(total.non_zero)};
  }
  __device__ uint32_t before(uint32_t value) {
    const SharedArray<uint32_t> values = of_warps(value);
    uint32_t total = 0;
    for (int other = lane(); other < warp(); other += warp_lanes) total += values[other];
    return warp_sum(total);
  }
  __device__ double sum(double value) {  // once
    value = warp_sum(value);
    const auto blocks = static_cast<int>(cluster_size());
    if (lane() < blocks) map_shared(sums_, static_cast<unsigned>(lane()))[warp()] = value;
    cluster_sync();
    double total = 0;
    for (int other = 0; other < warps(); ++other) total += sums_[other];
    return total;
  }

 private:
  __device__ SharedArray<uint32_t> of_warps(uint32_t value) {
    const SharedArray<uint32_t> values = values_ + place_;
    place_ ^= most_warps;
    if (lane() < static_cast<int>(cluster_size())) {
      map_shared(values, static_cast<unsigned>(lane()))[warp()] = value;
    }
    cluster_sync();
    return values;
  }

  SharedArray<uint32_t> values_;
  SharedArray<TopKSurvey> surveys_;
  SharedArray<double> sums_;
  int place_ = 0;
};

}  // namespace GESTALT_CUDA_NAMESPACE
