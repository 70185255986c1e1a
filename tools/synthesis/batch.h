#pragma once

// Some jobs optimized at once. Each goes through its evaluations at its own pace; one pass of the
// network serves them all.

#include <memory>
#include <vector>

#include "models/synthesis.h"
#include "tools/synthesis/job.h"

namespace gestalt::tools {

class Batch {
 public:
  // Their sources must be loaded.
  Batch(std::vector<Job*> jobs, std::shared_ptr<nn::Sequential> network,
        const SynthesisSettings& settings);

  const std::vector<Job*>& jobs() const { return jobs_; }
  const models::BoundedImages& bounded() const { return bounded_; }
  const models::SynthesisLoss& loss() const { return loss_; }

  // One evaluation of every job that is not finished. Where `stopping`, no new steps are begun.
  // Returns the jobs that ended a step with it; sets `idle` where there was nothing left to do.
  std::vector<Job*> advance(bool stopping, bool& idle);

  // The picture of a job as it stands: [1,3,S,S] in the network's input space.
  Tensor image_of(const Job& job) const;

 private:
  std::vector<Job*> jobs_;
  models::BoundedImages bounded_;
  models::SynthesisLoss loss_;
};

}  // namespace gestalt::tools
