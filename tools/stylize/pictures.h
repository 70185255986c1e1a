#pragma once

// The pictures that train_stylizer learns from, as batches without end.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/loader.h"
#include "tensor/state_dict.h"
#include "tools/stylize/train_options.h"

namespace gestalt::tools {

// One set, shuffled anew in each epoch, resized and cropped at random by `seed`. Of the settings
// it takes the sizes, --batch_size and --workers. A set smaller than a batch is taken several
// times, each with crops of its own.
class TrainingPictures {
 public:
  // `path`: a picture, a tree of folders, or a packed file. Throws Error where it has none.
  TrainingPictures(const std::string& path, const TrainStylizerSettings& settings, uint64_t seed);

  const data::ImageSource& source() const { return *source_; }

  // RGB in [0, 1], f32 [N,3,C,C] on the default device: of --batch_size pictures those that can be
  // read.
  Tensor next();

  // Why pictures were skipped, each reason once.
  std::vector<std::string> newly_unreadable();

  // Where it stands: from there next() gives the same batches again.
  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);  // before the first next()

 private:
  data::ImageSourcePtr repeated() const;
  void begin();

  data::ImageSourcePtr source_;
  const TrainStylizerSettings& settings_;
  uint64_t seed_;
  std::optional<data::Loader> loader_;
  int64_t epoch_ = 0, step_ = 0;  // of the next batch
  std::set<std::string> told_;
};

}  // namespace gestalt::tools
