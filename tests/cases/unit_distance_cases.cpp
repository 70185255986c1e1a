#include <cmath>

#include "nn/unit_distance.h"
#include "tests/cases/op_case.h"

namespace gestalt::cases {
namespace {

constexpr double small_epsilon = 1e-10;

double length(const Array& x, int64_t n, int64_t h, int64_t w, double epsilon) {
  double squares = 0;
  for (int64_t c = 0; c < x.shape[1]; ++c) squares += x(n, c, h, w) * x(n, c, h, w);
  return std::sqrt(squares + epsilon * epsilon) + epsilon;
}

Array distance_reference(const Array& a, const Array& b, const Array& weight, double epsilon) {
  Array y(Shape{a.shape[0]});
  const double pixels = static_cast<double>(a.shape[2] * a.shape[3]);
  for (int64_t n = 0; n < a.shape[0]; ++n) {
    for (int64_t h = 0; h < a.shape[2]; ++h) {
      for (int64_t w = 0; w < a.shape[3]; ++w) {
        const double of_a = length(a, n, h, w, epsilon), of_b = length(b, n, h, w, epsilon);
        for (int64_t c = 0; c < a.shape[1]; ++c) {
          const double difference = a(n, c, h, w) / of_a - b(n, c, h, w) / of_b;
          y.values[n] += weight.values[c] * difference * difference / pixels;
        }
      }
    }
  }
  return y;
}

OpCase make(const std::string& name, Input a, Input b, double epsilon = small_epsilon) {
  const int64_t channels = a.shape[1];
  return {.name = "unit_distance/" + name,
          .inputs = {std::move(a),
                     std::move(b),
                     {.shape = {channels}, .low = 0.5, .high = 2, .gradient = false}},
          .run = [epsilon](const std::vector<Tensor>& in) -> std::vector<Tensor> {
            const Tensor weight = in[2].dtype() == DType::f64 ? in[2] : in[2].to(DType::f32);
            return {nn::unit_distance(in[0], in[1], weight, epsilon)};
          },
          .reference = [epsilon](const std::vector<Array>& in) -> std::vector<Array> {
            return {distance_reference(in[0], in[1], in[2], epsilon)};
          },
          // Gradients alone are rounded to the elements' type.
          .tolerance_bf16 = 4e-3,
          .tolerance_f16 = 5e-4};
}

OpCase make(const std::string& name, const Shape& shape, Layout layout = Layout::contiguous) {
  return make(name, {.shape = shape, .layout = layout}, {.shape = shape, .layout = layout});
}

OpCase forward_only(OpCase op_case) {
  op_case.differentiable = false;
  return op_case;
}

// Of one image, with all channels zero at its first pixel.
std::vector<double> with_zero_pixel(const Shape& shape, double phase) {
  const int64_t pixels = shape[2] * shape[3];
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = i % pixels == 0 ? 0 : std::sin(phase + 1.3 * static_cast<double>(i));
  }
  return values;
}

// The gradient at a zero pixel is not what differences find, whose step is far above epsilon: there
// it is tested by UnitDistanceTest.
OpCase zero_pixels(Layout layout) {
  const Shape shape{1, 6, 3, 3};
  return forward_only(
      make(layout == Layout::contiguous ? "zero_pixels" : "zero_pixels_channels_last",
           {.shape = shape, .values = with_zero_pixel(shape, 0.3), .layout = layout},
           {.shape = shape, .values = with_zero_pixel(shape, 0.4), .layout = layout}));
}

// One that counts, at the zero pixels too.
OpCase large_epsilon(Layout layout) {
  const Shape shape{1, 6, 3, 3};
  return make(layout == Layout::contiguous ? "large_epsilon" : "large_epsilon_channels_last",
              {.shape = shape, .values = with_zero_pixel(shape, 0.3), .layout = layout},
              {.shape = shape, .values = with_zero_pixel(shape, 0.4), .layout = layout}, 0.3);
}

OpCase other_is_zero(Layout layout) {
  const Shape shape{1, 6, 3, 3};
  return make(
      layout == Layout::contiguous ? "other_is_zero" : "other_is_zero_channels_last",
      {.shape = shape, .layout = layout},
      {.shape = shape, .values = with_zero_pixel(shape, 0.4), .layout = layout, .gradient = false});
}

// Of which the first are the same twice.
OpCase equal_images(Layout layout) {
  const Shape shape{2, 5, 2, 3};
  std::vector<double> a, b;
  for (int i = 0; i < shape.numel(); ++i) {
    a.push_back(std::sin(0.2 + 1.7 * i));
    b.push_back(i < shape.numel() / 2 ? a.back() : std::cos(0.9 * i));
  }
  return make(layout == Layout::contiguous ? "equal_images" : "equal_images_channels_last",
              {.shape = shape, .values = a, .layout = layout},
              {.shape = shape, .values = b, .layout = layout});
}

constexpr Layout flat = Layout::contiguous, last = Layout::channels_last;

const bool added = add_cases({
    make("images", {2, 6, 5, 7}),
    make("rows_of_vectors", {2, 16, 4, 8}),
    make("odd_channels", {1, 13, 4, 4}),
    make("one_pixel", {3, 8, 1, 1}),
    forward_only(make("one_channel", {2, 1, 3, 5})),  // no gradient but rounding
    make("several_blocks", {1, 3, 17, 19}),
    make("none", {0, 4, 3, 3}),
    make("strided", {2, 4, 3, 5}, Layout::strided),
    make("channels_last", {2, 6, 5, 7}, last),
    make("channels_last_vectors", {2, 16, 3, 4}, last),
    make("channels_last_tail", {1, 21, 3, 4}, last),
    make("formats", {.shape = {2, 8, 3, 4}, .layout = last}, {.shape = {2, 8, 3, 4}}),
    make("target_fixed", {.shape = {2, 8, 3, 4}}, {.shape = {2, 8, 3, 4}, .gradient = false}),
    zero_pixels(flat),
    zero_pixels(last),
    large_epsilon(flat),
    large_epsilon(last),
    other_is_zero(flat),
    other_is_zero(last),
    equal_images(flat),
    equal_images(last),
});

}  // namespace
}  // namespace gestalt::cases
