#pragma once

// A network's decisions at several sparsities, one CSV file each, in a folder that a later run can
// finish. An image counts as decided on as long as its content is what it was.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "eval/decisions.h"
#include "eval/topk_sweep.h"
#include "tools/shape_bias/output_files.h"
#include "tools/shape_bias/stimuli.h"

namespace gestalt::tools {

// One observer: the network, keeping a fraction of its activations.
struct Sparsity {
  std::string subject;
  double fraction;
};

// Those whose Top-K stands at the same places: one pass over the images.
struct Pass {
  std::vector<std::string> places;
  std::vector<Sparsity> sparsities;
};

struct EvaluationSettings {
  std::filesystem::path folder;
  int image_size = 224;  // of stimulus_transform
  int64_t batch_size = 16;
  bool quiet = false;
};

class Evaluation {
 public:
  // The folder's files must be this process' (OutputFiles).
  Evaluation(const EvaluationSettings& settings, const Stimuli& stimuli,
             const eval::Categories& categories);

  // Writes the files that are missing, or that lack images which can be read by now or have become
  // others; these are told on stderr. What was decided before an interruption is kept in
  // FOLDER/.unfinished and taken up again. False where it was interrupted.
  bool run(eval::TopKSweep& network, Pass pass);

  const std::vector<std::filesystem::path>& files() const { return files_; }
  const std::vector<std::string>& unreadable() const { return unreadable_; }

 private:
  struct Decided {
    eval::Decision decision;
    std::string image_hash;  // of the image that it was decided on; empty: not known
  };
  using Decisions = std::map<size_t, Decided>;  // by the image's place among the stimuli
  Decisions read(const std::filesystem::path& path, std::set<size_t>& changed) const;
  struct Before {
    Decisions decisions;
    bool is_finished = false;  // nothing is left to do or to write
  };
  Before made_before(const Sparsity& sparsity, std::set<size_t>& changed) const;
  // Takes up what was made before; what is finished leaves the pass. Tells of images that have
  // become others.
  std::vector<Decisions> take_up(Pass& pass) const;
  // Those that lack a decision.
  std::vector<int64_t> images_left(const std::vector<Decisions>& decisions) const;
  // False where it was interrupted, and saved.
  bool decide_on(const std::vector<int64_t>& images, eval::TopKSweep& network, const Pass& pass,
                 std::vector<Decisions>& decisions);
  void decide(const std::vector<Tensor>& logits, const std::vector<int64_t>& images,
              const Pass& pass, std::vector<Decisions>& decisions) const;
  void save(const Pass& pass, const std::vector<Decisions>& decisions, bool finished);

  EvaluationSettings settings_;
  const Stimuli& stimuli_;
  const eval::Categories& categories_;
  std::vector<std::string> image_hashes_;  // one a stimulus, as it is now
  std::vector<std::filesystem::path> files_;
  std::vector<std::string> unreadable_;
};

}  // namespace gestalt::tools
