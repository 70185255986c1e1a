#pragma once

// Launchers of device/groups.cuh, and the views' statistics.

#include "kernels/cuda/device/normalize.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/descriptors.h"

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

template <class Op>
void fold_parts(Context& context, const char* name, const Groups& groups, const GroupParts& parts,
                double* partial, const Op& op) {
  launch(context, name, fold_groups<Op>,
         {dim3(static_cast<unsigned>((groups.groups + parts.width - 1) / parts.width),
               static_cast<unsigned>(parts.count)),
          dim3(group_threads), 2 * shared_size<double>(group_threads)},
         groups, parts.length, partial, op);
}

// memory: fold_bytes(groups) of them, aligned to 8.
template <class Op>
void fold(Context& context, const char* name, const Groups& groups, void* memory, const Op& op) {
  const GroupParts parts(groups);
  if (parts.count == 1) return fold_parts(context, name, groups, parts, nullptr, op);
  auto* partial = static_cast<double*>(memory);
  fold_parts(context, name, groups, parts, partial, op);
  const Shape sums{1, groups.groups, 1, parts.count};
  const View view{partial, DType::f64, context.device(), sums,
                  strides_of(sums, Format::contiguous)};
  const Groups of_parts(view, false);
  fold_parts(context, name, of_parts, GroupParts(of_parts), nullptr,
             PartialSums<Op>{partial, groups, op});
}

template <class Op>
void map(Context& context, const char* name, const Groups& groups, const Op& op) {
  launch(context, name, map_groups<Op>,
         {dim3(static_cast<unsigned>((groups.numel + group_threads * map_elements - 1) /
                                     (group_threads * map_elements))),
          dim3(group_threads)},
         groups, op);
}

template <class T, class Slope>
void map_affine(Context& context, const char* name, const Groups& groups, const View& x,
                const View& center, const Slope& slope, const View& y,
                const Statistic& remainder = {}, Activation activation = Activation::none) {
  map(context, name, groups,
      Affine<T, Slope>{x.as<const T>(), y.as<T>(), statistic(center), remainder, slope,
                       activation == Activation::relu});
}

// The gradients through y = normalized(x) * scale + shift, where `normalized` has statistics of x
// itself; those that are null are not made. passed_by: see PassedGradient.
template <class T>
void normalized_backward(Context& context, const char* name, const Groups& groups, const View& dy,
                         const Normalized<T>& normalized, const View& scale, double freedom,
                         const View* dx, const View* dshift, const View* dscale,
                         const View* passed_by = nullptr) {
  const PassedGradient<T> gradient{dy.as<const T>(),
                                   passed_by == nullptr ? nullptr : passed_by->as<const T>()};
  const size_t sums_bytes =
      dx == nullptr ? 0 : 2 * sizeof(double) * static_cast<size_t>(groups.groups);
  const size_t bytes = sums_bytes + fold_bytes(groups);
  auto* memory = bytes == 0 ? nullptr : static_cast<char*>(context.workspace(bytes));
  auto* sums = dx == nullptr ? nullptr : reinterpret_cast<double*>(memory);
  fold(context, name, groups, memory + sums_bytes,
       GradientSums<T>{gradient, normalized, statistic(dshift), statistic(dscale), sums});
  if (dx == nullptr) return;
  map(context, name, groups,
      NormalizedGradient<T>{gradient, normalized, sums, statistic(scale),
                            static_cast<double>(groups.count), freedom, dx->as<T>()});
}

}  // namespace GESTALT_CUDA_NAMESPACE
