// The gated linear unit.

#include "kernels/cuda/device/glu.cuh"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.h"
#include "kernels/dispatch.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

// call(pack size, rows, config): 16 bytes of T where rows are whole packs and the arrays aligned to
// them, else one element.
template <class T, class Call>
void with_rows(const View& x, std::initializer_list<const View*> arrays, const Call& call) {
  const int64_t images = x.shape[0], channels = x.shape[1] / 2, pixels = x.shape[2] * x.shape[3];
  const bool by_image = x.is_contiguous();
  const int64_t rows = by_image ? images : images * pixels;
  const int64_t length = by_image ? channels * pixels : channels;
  const auto run = [&](auto size) {
    const GatedRows gated(rows, length / size());
    call(size, gated, LaunchConfig{dim3(blocks_for(gated.packs, glu_threads)), dim3(glu_threads)});
  };
  constexpr int pack = 16 / sizeof(T);
  bool packed = length % pack == 0;
  for (const View* array : arrays) {
    packed = packed && reinterpret_cast<uintptr_t>(array->data) % 16 == 0;
  }
  if (packed) {
    run(std::integral_constant<int, pack>{});
  } else {
    run(std::integral_constant<int, 1>{});
  }
}

}  // namespace

void glu_forward(Context& context, const View& x, const View& y) {
  constexpr const char* name = "glu_forward";
  dispatch<DeviceFloatTypes>(name, x, [&]<class T>(std::type_identity<T>) {
    with_rows<T>(x, {&x, &y}, [&](auto size, const GatedRows& rows, const LaunchConfig& config) {
      launch(context, name, glu_packs<size(), T>, config, rows, x.as<const Pack<T, size()>>(),
             y.as<Pack<T, size()>>());
    });
  });
}

void glu_backward(Context& context, const View& dy, const View& x, const View& dx) {
  constexpr const char* name = "glu_backward";
  dispatch<DeviceFloatTypes>(name, x, [&]<class T>(std::type_identity<T>) {
    with_rows<T>(x, {&dy, &x, &dx},
                 [&](auto size, const GatedRows& rows, const LaunchConfig& config) {
                   launch(context, name, glu_backward_packs<size(), T>, config, rows,
                          dy.as<const Pack<T, size()>>(), x.as<const Pack<T, size()>>(),
                          dx.as<Pack<T, size()>>());
                 });
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
