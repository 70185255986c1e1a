#pragma once

// Some jobs optimized at once. Each goes through its evaluations at its own pace; one pass of the
// network serves them all. With --capture that pass and its gradient are recorded at the first and
// replayed at every other (tensor/graph.h), to the same bits.

#include <memory>
#include <optional>
#include <vector>

#include "models/synthesis.h"
#include "tensor/graph.h"
#include "tools/synthesis/job.h"

namespace gestalt::tools {

class Batch {
 public:
  // Their sources must be loaded.
  Batch(std::vector<Job*> jobs, std::shared_ptr<nn::Sequential> network,
        const SynthesisSettings& settings);
  Batch(const Batch&) = delete;  // the recording knows its address
  Batch& operator=(const Batch&) = delete;

  const std::vector<Job*>& jobs() const { return jobs_; }
  const models::BoundedImages& bounded() const { return bounded_; }
  const models::SynthesisLoss& loss() const { return loss_; }

  // One evaluation of every job that is not finished. Where `stopping`, no new steps are begun.
  // Returns the jobs that ended a step with it; sets `idle` where there was nothing left to do.
  std::vector<Job*> advance(bool stopping, bool& idle);

  // The picture of a job as it stands: [1,3,S,S] in the network's input space.
  Tensor image_of(const Job& job) const;

 private:
  void evaluate();

  std::vector<Job*> jobs_;
  models::BoundedImages bounded_;
  models::SynthesisLoss loss_;

  // What an evaluation reads, and what it writes.
  Tensor points_, ones_;      // u [N,3,S,S], [N]
  Tensor losses_, gradient_;  // [N], [N,3,S,S]
  bool captured_;
  std::optional<CapturedGraph> graph_;
};

}  // namespace gestalt::tools
