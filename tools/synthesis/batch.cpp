#include "tools/synthesis/batch.h"

#include <algorithm>

#include "nn/weight_format.h"
#include "tensor/autograd.h"
#include "tensor/ops/shape.h"

namespace gestalt::tools {
namespace {

Tensor stacked_targets(const std::vector<Job*>& jobs, const SynthesisSettings& settings) {
  std::vector<Tensor> targets;
  for (const Job* job : jobs) targets.push_back(job->source().target);
  return cat(targets, 0).to(image_dtype(settings)).to(default_device());
}

models::SynthesisOptions loss_options(const SynthesisSettings& settings) {
  return {.objective = settings.objective,
          .taps = settings.layers,
          .tap_weights = settings.layer_weights,
          .fraction = settings.topk,
          .mode = settings.reverse_topk ? TopKMode::reverse : TopKMode::keep,
          .dtype = settings.dtype,
          .format = nn::convolution_format(context(default_device()), settings.dtype)};
}

}  // namespace

Batch::Batch(std::vector<Job*> jobs, std::shared_ptr<nn::Sequential> network,
             const SynthesisSettings& settings)
    : jobs_(std::move(jobs)),
      bounded_(stacked_targets(jobs_, settings)),
      loss_(std::move(network), loss_options(settings), stacked_targets(jobs_, settings)),
      captured_(is_captured(settings)) {
  const TensorOptions options{.dtype = image_dtype(settings), .device = default_device()};
  const auto images = static_cast<int64_t>(jobs_.size());
  points_ = Tensor::empty({images, 3, settings.image_size, settings.image_size}, options);
  points_.set_requires_grad(true);
  ones_ = Tensor::ones({images}, options);
}

void Batch::evaluate() {
  losses_ = gradient_ = {};
  const Tensor losses = loss_(bounded_.to_images(points_));
  gradient_ = gradients(std::span(&losses, 1), std::span(&ones_, 1), std::span(&points_, 1))[0];
  losses_ = losses.detach();
}

std::vector<Job*> Batch::advance(bool stopping, bool& idle) {
  std::vector<Job*> active;
  for (Job* job : jobs_) {
    if (job->is_finished() || (stopping && job->is_between_steps())) continue;
    if (job->is_between_steps()) job->begin_step();
    active.push_back(job);
  }
  idle = active.empty();
  if (idle) return {};

  // Jobs that are finished go along, so that shapes (and cached plans) stay as they are.
  for (size_t n = 0; n < jobs_.size(); ++n) {
    const NoGradGuard no_grad;
    narrow(points_, 0, static_cast<int64_t>(n), 1).copy_(jobs_[n]->point());
  }
  if (captured_ && !graph_) graph_.emplace(default_device(), [this] { evaluate(); });
  if (graph_) {
    graph_->replay();
  } else {
    evaluate();
  }
  const std::vector<double> values = losses_.to_vector<double>();

  std::vector<Job*> stepped;
  for (size_t n = 0; n < jobs_.size(); ++n) {
    if (std::find(active.begin(), active.end(), jobs_[n]) == active.end()) continue;
    const NoGradGuard no_grad;
    jobs_[n]->tell(values[n], narrow(gradient_, 0, static_cast<int64_t>(n), 1));
    if (jobs_[n]->is_between_steps()) stepped.push_back(jobs_[n]);
  }
  return stepped;
}

Tensor Batch::image_of(const Job& job) const {
  const NoGradGuard no_grad;
  std::vector<Tensor> points;
  for (const Job* each : jobs_) points.push_back(each->point());
  const Tensor images = bounded_.to_images(cat(points, 0));
  const auto index = std::find(jobs_.begin(), jobs_.end(), &job) - jobs_.begin();
  return narrow(images, 0, index, 1).clone();
}

}  // namespace gestalt::tools
