#pragma once

// The real images of a few-shot training: decoded once, resized, kept on the device with their
// mirror images.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/sampler.h"
#include "tensor/tensor.h"

namespace gestalt::tools {

class FewshotImages {
 public:
  // The images of a folder or a packed file, each resized to size x size (antialiased bilinear, as
  // torchvision's Resize((size, size))). Throws Error where there are none, or fewer than two can
  // be read.
  FewshotImages(const std::filesystem::path& path, int64_t size, uint64_t seed);

  // All images, those that can't be read among them.
  const data::ImageSource& source() const { return *source_; }
  int64_t size() const { return images_.size(0); }
  const Tensor& images() const { return images_; }  // u8 [N,3,S,S], in the order of their names
  // Why images were left out, a line each.
  const std::vector<std::string>& unreadable() const { return unreadable_; }

  // The batch u8 [B,3,S,S] of a step, from 0: the images in an order of chance without repetition,
  // then again in another, and so on; each mirrored with probability 1/2. A function of the seed
  // and the step. Waits for nothing.
  void fill(Tensor& batch, int64_t step);

 private:
  uint64_t seed_;
  data::ImageSourcePtr source_;
  Tensor images_, mirrored_;
  std::vector<std::string> unreadable_;
  data::BatchSampler order_;
};

}  // namespace gestalt::tools
