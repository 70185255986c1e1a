#pragma once

// Loss and accuracy of a classifier on sets of images.

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "data/dataset.h"
#include "nn/module.h"
#include "tools/training/history.h"
#include "tools/training/options.h"

namespace gestalt::tools {

struct EvaluationOptions {
  int64_t image_size = 224;  // CenterCrop(image_size) of Resize(data::resize_before_crop())
  int64_t batch_size = 32;
  int workers = 0;
  DType dtype = DType::f32;            // of AutocastGuard
  Format format = Format::contiguous;  // of the images in the network
};

struct EvaluatedSet {
  SetResult result;
  int64_t images = 0;
  std::map<int64_t, std::string> unreadable;  // index -> reason; left out
};

// In evaluation mode, without gradients; the network is left in the mode it was in. Nothing where
// it was `stopped`, which is asked before each batch.
std::optional<EvaluatedSet> evaluate(nn::Module& network, const data::ImageSourcePtr& source,
                                     const EvaluationOptions& options,
                                     const std::function<bool()>& stopped);

EvaluationOptions evaluation_options(const TrainSettings& settings);

// --evaluate: the weights on every set, without training. Prints a line a set and writes them to
// OUTPUT/NAME/evaluation_<weights file's stem>.csv, with the weights' path and SHA-256. Returns the
// exit code.
int run_evaluation(const TrainSettings& settings, const CommonOptions& common);

}  // namespace gestalt::tools
