#pragma once

// Launchers of device/groups.cuh, and the views' statistics.

#include <algorithm>

#include "kernels/cuda/device/normalize.cuh"
#include "kernels/cuda/device_limits.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/launch.h"
#include "kernels/descriptors.h"
#include "kernels/rounding.h"

namespace GESTALT_CUDA_NAMESPACE {

// stat[C] of any stride, or stat[N,C] contiguous.
inline Statistic statistic(const View& view) {
  return {view.as<float>(), view.rank() == 1 ? view.strides[0] : 1};
}

inline Statistic statistic(const View* view) {
  return view == nullptr ? Statistic{} : statistic(*view);
}

// What `fold` needs of the workspace; 0 where a block sums a whole group.
inline size_t fold_bytes(const Groups& groups) {
  const GroupParts parts(groups);
  return parts.count > 1 ? 2 * sizeof(double) * static_cast<size_t>(groups.groups * parts.count)
                         : 0;
}

// Whether 16 bytes of T are so many neighbours of one group (or, where groups are neighbours in
// memory, of so many). By the shape alone, as the order of sums is.
template <class T>
bool has_packs(const Groups& groups) {
  return (groups.columns ? groups.channels : groups.pixels) % (16 / sizeof(T)) == 0;
}

// call(pack size): 16 bytes of T, else one element.
template <class T, class Call>
void with_packs(const Groups& groups, const Call& call) {
  if (has_packs<T>(groups)) {
    call(std::integral_constant<int, 16 / sizeof(T)>{});
  } else {
    call(std::integral_constant<int, 1>{});
  }
}

template <class... Pointers>
bool all_aligned(const Pointers*... arrays) {
  return ((reinterpret_cast<uintptr_t>(arrays) % 16 == 0) && ...);
}

// memory: fold_bytes(groups) of them, aligned to 8; arrays: those that op reads.
template <class T, class Op, class... Pointers>
void fold(Context& context, const char* name, const Groups& groups, void* memory, const Op& op,
          const Pointers*... arrays) {
  const GroupParts parts(groups);
  const bool aligned = all_aligned(arrays...);
  auto* partial = parts.count > 1 ? static_cast<double*>(memory) : nullptr;
  const dim3 grid(blocks_for(groups.groups, parts.width), static_cast<unsigned>(parts.count));
  with_packs<T>(groups, [&](auto size) {
    if (groups.columns) {
      launch(context, name, fold_columns<size(), Op>,
             {grid, dim3(group_threads), 2 * shared_size<double>(group_warps * group_columns)},
             groups, aligned, parts.length, partial, op);
    } else {
      launch(context, name, fold_rows<size(), Op>,
             {grid, dim3(group_threads), shared_size<double>(2 * warp_lanes)}, groups, aligned,
             parts.length, partial, op);
    }
  });
  if (partial == nullptr) return;
  launch(context, name, add_parts<Op>,
         {dim3(blocks_for(groups.groups, group_warps)), dim3(group_threads)}, groups, parts.count,
         partial, op);
}

// A block has whole pixels, or 256 packs of one. Packs of a thread: eight, so that what it finds of
// its groups first is little beside them; four where there would be no four blocks for each
// multiprocessor.
template <int size, class Op>
void launch_map_columns(Context& context, const char* name, const Groups& groups, bool aligned,
                        const Op& op) {
  const int64_t packs = groups.channels / size;
  const auto width = static_cast<int>(std::min<int64_t>(packs, group_threads));
  const int rows = group_threads / width;
  const int64_t planes = groups.groups / groups.channels, tiles = ceil_div(packs, width);
  const auto blocks = [&](int64_t length) { return ceil_div(groups.count, length); };
  int64_t length = int64_t{8} * rows;
  if (blocks(length) * planes * tiles < 4 * multiprocessors(context)) length /= 2;
  launch(context, name, map_columns<size, Op>,
         {dim3(static_cast<unsigned>(blocks(length) * planes), static_cast<unsigned>(tiles)),
          dim3(static_cast<unsigned>(width * rows))},
         groups, ColumnTiles{width, length, static_cast<unsigned>(blocks(length))}, aligned, op);
}

template <class T, class Op, class... Pointers>
void map(Context& context, const char* name, const Groups& groups, const Op& op,
         const Pointers*... arrays) {
  if (groups.numel == 0) return;
  const bool aligned = all_aligned(op.out, arrays...);
  with_packs<T>(groups, [&](auto size) {
    if constexpr (size() > 1) {
      if (groups.columns) {
        return launch_map_columns<size()>(context, name, groups, aligned, op);
      }
    }
    constexpr int64_t block = group_threads * map_packs(size()) * size();
    launch(context, name, map_groups<size(), Op>,
           {dim3(blocks_for(groups.numel, block)), dim3(group_threads)}, groups, aligned, op);
  });
}

template <class T, class Slope>
void map_affine(Context& context, const char* name, const Groups& groups, const View& x,
                const View& center, const Slope& slope, const View& y) {
  map<T>(context, name, groups,
         Affine<T, Slope>{x.as<const T>(), y.as<T>(), statistic(center), {}, slope},
         x.as<const T>());
}

// Whether a block of so many threads holds a whole group, as a run of pixels.
inline bool holds_groups(const Groups& groups, int threads) {
  return !groups.columns && groups.count > 0 && groups.count <= threads * row_run;
}

// The block that holds so many elements.
inline dim3 held_block(int64_t count) {
  return dim3(static_cast<unsigned>(threads_to_hold(count)));
}

template <class T, class Fold, class Map, class... Pointers>
void fold_and_map_held(Context& context, const char* name, const Groups& groups, const Fold& fold,
                       const Map& map, const Pointers*... arrays) {
  with_packs<T>(groups, [&](auto size) {
    launch(context, name, fold_and_map<size(), Fold, Map>,
           {dim3(static_cast<unsigned>(groups.groups)), held_block(groups.count),
            shared_size<double>(2 * warp_lanes)},
           groups, all_aligned(map.out, arrays...), fold, map);
  });
}

// The gradients through y = normalized(x) * scale + shift, where `input` has statistics of x
// itself; those that are null are not made.
template <class T>
void normalized_backward(Context& context, const char* name, const Groups& groups,
                         const NormalizedInput<T>& input, const View& scale, double freedom,
                         const View* dx, const View* dshift, const View* dscale) {
  const GradientAverages averages{static_cast<double>(groups.count), freedom};
  GradientSums<T> sums{input, statistic(dshift), statistic(dscale), averages};
  NormalizedGradient<T> gradient{input, averages, statistic(scale),
                                 dx == nullptr ? nullptr : dx->as<T>()};
  if (dx != nullptr && holds_groups(groups, held_threads)) {
    return fold_and_map_held<T>(context, name, groups, sums, gradient, input.dy, input.y, input.x);
  }
  const size_t averages_bytes =
      dx == nullptr ? 0 : sizeof(GradientAverages::Of) * static_cast<size_t>(groups.groups);
  const size_t bytes = averages_bytes + fold_bytes(groups);
  auto* memory = bytes == 0 ? nullptr : static_cast<char*>(context.workspace(bytes));
  if (dx != nullptr) {
    sums.averages.of_group = reinterpret_cast<GradientAverages::Of*>(memory);
    gradient.averages = sums.averages;
  }
  fold<T>(context, name, groups, memory + averages_bytes, sums, input.dy, input.y, input.x);
  if (dx == nullptr) return;
  map<T>(context, name, groups, gradient, input.dy, input.y, input.x);
}

}  // namespace GESTALT_CUDA_NAMESPACE
