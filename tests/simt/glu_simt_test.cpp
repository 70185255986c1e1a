// The gated linear unit on CUDA against the CPU's kernels: in packs and one by one, several blocks
// of both, unaligned arrays, the ends of the exponential's range.

#include "tests/simt/group_elements.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

constexpr Format flat = Format::contiguous, last = Format::channels_last;

struct Problem {
  Shape x;
  Format format;
};

template <class T>
Results glu(Context& context, const Problem& of, int before) {
  Shape half = of.x;
  half[1] /= 2;
  Elements<T> x(of.x, of.format, 0, 1, before);
  const float large[] = {-200, -90, -20, 20, 90, 200};
  for (int64_t i = 0; i < of.x.numel(); i += 37) x.view.template as<T>()[i] = T(large[i % 6]);
  const Elements<T> dy(half, of.format, 0, 2, before);
  Elements<T> y(half, of.format, before), dx(of.x, of.format, before);
  context.kernels().glu_forward(context, x.view, y.view);
  context.kernels().glu_backward(context, dy.view, x.view, dx.view);
  EXPECT_TRUE(y.data.intact());
  EXPECT_TRUE(dx.data.intact());
  return {{"y", rounding<T>, y.floats()}, {"dx", rounding<T>, dx.floats()}};
}

template <class T>
class Glu : public testing::Test {};
using ElementTypes = testing::Types<float, bfloat16, float16>;
TYPED_TEST_SUITE(Glu, ElementTypes);

TYPED_TEST(Glu, InPacksAndOneByOne) {
  for (const Problem& of : {
           Problem{{2, 32, 12, 16}, flat},  // packs
           Problem{{2, 32, 9, 7}, last},    // packs
           Problem{{3, 6, 7, 9}, flat},     // one by one
           Problem{{2, 14, 11, 5}, last},   // one by one
           Problem{{1, 8, 5, 3}, last},     // packs of f32 alone
           Problem{{5, 2, 1, 1}, flat}      // rows of one
       }) {
    SCOPED_TRACE(to_string(of.x));
    const auto operation = [&](int before) {
      return [&, before](Context& context) { return glu<TypeParam>(context, of, before); };
    };
    const Results aligned = check_operation(operation(0), 3);
    expect_same(check_operation(operation(1), 1), aligned, "where arrays are not aligned");
  }
}

}  // namespace
}  // namespace GESTALT_CUDA_NAMESPACE
