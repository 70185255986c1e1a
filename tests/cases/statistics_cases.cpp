#include <cmath>

#include "nn/adain.h"
#include "nn/gram.h"
#include "nn/loss.h"
#include "nn/softmax.h"
#include "tests/cases/op_case.h"
#include "tests/ref/statistics.h"

namespace gestalt::cases {
namespace {

using nn::Reduction;
using Tensors = std::vector<Tensor>;
using Arrays = std::vector<Array>;

constexpr Layout last = Layout::channels_last;

OpCase gram_case(const std::string& name, Input input) {
  return {.name = "gram_matrix/" + name,
          .inputs = {std::move(input)},
          .run = [](const Tensors& in) -> Tensors { return {nn::gram_matrix(in[0])}; },
          .reference = [](const Arrays& in) -> Arrays {
            const int64_t rows = in[0].shape[0] * in[0].shape[1];
            const double scale = 1.0 / static_cast<double>(in[0].shape.numel());
            return {{Shape{rows, rows}, gram_reference(in[0], 1, rows, scale).values}};
          }};
}

OpCase gram_batch_case(const std::string& name, Input input) {
  return {.name = "gram_matrices/" + name,
          .inputs = {std::move(input)},
          .run = [](const Tensors& in) -> Tensors { return {nn::gram_matrices(in[0])}; },
          .reference = [](const Arrays& in) -> Arrays {
            const Shape& shape = in[0].shape;
            const double scale = 1.0 / static_cast<double>(shape[1] * shape[2] * shape[3]);
            return {gram_reference(in[0], shape[0], shape[1], scale)};
          }};
}

constexpr double epsilon = 1e-5;

OpCase stats_case(const std::string& name, Input input) {
  return {.name = "channel_stats/" + name,
          .inputs = {std::move(input)},
          .run = [](const Tensors& in) -> Tensors {
            const nn::ChannelStats stats = nn::channel_stats(in[0], epsilon);
            return {stats.mean, stats.deviation};
          },
          .reference = [](const Arrays& in) -> Arrays {
            const ChannelStatsReference stats = channel_stats_reference(in[0], epsilon);
            return {stats.mean, stats.deviation};
          }};
}

// One of the two outputs alone: the other gets no gradient.
OpCase deviation_case(const std::string& name, Input input) {
  OpCase result = stats_case(name, std::move(input));
  result.run = [](const Tensors& in) -> Tensors {
    return {nn::channel_stats(in[0], epsilon).deviation};
  };
  result.reference = [](const Arrays& in) -> Arrays {
    return {channel_stats_reference(in[0], epsilon).deviation};
  };
  return result;
}

OpCase adain_case(const std::string& name, Input content, Input style) {
  return {.name = "adain/" + name,
          .inputs = {std::move(content), std::move(style)},
          .run = [](const Tensors& in) -> Tensors { return {nn::adain(in[0], in[1], epsilon)}; },
          .reference = [](const Arrays& in) -> Arrays {
            const ChannelStatsReference style = channel_stats_reference(in[1], epsilon);
            return {adain_reference(in[0], style.mean, style.deviation, epsilon)};
          },
          // Gradients cancel against their projections.
          .tolerance_f32 = 4e-6,
          .tolerance_bf16 = 4e-2,
          .tolerance_f16 = 5e-3};
}

OpCase mse_case(const std::string& name, Input a, Input b, Reduction reduction) {
  return {.name = "mse_loss/" + name,
          .inputs = {std::move(a), std::move(b)},
          .run = [reduction](const Tensors& in) -> Tensors {
            return {nn::mse_loss(in[0], in[1], reduction)};
          },
          .reference = [reduction](const Arrays& in) -> Arrays {
            double sum = 0;
            for (size_t i = 0; i < in[0].values.size(); ++i) {
              sum += (in[0].values[i] - in[1].values[i]) * (in[0].values[i] - in[1].values[i]);
            }
            if (reduction == Reduction::mean) sum /= static_cast<double>(in[0].values.size());
            return {{Shape{}, {sum}}};
          },
          .tolerance_bf16 = 3e-2,
          .tolerance_f16 = 4e-3};
}

OpCase l1_case(const std::string& name, Input a, Input b, Reduction reduction) {
  OpCase result = mse_case(name, std::move(a), std::move(b), reduction);
  result.name = "l1_loss/" + name;
  result.run = [reduction](const Tensors& in) -> Tensors {
    return {nn::l1_loss(in[0], in[1], reduction)};
  };
  result.reference = [reduction](const Arrays& in) -> Arrays {
    double sum = 0;
    for (size_t i = 0; i < in[0].values.size(); ++i) {
      sum += std::abs(in[0].values[i] - in[1].values[i]);
    }
    if (reduction == Reduction::mean) sum /= static_cast<double>(in[0].values.size());
    return {{Shape{}, {sum}}};
  };
  return result;
}

OpCase binary_case(const std::string& name, Input logits, Input target, Reduction reduction) {
  target.low = 0;
  return {.name = "binary_cross_entropy/" + name,
          .inputs = {std::move(logits), std::move(target)},
          .run = [reduction](const Tensors& in) -> Tensors {
            return {nn::binary_cross_entropy_with_logits(in[0], in[1], reduction)};
          },
          .reference = [reduction](const Arrays& in) -> Arrays {
            double sum = 0;
            for (size_t i = 0; i < in[0].values.size(); ++i) {
              const double x = in[0].values[i], t = in[1].values[i];
              sum += t * std::log1p(std::exp(-x)) + (1 - t) * (x + std::log1p(std::exp(-x)));
            }
            if (reduction == Reduction::mean) sum /= static_cast<double>(in[0].values.size());
            return {{Shape{}, {sum}}};
          },
          .tolerance_f32 = 2e-6};
}

Array map(const Array& x, double (*f)(double)) {
  Array y = x;
  for (double& value : y.values) value = f(value);
  return y;
}

OpCase softmax_case(const std::string& name, Input input) {
  return {.name = "softmax/" + name,
          .inputs = {std::move(input)},
          .run = [](const Tensors& in) -> Tensors { return {nn::softmax(in[0])}; },
          .reference = [](const Arrays& in) -> Arrays {
            return {map(log_softmax_reference(in[0]), std::exp)};
          },
          .tolerance_bf16 = 4e-2,
          .tolerance_f16 = 5e-3};
}

OpCase log_softmax_case(const std::string& name, Input input) {
  return {.name = "log_softmax/" + name,
          .inputs = {std::move(input)},
          .run = [](const Tensors& in) -> Tensors { return {nn::log_softmax(in[0])}; },
          .reference = [](const Arrays& in) -> Arrays { return {log_softmax_reference(in[0])}; },
          .tolerance_bf16 = 2e-2};
}

OpCase forward_only(OpCase op_case) {
  op_case.differentiable = false;
  return op_case;
}

// The channels of an image: not the last dimension.
OpCase channel_softmax_case() {
  return {.name = "softmax/channels",
          .inputs = {{.shape = {2, 3, 2, 2}}},
          .run = [](const Tensors& in) -> Tensors { return {nn::softmax(in[0], 1)}; },
          .reference = [](const Arrays& in) -> Arrays {
            const Array& x = in[0];
            Array y(x.shape);
            for (int64_t i = 0; i < 8; ++i) {
              const int64_t n = i / 4, h = i / 2 % 2, w = i % 2;
              double sum = 0;
              for (int64_t c = 0; c < 3; ++c) sum += std::exp(x(n, c, h, w));
              for (int64_t c = 0; c < 3; ++c) y(n, c, h, w) = std::exp(x(n, c, h, w)) / sum;
            }
            return {y};
          },
          .tolerance_bf16 = 4e-2,
          .tolerance_f16 = 5e-3};
}

OpCase cross_entropy_case(const std::string& name, Input logits, std::vector<double> target,
                          const nn::CrossEntropyDesc& desc) {
  const int64_t rows = logits.shape[0];
  const double scale = desc.reduction == Reduction::mean ? 1.0 / static_cast<double>(rows) : 1.0;
  return {
      .name = "cross_entropy/" + name,
      .inputs = {std::move(logits),
                 {.shape = {rows}, .values = std::move(target), .integer = true}},
      .run = [desc](const Tensors& in) -> Tensors {
        return {nn::cross_entropy(in[0], in[1], desc)};
      },
      .reference = [desc, scale](const Arrays& in) -> Arrays {
        return {{Shape{}, {cross_entropy_reference(in[0], in[1], scale, desc.label_smoothing)}}};
      },
      .tolerance_bf16 = 2e-2,
      .tolerance_f16 = 4e-3};
}

const bool added = add_cases({
    gram_case("one_image", {.shape = {1, 7, 5, 9}}),
    gram_case("two_images", {.shape = {2, 3, 4, 4}}),
    gram_case("channels_last", {.shape = {1, 5, 4, 6}, .layout = last}),
    gram_case("one_pixel", {.shape = {1, 5, 1, 1}}),
    gram_case("one_channel", {.shape = {1, 1, 5, 7}}),
    gram_case("several_tiles", {.shape = {1, 70, 2, 3}}),
    gram_batch_case("batch", {.shape = {3, 5, 4, 4}}),
    gram_batch_case("strided", {.shape = {2, 4, 3, 5}, .layout = Layout::strided}),
    stats_case("two_images", {.shape = {2, 3, 5, 7}}),
    stats_case("channels_last", {.shape = {2, 3, 5, 7}, .layout = last}),
    stats_case("two_pixels",
               {.shape = {2, 3, 1, 2}, .values = {.5, 2, -1, 1, 0, 3, 1, 2, 4, 5.5, -2, -3}}),
    stats_case("strided", {.shape = {2, 3, 5, 7}, .layout = Layout::strided}),
    stats_case("empty", {.shape = {0, 3, 5, 7}}),
    deviation_case("deviation_only", {.shape = {1, 2, 4, 4}}),
    adain_case("two_images", {.shape = {2, 3, 5, 7}}, {.shape = {2, 3, 4, 4}, .low = 0, .high = 3}),
    adain_case("channels_last", {.shape = {2, 3, 5, 7}, .layout = last},
               {.shape = {2, 3, 4, 4}, .layout = last}),
    adain_case("style_fixed", {.shape = {1, 2, 3, 5}}, {.shape = {1, 2, 6, 2}, .gradient = false}),
    adain_case("content_fixed", {.shape = {1, 2, 3, 5}, .gradient = false},
               {.shape = {1, 2, 6, 2}}),
    mse_case("mean", {.shape = {2, 3, 5, 7}}, {.shape = {2, 3, 5, 7}}, Reduction::mean),
    mse_case("sum", {.shape = {4, 9}}, {.shape = {4, 9}}, Reduction::sum),
    mse_case("layouts", {.shape = {2, 3, 4, 4}, .layout = last},
             {.shape = {2, 3, 4, 4}, .layout = Layout::strided}, Reduction::mean),
    mse_case("target_fixed", {.shape = {33}}, {.shape = {33}, .gradient = false}, Reduction::mean),
    mse_case("empty", {.shape = {0, 3}}, {.shape = {0, 3}}, Reduction::sum),
    l1_case("mean", {.shape = {2, 3, 5, 7}}, {.shape = {2, 3, 5, 7}}, Reduction::mean),
    l1_case("sum", {.shape = {4, 9}}, {.shape = {4, 9}}, Reduction::sum),
    l1_case("layouts", {.shape = {2, 3, 4, 4}, .layout = last},
            {.shape = {2, 3, 4, 4}, .layout = Layout::strided}, Reduction::mean),
    l1_case("target_fixed", {.shape = {33}}, {.shape = {33}, .gradient = false}, Reduction::mean),
    l1_case("one", {.shape = {}}, {.shape = {}}, Reduction::mean),
    l1_case("empty", {.shape = {0, 3}}, {.shape = {0, 3}}, Reduction::sum),
    binary_case("mean", {.shape = {3, 35}, .low = -6, .high = 6}, {.shape = {3, 35}},
                Reduction::mean),
    binary_case("sum", {.shape = {9}, .low = -3, .high = 3}, {.shape = {9}}, Reduction::sum),
    binary_case("layouts", {.shape = {2, 3, 4, 4}, .layout = last},
                {.shape = {2, 3, 4, 4}, .layout = Layout::strided}, Reduction::mean),
    binary_case("target_fixed", {.shape = {33}}, {.shape = {33}, .gradient = false},
                Reduction::mean),
    binary_case("far", {.shape = {4}, .values = {30, -30, 300, -300}},
                {.shape = {4}, .values = {0.25, 0.25, 1, 0}}, Reduction::mean),
    binary_case("empty", {.shape = {0, 3}}, {.shape = {0, 3}}, Reduction::sum),
    softmax_case("rows", {.shape = {5, 17}, .low = -4, .high = 4}),
    forward_only(softmax_case("large", {.shape = {3, 6}, .low = -400, .high = 80})),
    softmax_case("strided", {.shape = {3, 6}, .layout = Layout::strided}),
    softmax_case("empty", {.shape = {0, 6}}),
    channel_softmax_case(),
    log_softmax_case("rows", {.shape = {5, 17}, .low = -4, .high = 4}),
    log_softmax_case("one_class", {.shape = {3, 1}}),
    forward_only(log_softmax_case("thousand", {.shape = {2, 1000}})),
    cross_entropy_case("mean", {.shape = {4, 10}, .low = -3, .high = 3}, {9, 0, 3, 3}, {}),
    cross_entropy_case("sum", {.shape = {3, 5}}, {4, 2, 0}, {.reduction = Reduction::sum}),
    cross_entropy_case("smoothed", {.shape = {3, 5}, .low = -3, .high = 3}, {4, 2, 0},
                       {.label_smoothing = 0.1}),
});

}  // namespace
}  // namespace gestalt::cases
