#pragma once

// Loss and accuracy of a classifier on a set of images.

#include "data/dataset.h"
#include "nn/module.h"
#include "tools/training/history.h"

namespace gestalt::tools {

struct EvaluationOptions {
  int64_t image_size = 224;  // Resize(image_size * 256 / 224), CenterCrop(image_size)
  int64_t batch_size = 32;
  int workers = 0;
};

// In evaluation mode, without gradients; the network is left in the mode it was in. Images that
// can't be read are left out.
SetResult evaluate(nn::Module& network, const data::ImageSourcePtr& source,
                   const EvaluationOptions& options);

// Rows of logits [N,C] whose largest is at the label, i64 [N].
int64_t count_correct(const Tensor& logits, const Tensor& labels);

}  // namespace gestalt::tools
