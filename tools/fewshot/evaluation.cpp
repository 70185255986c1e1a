#include "tools/fewshot/evaluation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "eval/generative_metrics.h"
#include "kernels/error.h"
#include "nn/resize.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"
#include "tools/fewshot/random.h"
#include "tools/fewshot/step.h"

namespace gestalt::tools {
namespace {

// The published evaluation takes pictures of all sizes to this one and back, to the nearest pixel:
// up to it that changes nothing.
constexpr int64_t published_size = 512;

constexpr double no_deviation = std::numeric_limits<double>::quiet_NaN();

Figure over_draws(const std::vector<double>& draws, size_t chosen) {
  const auto count = static_cast<double>(draws.size());
  double sum = 0, squares = 0;
  for (const double value : draws) sum += value;
  const double mean = sum / count;
  for (const double value : draws) squares += (value - mean) * (value - mean);
  const double deviation = draws.size() > 1 ? std::sqrt(squares / count) : no_deviation;
  return {mean, deviation, draws[chosen]};
}

}  // namespace

Sampler::Sampler(const GanModel& model) : latent_size_(model.options().latent_size) {
  Generator random(0);
  network_ = std::make_shared<models::FastGanGenerator>(model.options(), random);
  network_->set_requires_grad(false);
}

void Sampler::follow(const GanModel& model) {
  network_->load_state_dict(model.averaged());
}

Tensor Sampler::unclamped(const Tensor& z, Mode mode) {
  const NoGradGuard no_grad;
  network_->train(mode == Mode::training);
  return (network_->generate(z).big + 1.0) * 0.5;
}

Tensor Sampler::images(const Tensor& z, Mode mode) {
  return clamp(unclamped(z, mode), 0, 1);
}

Tensor Sampler::published_images(const Tensor& z) {
  Tensor images = unclamped(z, Mode::training);
  const Shape size = images.shape();
  if (size[2] > published_size) {
    images = nn::resize_nearest(images, {published_size, published_size});
    images = nn::resize_nearest(images, {size[2], size[3]});
  }
  return clamp(images, -1, 1);
}

Evaluator::Evaluator(eval::InceptionFeatures& features, const Tensor& real,
                     const FewshotEvaluationOptions& options)
    : features_(features), real_(real), options_(options) {}

const Tensor& Evaluator::real_features(eval::PixelRange range) {
  Tensor& known = range == eval::PixelRange::full ? real_full_ : real_paper_;
  if (known.defined()) return known;
  std::vector<Tensor> parts;
  for (int64_t begin = 0; begin < real_.size(0); begin += options_.batch_size) {
    const int64_t count = std::min(options_.batch_size, real_.size(0) - begin);
    parts.push_back(features_(narrow(real_, 0, begin, count), range));
  }
  known = cat(parts, 0);
  return known;
}

std::optional<FewshotFigures> Evaluator::figures(Sampler& sampler, eval::PixelRange range,
                                                 int64_t step,
                                                 const std::function<bool()>& stopped) {
  const bool paper = range == eval::PixelRange::paper;
  const Tensor& real = real_features(range);
  std::vector<double> fid, kid;
  for (int64_t draw = 0; draw < options_.draws; ++draw) {
    const int64_t place = ((step * 2 + paper) << 8) + draw;
    Generator random = random_stream(options_.seed, Stream::evaluation, place);
    seed_noise(sampler.network(), options_.seed, -1 - place);
    std::vector<Tensor> parts;
    for (int64_t begin = 0; begin < options_.samples; begin += options_.batch_size) {
      if (stopped()) return std::nullopt;
      const int64_t count = std::min(options_.batch_size, options_.samples - begin);
      // A whole batch where its statistics count, whatever is left to draw.
      const int64_t drawn = paper ? options_.batch_size : count;
      const Tensor z = random.normal({drawn, sampler.latent_size()});
      const Tensor images =
          paper ? sampler.published_images(z) : sampler.images(z, Sampler::Mode::evaluation);
      parts.push_back(features_(narrow(images, 0, 0, count), range));
    }
    const Tensor fake = cat(parts, 0);
    const eval::GenerativeMetrics metrics = eval::generative_metrics(fake, real);
    fid.push_back(metrics.fid);
    kid.push_back(metrics.kid.mean);
    kid_subset_ = metrics.kid.subset_size;
  }
  const auto chosen = static_cast<size_t>(std::min_element(fid.begin(), fid.end()) - fid.begin());
  return FewshotFigures{over_draws(fid, chosen), over_draws(kid, chosen)};
}

std::optional<FewshotEvaluation> Evaluator::evaluate(Sampler& sampler, int64_t step,
                                                     const std::function<bool()>& stopped) {
  FewshotEvaluation result;
  if (options_.standard) {
    result.standard = figures(sampler, eval::PixelRange::full, step, stopped);
    if (!result.standard) return std::nullopt;
  }
  const auto paper = figures(sampler, eval::PixelRange::paper, step, stopped);
  if (!paper) return std::nullopt;
  result.paper = *paper;
  result.kid_subset = kid_subset_;
  return result;
}

}  // namespace gestalt::tools
