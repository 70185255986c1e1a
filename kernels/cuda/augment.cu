// Augmentation of images on the device: colours, translation, cutout.

#include "kernels/cuda/device/augment.cuh"
#include "kernels/cuda/image.h"
#include "kernels/cuda/kernels.h"
#include "kernels/dispatch.h"

namespace GESTALT_CUDA_NAMESPACE {

void adjust_color(Context& context, const View& x, const View* brightness, const View& saturation,
                  const View& contrast, const View& mean, const View& y) {
  dispatch<DeviceFloatTypes>("adjust_color", x, [&]<class T>(std::type_identity<T>) {
    const bool brighten = brightness != nullptr;
    image_op<T>(context, "adjust_color", y,
                AdjustColor<T>{Image<T>(x), PerImage<float>(brighten ? *brightness : saturation),
                               PerImage<float>(saturation), PerImage<float>(contrast), brighten,
                               PerImage<T>(mean)});
  });
}

void translate_forward(Context& context, const View& x, const View& offsets, const View& y) {
  dispatch<DeviceFloatTypes>("translate_forward", x, [&]<class T>(std::type_identity<T>) {
    image_op<T>(context, "translate_forward", y,
                Translate<T>{Image<T>(x), PerImage<int64_t>(offsets), 1});
  });
}

void translate_backward(Context& context, const View& dy, const View& offsets, const View& dx) {
  dispatch<DeviceFloatTypes>("translate_backward", dy, [&]<class T>(std::type_identity<T>) {
    image_op<T>(context, "translate_backward", dx,
                Translate<T>{Image<T>(dy), PerImage<int64_t>(offsets), -1});
  });
}

void cutout(Context& context, const View& x, const View& corners, const Pair& size, const View& y) {
  dispatch<DeviceFloatTypes>("cutout", x, [&]<class T>(std::type_identity<T>) {
    image_op<T>(context, "cutout", y,
                Cutout<T>{Image<T>(x), PerImage<int64_t>(corners), size[0], size[1]});
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
