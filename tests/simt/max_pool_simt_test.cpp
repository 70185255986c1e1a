// Max pooling on CUDA against the CPU's kernels, bit for bit: the kernels that take packs of
// channels and the one of single elements, with ties, NaN and infinities, in windows that are cut
// off on every side.

#include <cstdint>
#include <cstring>
#include <limits>

#include "tests/simt/group_elements.h"
// Behind the language of device code.
#include "kernels/cuda/device/max_pool_packs.cuh"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

struct Problem {
  const char* name;
  Shape x;
  Pool2dDesc desc;
  Format format = Format::channels_last;
  int before = 0;  // elements in front of each array; one leaves it unaligned
};

Shape pooled(const Problem& problem) {
  Shape y = problem.x;
  for (int axis : {0, 1}) {
    const int64_t stride = problem.desc.stride[axis], padding = problem.desc.padding[axis];
    const int64_t size = problem.x[2 + axis];
    const int64_t room = size + 2 * padding - problem.desc.kernel[axis];
    int64_t outputs = (room + (problem.desc.ceil_mode ? stride - 1 : 0)) / stride + 1;
    if (problem.desc.ceil_mode && (outputs - 1) * stride >= size + padding) --outputs;
    y[2 + axis] = outputs;
  }
  return y;
}

// Small whole numbers, so that most windows have ties; every 29th is what compares oddly.
template <class T>
void make_odd(Elements<T>& x) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const float odd[] = {NAN, -infinity, infinity, -0.0f, -infinity};
  for (int64_t i = 0; i < x.view.numel(); ++i) {
    T& value = x.view.template as<T>()[i];
    const float rounded = std::round(static_cast<float>(value) * 1.5f);
    value = T(i % 29 == 3 ? odd[i / 29 % 5] : rounded);
  }
}

template <class T>
void expect_equal(const Elements<T>& got, const Elements<T>& expected, const char* what) {
  EXPECT_TRUE(got.data.intact()) << what;
  int shown = 0;
  for (int64_t i = 0; i < got.view.numel() && shown < 3; ++i) {
    const T a = got.view.template as<T>()[i], b = expected.view.template as<T>()[i];
    bool same = std::memcmp(&a, &b, sizeof(T)) == 0;
    if constexpr (!std::is_integral_v<T>) {  // NaN keeps no payload
      same = same || (std::isnan(static_cast<float>(a)) && std::isnan(static_cast<float>(b)));
    }
    EXPECT_TRUE(same) << what << " at " << i << ": got " << +static_cast<float>(a) << ", expected "
                      << +static_cast<float>(b);
    shown += !same;
  }
}

template <class T, class Index>
struct Outputs {
  Elements<T> y, y_alone, dx;  // y_alone: without indices
  Elements<Index> indices;

  Outputs(Context& context, const Problem& problem, const Shape& y_shape, const View& x,
          const View& dy)
      : y(y_shape, problem.format, problem.before),
        y_alone(y_shape, problem.format, problem.before),
        dx(problem.x, problem.format, problem.before),
        indices(y_shape, problem.format, problem.before) {
    const KernelTable& kernels = context.kernels();
    kernels.max_pool2d_forward(context, x, y.view, &indices.view, problem.desc);
    kernels.max_pool2d_forward(context, x, y_alone.view, nullptr, problem.desc);
    kernels.max_pool2d_backward(context, dy, indices.view, dx.view, problem.desc);
  }
};

template <class T, class Index>
void compare(const Problem& problem, uint64_t seed) {
  const Shape y_shape = pooled(problem);
  Elements<T> x(problem.x, problem.format, 0, 1, problem.before);
  make_odd(x);
  const Elements<T> dy(y_shape, problem.format, 0, 2, problem.before);
  const Both both;
  simt::set_seed(seed);
  const Outputs<T, Index> expected(*both.cpu, problem, y_shape, x.view, dy.view);
  const Outputs<T, Index> got(*both.cuda, problem, y_shape, x.view, dy.view);
  expect_equal(got.y, expected.y, "y");
  expect_equal(got.y_alone, expected.y, "y without indices");
  expect_equal(got.indices, expected.indices, "indices");
  expect_equal(got.dx, expected.dx, "dx");
}

template <class Index>
void compare_types(const Problem& problem) {
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    SCOPED_TRACE(testing::Message()
                 << problem.name << " of " << to_string(problem.x) << ", seed " << seed);
    compare<float, Index>(problem, seed);
    compare<bfloat16, Index>(problem, seed);
    compare<float16, Index>(problem, seed);
  }
}

TEST(MaxPoolPacks, HasTheBitsOfTheCpu) {
  const Pool2dDesc of_resnet{.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}};
  Pool2dDesc ceil = of_resnet;
  ceil.ceil_mode = true;
  for (const Problem& problem : {
           Problem{"2x2", {2, 64, 6, 8}, {}},
           {"2x2, odd sizes", {1, 8, 7, 5}, {}},
           {"2x2, ceil", {2, 8, 7, 5}, {.ceil_mode = true}},
           {"ResNet's", {2, 64, 9, 12}, of_resnet},
           {"ResNet's, ceil", {1, 16, 8, 10}, ceil},
           {"ResNet's, 12 channels", {2, 12, 7, 7}, of_resnet},  // packs of f32 alone
           {"stride 1", {1, 8, 5, 6}, {.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}}},
           {"gaps", {1, 8, 11, 10}, {.kernel = {2, 2}, .stride = {3, 3}}},
           {"gaps, ceil", {1, 8, 10, 9}, {.kernel = {2, 2}, .stride = {3, 3}, .ceil_mode = true}},
           {"2x3, strides 3 and 1",
            {3, 8, 9, 8},
            {.kernel = {2, 3}, .stride = {3, 1}, .padding = {1, 1}}},
           {"5x4", {1, 24, 9, 10}, {.kernel = {5, 4}, .stride = {2, 3}, .padding = {2, 1}}},
           {"global", {2, 16, 4, 5}, {.kernel = {4, 5}, .stride = {1, 1}}},
           {"one pixel", {3, 8, 1, 1}, {.kernel = {1, 1}, .stride = {1, 1}}},
           {"256 places", {1, 8, 17, 18}, {.kernel = {16, 16}, .stride = {1, 1}}},
       }) {
    compare_types<uint8_t>(problem);
  }
}

TEST(MaxPoolPacks, LeavesOtherArraysToSingleElements) {
  const Pool2dDesc of_resnet{.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}};
  compare_types<uint8_t>({"contiguous", {2, 8, 7, 9}, of_resnet, Format::contiguous});
  compare_types<uint8_t>({"unaligned", {1, 16, 7, 9}, of_resnet, Format::channels_last, 1});
  compare_types<uint8_t>({"9 channels", {2, 9, 7, 6}, of_resnet});
  compare_types<int64_t>({"wide indices", {2, 16, 7, 9}, of_resnet});
  compare_types<int64_t>(
      {"17x17", {1, 8, 19, 18}, {.kernel = {17, 17}, .stride = {1, 2}, .padding = {1, 0}}});
}

}  // namespace
}  // namespace GESTALT_CUDA_NAMESPACE
