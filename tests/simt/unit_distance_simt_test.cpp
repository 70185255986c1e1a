// The distance of unit lengths on CUDA against the CPU's kernels: pixels held by 1 to 32 lanes, in
// packs and one by one, too many channels to hold, planes, several blocks, unaligned arrays.

#include "tests/simt/group_elements.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

constexpr Format flat = Format::contiguous, last = Format::channels_last;

struct Problem {
  Shape shape;
  Format format;
  int schedules = 4;
};

// Elements around 1; none at the first pixel.
template <class T>
struct Activations : Elements<T> {
  Activations(const Problem& of, unsigned seed, int before)
      : Elements<T>(of.shape, of.format, 1, seed, before) {
    const View& view = this->view;
    for (int64_t c = 0; c < of.shape[1]; ++c) {
      view.template as<T>()[c * view.strides[1]] = T(0.0f);
    }
  }
};

// `before`: as in Elements, of all arrays.
template <class T>
Results distance(Context& context, const Problem& of, int before) {
  const Activations<T> a(of, 1, before), b(of, 2, before);
  const Shape images{of.shape[0]};
  const Elements<float> weight({of.shape[1]}, flat, 1, 3, before), dy(images, flat, 1, 4);
  Elements<float> y(images, flat, before);
  Elements<T> da(of.shape, of.format, before);
  const KernelTable& kernels = context.kernels();
  // An epsilon that leaves the gradient of a pixel without length within f16, and in sight.
  const double epsilon = 1e-2, scale = 0.25;
  kernels.unit_distance_forward(context, a.view, b.view, weight.view, epsilon, scale, y.view);
  kernels.unit_distance_backward(context, dy.view, a.view, b.view, weight.view, epsilon, scale,
                                 da.view);
  EXPECT_TRUE(y.data.intact());
  EXPECT_TRUE(da.data.intact());
  return {{"y", 2e-6, y.floats()}, {"da", rounding<T>, da.floats()}};
}

template <class T>
class UnitDistance : public testing::Test {};
using ElementTypes = testing::Types<float, bfloat16, float16>;
TYPED_TEST_SUITE(UnitDistance, ElementTypes);

template <class T>
void check(const Problem& of) {
  SCOPED_TRACE(to_string(of.shape));
  const auto operation = [&](int before) {
    return [&, before](Context& context) { return distance<T>(context, of, before); };
  };
  const Results aligned = check_operation(operation(0), of.schedules);
  expect_same(check_operation(operation(1), 1), aligned, "where arrays are not aligned");
}

TYPED_TEST(UnitDistance, OfHeldPixels) {
  for (const Problem& of : {
           Problem{{2, 64, 9, 31}, last},     // packs, several blocks an image
           Problem{{3, 8, 7, 5}, last},       // one lane
           Problem{{1, 24, 5, 5}, last},      // a part of the packs
           Problem{{1, 192, 3, 3}, last},     // lanes without a pack
           Problem{{2, 512, 2, 2}, last, 2},  // a whole warp
           Problem{{2, 21, 17, 19}, last},    // one by one
           Problem{{1, 127, 3, 3}, last},     // almost a warp of these
           Problem{{5, 64, 1, 1}, flat},
       }) {
    check<TypeParam>(of);
  }
}

TYPED_TEST(UnitDistance, OfTooManyChannelsToHold) {
  check<TypeParam>({{1, 131, 3, 3}, last, 2});
  check<TypeParam>({{2, 520, 2, 2}, last, 2});
  check<TypeParam>({{1, 1032, 1, 2}, last, 1});
}

TYPED_TEST(UnitDistance, OfPlanes) {
  for (const Problem& of : {
           Problem{{2, 64, 9, 31}, flat},  // several blocks an image
           Problem{{3, 5, 4, 8}, flat},    // one whole block, warps without a channel
           Problem{{1, 19, 1, 2}, flat},   // lanes without a pixel
           Problem{{1, 1, 6, 6}, flat},
       }) {
    check<TypeParam>(of);
  }
}

}  // namespace
}  // namespace GESTALT_CUDA_NAMESPACE
