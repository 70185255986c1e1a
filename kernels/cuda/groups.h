#pragma once

// Launchers of device/groups.cuh, and the views' statistics.

#include "kernels/cuda/device/normalize.cuh"
#include "kernels/cuda/launch.h"

namespace GESTALT_CUDA_NAMESPACE {

// stat[C] of any stride, or stat[N,C] contiguous.
inline Statistic statistic(const View& view) {
  return {view.as<float>(), view.rank() == 1 ? view.strides[0] : 1};
}

inline Statistic statistic(const View* view) {
  return view == nullptr ? Statistic{} : statistic(*view);
}

template <class Op>
void fold(Context& context, const char* name, const Groups& groups, const Op& op) {
  const int64_t width = groups.columns ? 32 : 1;
  launch(context, name, fold_groups<Op>,
         {dim3(static_cast<unsigned>((groups.groups + width - 1) / width)), dim3(group_threads),
          2 * shared_size<double>(group_threads)},
         groups, op);
}

template <class Op>
void map(Context& context, const char* name, const Groups& groups, const Op& op) {
  launch(context, name, map_groups<Op>,
         {dim3(static_cast<unsigned>((groups.numel + group_threads - 1) / group_threads)),
          dim3(group_threads)},
         groups, op);
}

template <class T, class Slope>
void map_affine(Context& context, const char* name, const Groups& groups, const View& x,
                const View& center, const Slope& slope, const View& y,
                const Statistic& remainder = {}) {
  map(context, name, groups,
      Affine<T, Slope>{x.as<const T>(), y.as<T>(), statistic(center), remainder, slope});
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
  double* sums = dx == nullptr ? nullptr
                               : static_cast<double*>(context.workspace(
                                     2 * sizeof(double) * static_cast<size_t>(groups.groups)));
  fold(context, name, groups,
       GradientSums<T>{gradient, normalized, statistic(dshift), statistic(dscale), sums});
  if (dx == nullptr) return;
  map(context, name, groups,
      NormalizedGradient<T>{gradient, normalized, sums, statistic(scale),
                            static_cast<double>(groups.count), freedom, dx->as<T>()});
}

}  // namespace GESTALT_CUDA_NAMESPACE
