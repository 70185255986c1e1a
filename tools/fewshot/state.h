#pragma once

// What a few-shot training goes on from: the networks with their optimizers, how many steps are
// done and what was seen so far; and the files of it in the run's folder, checkpoint.safetensors
// (where the run stands) and best.safetensors (where the FID was best).

#include <cstdint>
#include <optional>

#include "tools/common/run_folder.h"
#include "tools/fewshot/history.h"
#include "tools/fewshot/model.h"
#include "tools/fewshot/options.h"
#include "tools/fewshot/untold.h"

namespace gestalt::tools {

class FewshotState {
 public:
  // As the settings have it: random networks of `seed`, what --ckpt holds, or with --resume what
  // `folder`'s checkpoint holds; what that was made with is taken of it where no setting says so
  // (--excitation). On the default device. Writes nothing. Throws Error for files that do not fit,
  // and where the steps are done already. Folder and settings outlive it.
  FewshotState(const RunFolder& folder, const FewshotSettings& settings, uint64_t seed);

  GanModel& model() { return model_; }
  GanHistory& history() { return history_; }
  int64_t step() const { return step_; }            // how many are done
  const Untold& untold() const { return untold_; }  // of --ckpt
  void count_step() { ++step_; }

  // Each file whole or not at all. That the values are finite is the caller's to see.
  void save_checkpoint() const;
  void save_best() const;

  // The model of save_best(), moved by --eps_G and --eps_D; steps and history go on.
  void roll_back();

 private:
  using Start = std::optional<models::FastGanCheckpoint>;
  FewshotState(const RunFolder& folder, const FewshotSettings& settings, uint64_t seed,
               const Start& start);
  void go_on_from(const models::FastGanCheckpoint& checkpoint);
  void start_from(const models::FastGanCheckpoint& checkpoint);
  StateDict model_with_step() const;

  const RunFolder& folder_;
  const FewshotSettings& settings_;
  uint64_t seed_;
  GanModel model_;
  GanHistory history_;
  int64_t step_ = 0;
  Untold untold_;
};

}  // namespace gestalt::tools
