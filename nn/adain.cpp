#include "nn/adain.h"

#include "kernels/error.h"
#include "kernels/table.h"
#include "tensor/accumulation.h"
#include "tensor/autograd.h"
#include "tensor/optional_view.h"

namespace gestalt::nn {
namespace {

void check(const char* op, const Tensor& x) {
  GESTALT_CHECK(x.rank() == 4 && is_floating(x.dtype()) && x.size(2) * x.size(3) >= 2,
                "[{}] expected a floating input [N,C,H,W] with H*W at least 2, got {}", op, x);
}

class ChannelStatsNode : public Node {
 public:
  ChannelStatsNode(const Tensor& x, const Tensor& mean, const Tensor& deviation) {
    save("x", x);
    save("mean", mean);
    save("deviation", deviation);
  }
  const char* name() const override { return "channel_stats"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    const Tensor& x = saved("x");
    const Tensor dmean = grad_outputs[0].defined() ? grad_outputs[0].contiguous() : Tensor();
    const Tensor ddeviation = grad_outputs[1].defined() ? grad_outputs[1].contiguous() : Tensor();
    Tensor dx = Tensor::empty(x.shape(), x.options());
    Context& ctx = context(x.device());
    ctx.kernels().channel_stats_backward(ctx, OptionalView(dmean), OptionalView(ddeviation),
                                         x.view(), saved("mean").view(), saved("deviation").view(),
                                         dx.view());
    return {dx};
  }
};

class AdainNode : public Node {
 public:
  AdainNode(const Tensor& x, const ChannelStats& content, const Tensor& style_deviation) {
    save("x", x);
    save("mean", content.mean);
    save("deviation", content.deviation);
    save("style_deviation", style_deviation);
  }
  const char* name() const override { return "adain"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs,
                               const NeedsGrad& needs) override {
    const Tensor& x = saved("x");
    const Tensor dy = grad_outputs[0].contiguous(x.format());
    Tensor dx, dstyle_mean, dstyle_deviation;
    if (needs[0]) dx = Tensor::empty(x.shape(), x.options());
    const Shape stat = saved("mean").shape();
    if (needs[1]) dstyle_mean = Tensor::empty(stat, stat_options(x));
    if (needs[2]) dstyle_deviation = Tensor::empty(stat, stat_options(x));
    Context& ctx = context(x.device());
    ctx.kernels().adain_backward(ctx, dy.view(), x.view(), saved("mean").view(),
                                 saved("deviation").view(), saved("style_deviation").view(),
                                 OptionalView(dx), OptionalView(dstyle_mean),
                                 OptionalView(dstyle_deviation));
    return {dx, dstyle_mean, dstyle_deviation};
  }
};

ChannelStats empty_stats(const Tensor& x) {
  const Shape shape{x.size(0), x.size(1)};
  return {Tensor::empty(shape, stat_options(x)), Tensor::empty(shape, stat_options(x))};
}

void attach_stats(const Tensor& x, const Tensor& dense, const ChannelStats& stats) {
  if (!needs_grad({x})) return;
  attach(std::make_shared<ChannelStatsNode>(dense, stats.mean, stats.deviation), {x},
         {stats.mean, stats.deviation});
}

void check_style(const Tensor& content, const char* what, const Tensor& stat) {
  const TensorOptions expected = stat_options(content);
  GESTALT_CHECK(stat.defined() && stat.shape() == Shape({content.size(0), content.size(1)}) &&
                    stat.dtype() == expected.dtype && stat.device() == expected.device,
                "[adain] the style's {} must be {}[{},{}] on {}, got {} (content {})", what,
                expected.dtype, content.size(0), content.size(1), expected.device, stat, content);
}

// style: the array whose statistics the kernel finds on its way, or undefined where they are given.
Tensor adain(const Tensor& content, const Tensor& style, const ChannelStats& style_stats,
             double epsilon) {
  const Tensor input = content.detach().dense();
  const Tensor style_mean = style_stats.mean.detach().dense();
  const Tensor style_deviation = style_stats.deviation.detach().dense();
  const ChannelStats stats = empty_stats(input);
  Tensor y = Tensor::empty(content.shape(), content.options());
  Context& ctx = context(content.device());
  ctx.kernels().adain_forward(ctx, input.view(), OptionalView(style), epsilon, stats.mean.view(),
                              stats.deviation.view(), style_mean.view(), style_deviation.view(),
                              y.view());
  if (needs_grad({content, style_stats.mean, style_stats.deviation})) {
    attach(std::make_shared<AdainNode>(input, stats, style_deviation),
           {content, style_stats.mean, style_stats.deviation}, {y});
  }
  return y;
}

}  // namespace

ChannelStats channel_stats(const Tensor& x, double epsilon) {
  check("channel_stats", x);
  const Tensor input = x.detach().dense();
  const ChannelStats stats = empty_stats(input);
  Context& ctx = context(input.device());
  ctx.kernels().channel_stats_forward(ctx, input.view(), epsilon, stats.mean.view(),
                                      stats.deviation.view());
  attach_stats(x, input, stats);
  return stats;
}

Tensor adain(const Tensor& content, const ChannelStats& style, double epsilon) {
  check("adain", content);
  check_style(content, "mean", style.mean);
  check_style(content, "deviation", style.deviation);
  return adain(content, Tensor(), style, epsilon);
}

Tensor adain(const Tensor& content, const Tensor& style, double epsilon) {
  check("adain", content);
  check("adain", style);
  const ChannelStats stats = empty_stats(style);
  check_style(content, "mean", stats.mean);
  const Tensor input = style.detach().dense();
  attach_stats(style, input, stats);  // whose values come with those of y
  return adain(content, input, stats, epsilon);
}

}  // namespace gestalt::nn
