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
      loss_(std::move(network), loss_options(settings), stacked_targets(jobs_, settings)) {}

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
  std::vector<Tensor> points;
  for (const Job* job : jobs_) points.push_back(job->point());
  Tensor u = points.size() == 1 ? points[0].clone() : cat(points, 0);
  u.set_requires_grad(true);
  const Tensor losses = loss_(bounded_.to_images(u));
  const Tensor ones = Tensor::ones(losses.shape(), losses.options());
  const Tensor gradient =
      gradients(std::span(&losses, 1), std::span(&ones, 1), std::span(&u, 1))[0];
  const std::vector<double> values = losses.to_vector<double>();

  std::vector<Job*> stepped;
  for (size_t n = 0; n < jobs_.size(); ++n) {
    if (std::find(active.begin(), active.end(), jobs_[n]) == active.end()) continue;
    const NoGradGuard no_grad;
    jobs_[n]->tell(values[n], narrow(gradient, 0, static_cast<int64_t>(n), 1));
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
