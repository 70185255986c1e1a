// Weighted squared distance of the channels of two arrays, each of unit length.

#include <bit>

#include "kernels/cuda/device/unit_distance.cuh"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/reduce.h"
#include "kernels/dispatch.h"
#include "kernels/rounding.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

// How an array is shared out; by the shape alone, so that sums have the same order on every device.
struct DistancePlan {
  int64_t images, channels, pixels;
  bool planes;         // neighbouring pixels are neighbours in memory
  int64_t pack = 1;    // elements; of held pixels
  int64_t lanes = 0;   // of held pixels; 0: a warp has a pixel for each lane
  int64_t blocks = 0;  // an image

  explicit DistancePlan(const View& a)
      : images(a.shape[0]),
        channels(a.shape[1]),
        pixels(a.shape[2] * a.shape[3]),
        planes(a.is_contiguous() && pixels > 1) {
    if (a.numel() == 0) return;
    const int64_t whole = 16 / size_of(a.dtype);
    if (!planes) {
      if (channels % whole == 0) pack = whole;
      const int held = held_packs(static_cast<int>(pack));
      const auto needed = static_cast<uint64_t>(ceil_div(channels / pack, held));
      if (needed <= warp_lanes) lanes = static_cast<int64_t>(std::bit_ceil(needed));
    }
    const int64_t of_block = lanes > 0 ? distance_threads / lanes : warp_lanes;
    blocks = ceil_div(pixels, of_block);
  }

  template <class T>
  UnitPair<T> pair(const View& a, const View& b, const View& weight, double epsilon) const {
    return {
        a.as<const T>(),     b.as<const T>(),       weight.as<const float>(),   channels, pixels,
        planes ? pixels : 1, planes ? 1 : channels, static_cast<float>(epsilon)};
  }
  PixelLanes pixel_lanes(const View& weight, std::initializer_list<const View*> arrays) const {
    const auto is_aligned = [&](const View& view) {
      return reinterpret_cast<uintptr_t>(view.data) % (pack * size_of(view.dtype)) == 0;
    };
    bool aligned = is_aligned(weight);
    for (const View* array : arrays) aligned = aligned && is_aligned(*array);
    return {static_cast<int>(lanes), static_cast<int>(channels / pack), blocks, aligned};
  }
  LaunchConfig config(size_t shared_bytes) const {
    return {dim3(static_cast<unsigned>(images * blocks)), dim3(distance_threads), shared_bytes};
  }
};

// call(pack size)
template <class T, class Call>
void with_pack(const DistancePlan& plan, const Call& call) {
  if (plan.pack == 1) {
    call(std::integral_constant<int, 1>{});
  } else {
    call(std::integral_constant<int, 16 / sizeof(T)>{});
  }
}

}  // namespace

void unit_distance_forward(Context& context, const View& a, const View& b, const View& weight,
                           double epsilon, double scale, const View& y) {
  constexpr const char* name = "unit_distance_forward";
  const DistancePlan plan(a);
  const Shape sums{plan.images, plan.blocks};
  const View partial{plan.blocks == 0 ? nullptr : context.workspace(sums.numel() * sizeof(float)),
                     DType::f32, y.device, sums, strides_of(sums, Format::contiguous)};
  dispatch<DeviceFloatTypes>(name, a, [&]<class T>(std::type_identity<T>) {
    const UnitPair<T> pair = plan.pair<T>(a, b, weight, epsilon);
    constexpr size_t of_warps = shared_size<float>(distance_warps);
    if (plan.lanes == 0) {
      launch(context, name, unit_distance_planes<T>,
             plan.config(2 * shared_size<float>(distance_threads) + of_warps), pair, plan.blocks,
             partial.as<float>());
      return;
    }
    with_pack<T>(plan, [&](auto size) {
      launch(context, name, unit_distance_pixels<size(), T>, plan.config(of_warps), pair,
             plan.pixel_lanes(weight, {&a, &b}), partial.as<float>());
    });
  });
  // One chunk: a second fold would take the workspace that the sums are in.
  View result = y;
  result.shape = {plan.images, 1};
  result.strides = {1, 1};
  reduce<float, float>(context, name, SumOf<float>{static_cast<float>(scale)}, Chunks::one, result,
                       partial);
}

void unit_distance_backward(Context& context, const View& dy, const View& a, const View& b,
                            const View& weight, double epsilon, double scale, const View& da) {
  constexpr const char* name = "unit_distance_backward";
  const DistancePlan plan(a);
  const auto twice = static_cast<float>(2 * scale);
  dispatch<DeviceFloatTypes>(name, a, [&]<class T>(std::type_identity<T>) {
    const UnitPair<T> pair = plan.pair<T>(a, b, weight, epsilon);
    if (plan.lanes == 0) {
      launch(context, name, unit_distance_backward_planes<T>,
             plan.config(3 * shared_size<float>(distance_threads)), pair, plan.blocks, twice,
             dy.as<const float>(), da.as<T>());
      return;
    }
    with_pack<T>(plan, [&](auto size) {
      launch(context, name, unit_distance_backward_pixels<size(), T>, plan.config(0), pair,
             plan.pixel_lanes(weight, {&a, &b, &da}), twice, dy.as<const float>(), da.as<T>());
    });
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
