// Pooling and its gradients.

#include "kernels/cuda/device/pool.cuh"
#include "kernels/cuda/image.h"
#include "kernels/cuda/kernels.h"
#include "kernels/dispatch.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

// `axis` is 0 for rows and 1 for columns.
PoolAxis pool_axis(const View& x, const View& y, const Pool2dDesc& desc, int axis) {
  return {static_cast<int>(x.shape[2 + axis]), static_cast<int>(y.shape[2 + axis]), desc, axis};
}

}  // namespace

void max_pool2d_forward(Context& context, const View& x, const View& y, const View* indices,
                        const Pool2dDesc& desc) {
  dispatch<DeviceFloatTypes>("max_pool2d_forward", x, [&]<class T>(std::type_identity<T>) {
    image_op<T>(
        context, "max_pool2d_forward", y,
        MaxPool<T>{Image<T>(x), indices == nullptr ? Image<int64_t>() : Image<int64_t>(*indices),
                   pool_axis(x, y, desc, 0), pool_axis(x, y, desc, 1)});
  });
}

void max_pool2d_backward(Context& context, const View& dy, const View& indices, const View& dx,
                         const Pool2dDesc& desc) {
  dispatch<DeviceFloatTypes>("max_pool2d_backward", dy, [&]<class T>(std::type_identity<T>) {
    image_op<T>(context, "max_pool2d_backward", dx,
                MaxPoolBackward<T>{Image<T>(dy), Image<int64_t>(indices),
                                   pool_axis(dx, dy, desc, 0), pool_axis(dx, dy, desc, 1)});
  });
}

void avg_pool2d_forward(Context& context, const View& x, const View& y, const Pool2dDesc& desc) {
  dispatch<DeviceFloatTypes>("avg_pool2d_forward", x, [&]<class T>(std::type_identity<T>) {
    image_op<T>(context, "avg_pool2d_forward", y,
                AveragePool<T>{Image<T>(x), pool_axis(x, y, desc, 0), pool_axis(x, y, desc, 1),
                               desc.count_include_pad});
  });
}

void avg_pool2d_backward(Context& context, const View& dy, const View& dx, const Pool2dDesc& desc) {
  dispatch<DeviceFloatTypes>("avg_pool2d_backward", dy, [&]<class T>(std::type_identity<T>) {
    image_op<T>(context, "avg_pool2d_backward", dx,
                AveragePoolBackward<T>{Image<T>(dy), pool_axis(dx, dy, desc, 0),
                                       pool_axis(dx, dy, desc, 1), desc.count_include_pad});
  });
}

void adaptive_avg_pool2d_forward(Context& context, const View& x, const View& y) {
  dispatch<DeviceFloatTypes>("adaptive_avg_pool2d_forward", x, [&]<class T>(std::type_identity<T>) {
    image_op<T>(
        context, "adaptive_avg_pool2d_forward", y,
        AdaptivePool<T>{Image<T>(x), static_cast<int>(y.shape[2]), static_cast<int>(y.shape[3])});
  });
}

void adaptive_avg_pool2d_backward(Context& context, const View& dy, const View& dx) {
  dispatch<DeviceFloatTypes>(
      "adaptive_avg_pool2d_backward", dy, [&]<class T>(std::type_identity<T>) {
        image_op<T>(context, "adaptive_avg_pool2d_backward", dx,
                    AdaptivePoolBackward<T>{Image<T>(dy), static_cast<int>(dx.shape[2]),
                                            static_cast<int>(dx.shape[3])});
      });
}

}  // namespace GESTALT_CUDA_NAMESPACE
