#pragma once

// What a training has seen so far, and the files that tell of it.

#include <filesystem>
#include <string>
#include <vector>

#include "tensor/state_dict.h"
#include "tools/common/metrics.h"

namespace gestalt::tools {

struct SetResult {
  double loss = 0;      // mean cross-entropy
  double accuracy = 0;  // top-1, in [0, 1]
};

struct EpochRecord {
  double learning_rate = 0;
  SetResult train;              // while training, on augmented images
  double published_loss = 0;    // as published: the losses of its steps, summed, over the images
  std::vector<SetResult> sets;  // one an evaluation set
};

struct Best {
  double accuracy = -1;  // -1: none yet
  int64_t epoch = 0;     // from 1
};

class History {
 public:
  explicit History(std::vector<std::string> sets);

  const std::vector<double>& step_losses() const { return step_losses_; }
  const Best& best(size_t set) const { return best_[set]; }

  void add_step(double loss) { step_losses_.push_back(loss); }
  // Returns the sets whose accuracy is a new best.
  std::vector<size_t> add_epoch(const EpochRecord& record);

  // metrics.csv, curves.gp and its picture (from the second epoch on), step_loss.npy (one a step),
  // and as published: eval.npy and eval_<set>.npy (accuracy an epoch in percent, of val and of the
  // others), all_train_loss.npy (published_loss, one an epoch).
  void write(const std::filesystem::path& folder) const;

  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

 private:
  std::vector<std::string> sets_;
  std::vector<double> step_losses_, epoch_losses_;
  Metrics epochs_;
  std::vector<Best> best_;
};

}  // namespace gestalt::tools
