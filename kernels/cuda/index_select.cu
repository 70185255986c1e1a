// Rows by their numbers, and the sums of rows that were taken more than once.

#include <limits>

#include "kernels/cuda/device/index_select.cuh"
#include "kernels/cuda/element_size.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/kernels.h"
#include "kernels/dispatch.h"

namespace GESTALT_CUDA_NAMESPACE {

void index_select_forward(Context& context, const View& x, int dim, const View& indices,
                          const View& y) {
  View still = x, numbers = indices;
  still.shape = numbers.shape = y.shape;
  still.strides[dim] = 0;
  numbers.strides = Shape::filled(y.rank(), 0);
  numbers.strides[dim] = indices.strides[0];
  const auto at = to_index(make_loop_nest<3>({&y, &still, &numbers}));
  const double outside = is_floating(x.dtype) ? std::numeric_limits<double>::quiet_NaN() : 0;
  const uint64_t bits = bits_of(outside, x.dtype);
  dispatch_size(x.dtype, [&]<class T>(std::type_identity<T>) {
    launch(context, "index_select_forward", index_select_kernel<T>,
           {dim3(blocks_for(at.numel, elementwise_threads)), dim3(elementwise_threads)}, at,
           x.shape[dim], x.strides[dim], static_cast<T>(bits), y.as<T>(), x.as<const T>(),
           indices.as<const int64_t>());
  });
}

void index_select_backward(Context& context, const View& dy, int dim, const View& indices,
                           const View& dx) {
  View to = dx, from = dy;
  to.shape[dim] = from.shape[dim] = 1;
  const auto at = to_index(make_loop_nest<2>({&to, &from}));
  const int64_t warps_a_row = blocks_for(at.numel, warp_lanes);
  const IndexSelectShape shape{.rows = dx.shape[dim],
                               .dx_row_stride = dx.strides[dim],
                               .taken = dy.shape[dim],
                               .dy_row_stride = dy.strides[dim],
                               .index_stride = indices.strides[0],
                               .warps_a_row = warps_a_row};
  dispatch<DeviceFloatTypes>("index_select_backward", dx, [&]<class T>(std::type_identity<T>) {
    launch(context, "index_select_backward", index_select_backward_kernel<T>,
           {dim3(blocks_for(shape.rows * warps_a_row, elementwise_threads / warp_lanes)),
            dim3(elementwise_threads)},
           at, shape, dx.as<T>(), dy.as<const T>(), indices.as<const int64_t>());
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
