#pragma once

// What a few-shot training has seen so far, and the files that tell of it.

#include <filesystem>
#include <string>
#include <vector>

#include "tensor/state_dict.h"
#include "tools/common/metrics.h"
#include "tools/fewshot/evaluation.h"

namespace gestalt::tools {

struct GanHistoryOptions {
  bool standard = true;    // evaluations have the standard figures, and the best is chosen by the
                           // mean of that FID; without, by the paper's
  bool untrained = false;  // the network behind the figures is: their columns say so
  int64_t draws = 3;       // of an evaluation
};

class GanHistory {
 public:
  explicit GanHistory(const GanHistoryOptions& options);
  // For a training that begins behind this step: the best state is that of the start until there is
  // an evaluation.
  void begin_behind(int64_t step) { best_step_ = step; }

  // What a step told, in the order of gan_value_names; the losses are kept.
  void add_step(const std::vector<double>& values);
  // Closes an interval of steps that ends with `step`: a row of losses(), their means over it.
  void close_interval(int64_t step);
  const Metrics& losses() const { return losses_; }

  // Whether it is a new best.
  bool add_evaluation(int64_t step, const FewshotEvaluation& evaluation);
  double best() const { return best_; }  // the FID by which it is the best; infinite: none yet
  int64_t best_step() const { return best_step_; }
  int64_t last_evaluation() const { return last_evaluation_; }  // its step; 0: none yet
  // That of this step is left out, also where the run goes on from here.
  void pass_over_evaluation(int64_t step) { last_evaluation_ = step; }

  // Evaluations without a new best since the best, or since the last roll-back.
  int64_t without_best() const { return without_best_; }
  int64_t rollbacks() const { return rollbacks_; }
  void add_rollback();
  // Roll-backs for values that are not finite, since losses were.
  int64_t failures() const { return failures_; }
  void count_failure() { ++failures_; }
  void forget_failures() { failures_ = 0; }
  void drop_interval() { interval_.clear(); }
  bool has_interval() const { return !interval_.empty(); }

  void write_losses(const std::filesystem::path& folder) const;   // metrics.csv, whole
  void append_losses(const std::filesystem::path& folder) const;  // its last row
  // evaluations.csv, and from two rows of losses on curves.gp with its picture. `fid`: the figure's
  // name.
  void write_evaluations(const std::filesystem::path& folder, const std::string& fid) const;

  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

 private:
  GanHistoryOptions options_;
  Metrics losses_, evaluations_;
  std::vector<double> interval_;  // losses of the steps since the last row
  double best_;
  int64_t best_step_ = 0, last_evaluation_ = 0, without_best_ = 0;
  int64_t rollbacks_ = 0, failures_ = 0;
};

}  // namespace gestalt::tools
