// Reflection padding and resizing, and their gradients.

#include "kernels/cuda/device/resize.cuh"
#include "kernels/cuda/image.h"
#include "kernels/cuda/kernels.h"
#include "kernels/dispatch.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

// `axis` is 2 for rows and 3 for columns.
ReflectionAxis reflection_axis(const View& x, const View& y, int axis, int64_t before) {
  return {static_cast<int>(x.shape[axis]), static_cast<int>(y.shape[axis]),
          static_cast<int>(before)};
}

NearestAxis nearest_axis(const View& x, const View& y, int axis) {
  return {x.shape[axis], y.shape[axis]};
}

BilinearAxis bilinear_axis(const View& x, const View& y, int axis, const ResizeDesc& desc) {
  return {x.shape[axis], y.shape[axis], desc};
}

}  // namespace

void reflection_pad2d_forward(Context& context, const View& x, const View& y,
                              const Padding2d& padding) {
  constexpr const char* name = "reflection_pad2d_forward";
  dispatch<DeviceFloatTypes>(name, x, [&]<class T>(std::type_identity<T>) {
    image_op<T>(context, name, y,
                ReflectionPad<T>{Image<T>(x), reflection_axis(x, y, 2, padding.top),
                                 reflection_axis(x, y, 3, padding.left)});
  });
}

void reflection_pad2d_backward(Context& context, const View& dy, const View& dx,
                               const Padding2d& padding) {
  constexpr const char* name = "reflection_pad2d_backward";
  dispatch<DeviceFloatTypes>(name, dy, [&]<class T>(std::type_identity<T>) {
    image_op<T>(context, name, dx,
                ReflectionPadBackward<T>{Image<T>(dy), reflection_axis(dx, dy, 2, padding.top),
                                         reflection_axis(dx, dy, 3, padding.left)});
  });
}

void resize_nearest_forward(Context& context, const View& x, const View& y) {
  constexpr const char* name = "resize_nearest_forward";
  dispatch<DeviceFloatTypes>(name, x, [&]<class T>(std::type_identity<T>) {
    image_op<T>(context, name, y,
                ResizeNearest<T>{Image<T>(x), nearest_axis(x, y, 2), nearest_axis(x, y, 3)});
  });
}

void resize_nearest_backward(Context& context, const View& dy, const View& dx) {
  constexpr const char* name = "resize_nearest_backward";
  dispatch<DeviceFloatTypes>(name, dy, [&]<class T>(std::type_identity<T>) {
    image_op<T>(
        context, name, dx,
        ResizeNearestBackward<T>{Image<T>(dy), nearest_axis(dx, dy, 2), nearest_axis(dx, dy, 3)});
  });
}

void resize_bilinear_forward(Context& context, const View& x, const View& y,
                             const ResizeDesc& desc) {
  constexpr const char* name = "resize_bilinear_forward";
  dispatch<DeviceFloatTypes>(name, x, [&]<class T>(std::type_identity<T>) {
    image_op<T>(
        context, name, y,
        ResizeBilinear<T>{Image<T>(x), bilinear_axis(x, y, 2, desc), bilinear_axis(x, y, 3, desc)});
  });
}

void resize_bilinear_backward(Context& context, const View& dy, const View& dx,
                              const ResizeDesc& desc) {
  constexpr const char* name = "resize_bilinear_backward";
  dispatch<DeviceFloatTypes>(name, dy, [&]<class T>(std::type_identity<T>) {
    image_op<T>(context, name, dx,
                ResizeBilinearBackward<T>{Image<T>(dy), bilinear_axis(dx, dy, 2, desc),
                                          bilinear_axis(dx, dy, 3, desc)});
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
