// Random values, the same on every device.

#include "kernels/cuda/device/random.cuh"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.h"
#include "kernels/dispatch.h"
#include "kernels/random.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

// The elements in their logical order, whatever their strides.
StridedIndex<1> logical_index(const View& view) {
  LoopNest<1> nest;
  nest.numel = view.numel();
  if (view.is_contiguous()) {
    nest.rank = 1;
    nest.sizes[0] = nest.numel;
    nest.strides[0][0] = 1;
  } else {
    nest.rank = view.rank();
    for (int dim = 0; dim < view.rank(); ++dim) {
      nest.sizes[dim] = view.shape[dim];
      nest.strides[dim][0] = view.strides[dim];
    }
  }
  return to_index(nest);
}

template <class T, class Make>
void fill_random(Context& context, const char* name, PhiloxState state, const Make& make,
                 const View& y) {
  constexpr int threads = 256;
  launch(context, name, random_kernel<T, Make>,
         {dim3(blocks_for(y.numel(), 4 * threads)), dim3(threads)}, state, make, logical_index(y),
         y.as<T>());
}

}  // namespace

void uniform(Context& context, PhiloxState state, double low, double high, const View& y) {
  dispatch<DeviceFloatTypes>("uniform", y, [&]<class T>(std::type_identity<T>) {
    const Uniform make{static_cast<float>(low), static_cast<float>(high),
                       static_cast<float>(largest_below<T>(low, high))};
    fill_random<T>(context, "uniform", state, make, y);
  });
}

void normal(Context& context, PhiloxState state, double mean, double deviation, const View& y) {
  dispatch<DeviceFloatTypes>("normal", y, [&]<class T>(std::type_identity<T>) {
    const Normal make{static_cast<float>(mean), static_cast<float>(deviation)};
    fill_random<T>(context, "normal", state, make, y);
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
