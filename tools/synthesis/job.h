#pragma once

// One picture to make: an input image and a seed, its optimizer and what was seen so far.

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "optim/lbfgs.h"
#include "tensor/tensor.h"
#include "tools/synthesis/options.h"
#include "tools/synthesis/picture.h"

namespace gestalt::tools {

class Job {
 public:
  // The index'th of the run, of image `image` of `images`. Its name is seed_{seed}_{image_name}.
  // Nothing is loaded yet.
  Job(size_t index, data::ImageSourcePtr images, int64_t image, const std::string& image_name,
      uint64_t seed, const SynthesisSettings& settings);

  size_t index() const { return index_; }
  const std::string& name() const { return name_; }
  uint64_t seed() const { return seed_; }
  const data::ImageSource& images() const { return *images_; }
  data::Image read_image() const { return images_->read(image_); }
  bool is_of_image_of(const Job& other) const {
    return images_ == other.images_ && image_ == other.image_;
  }
  // The file that the image is in: its own, or a packed one.
  std::filesystem::path source_file() const;
  const std::filesystem::path& picture_path() const { return picture_path_; }

  void load_source();  // where it is not loaded yet
  const SourceImage& source() const { return source_; }

  void start(const Tensor& initial);  // u [1,3,S,S]
  // Checkpoints tell the content of the source file by this hash: its name is not all of its path.
  void set_source_hash(std::string hash) { source_hash_ = std::move(hash); }
  // Throws Error where the checkpoint is of another content. Takes its losses and the count of
  // steps, which a run that is interrupted before this job's turn writes again.
  void check_checkpoint();
  // Of a job that is skipped: as though it had not begun.
  void forget_progress();
  // Takes up where the checkpoint left off; false where there is none. Throws Error for a damaged
  // one.
  bool resume();
  void save_checkpoint() const;
  // Frees what a long run must not keep of each picture (the history of L-BFGS, the source); only
  // the losses and the count of steps stay.
  void release();

  bool is_finished() const { return steps_done_ >= settings_.steps; }
  bool is_between_steps() const { return !optimizer_->needs_evaluation(); }
  void begin_step() { optimizer_->begin_step(); }
  // Where the optimizer wants the loss; between steps, where it stands. u [1,3,S,S].
  const Tensor& point() const { return optimizer_->point(); }
  // The answer. Throws Error for a loss that is not finite; the last checkpoint stays.
  void tell(double loss, const Tensor& gradient);

  int64_t steps_done() const { return steps_done_; }
  const std::vector<double>& losses() const { return losses_; }  // one an evaluation
  const Tensor& initial() const { return initial_; }

 private:
  optim::LbfgsOptions optimizer_options() const;
  std::filesystem::path checkpoint_path() const;
  void take_progress(const StateDict& checkpoint);

  size_t index_;
  data::ImageSourcePtr images_;
  int64_t image_;
  uint64_t seed_;
  const SynthesisSettings& settings_;
  std::string name_;
  std::filesystem::path picture_path_;
  std::string source_hash_;
  SourceImage source_;
  Tensor initial_;
  std::unique_ptr<optim::LbfgsStepper> optimizer_;
  int64_t steps_done_ = 0;
  std::vector<double> losses_;
};

// Holds the checkpoints of a run while it is unfinished.
std::filesystem::path checkpoint_folder(const SynthesisSettings& settings);
// Those that are there, of this run or of an earlier one, half-written ones too; a user's own files
// are none. Throws Error where something else than a folder has its name.
std::vector<std::filesystem::path> checkpoints_in(const std::filesystem::path& folder);
// And the folder, where nothing else is in it.
void remove_checkpoints(const std::filesystem::path& folder);

// The files that the result follows from: images, weights, init image.
std::set<std::filesystem::path> input_files(const std::vector<Job>& jobs,
                                            const SynthesisSettings& settings);

// The jobs of a run, in order: every image with every seed. `settings` must outlive them. Throws
// Error where two images would write one picture, or the run would write over one of input_files or
// take it for a checkpoint and remove it.
std::vector<Job> make_jobs(const SynthesisSettings& settings, uint64_t first_seed);

}  // namespace gestalt::tools
