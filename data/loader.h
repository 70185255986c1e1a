#pragma once

// Loader: batches of transformed images, made ahead by worker threads.
//
// Order, random numbers and bits depend on (source, transform, seed, epoch, step) alone, never on
// the number of workers. Batches come in order; at most `prefetch` are made ahead.
//
// An image that cannot be read is left out of its batch, which is smaller then, and is listed in
// unreadable(); a batch of nothing else is passed over. Error: an epoch with no readable image, a
// transform whose plan gives another size than it says, labels that are not one an image or no
// class; and whatever else a worker throws comes out of next().

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/sampler.h"
#include "data/transforms.h"
#include "tensor/tensor.h"

namespace gestalt::data {

struct Batch {
  int64_t epoch = 0, step = 0;
  Tensor images;                 // f32 or u8 [N,3,H,W]
  Tensor labels;                 // i64 [N]; undefined where the source has none
  std::vector<int64_t> indices;  // N, into the source
};

struct LoaderOptions {
  SamplerOptions sampler;       // its seed is also that of the transform's random numbers
  int64_t epoch = 0, step = 0;  // the first batch
  int64_t epochs = 1;           // how many; the first counts whole
  int workers = 0;              // threads; 0: one a core
  int prefetch = 4;             // batches made ahead
  bool fast_jpeg = false;       // decode at a reduced size (OpenedImage::decode_for): other bytes
  DType dtype = DType::f32;     // f32: normalized; u8: not, see normalize()
  Normalization normalization;  // of f32
  Device device = default_device();  // of images and labels; copied there by the workers, from
                                     // page-locked memory, beside the work of the default stream
};

class Loader {
 public:
  Loader(ImageSourcePtr source, Transform transform, const LoaderOptions& options);
  ~Loader();  // stops the workers
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  int64_t steps() const;  // batches an epoch
  // The next batch; nothing after the last epoch's end.
  std::optional<Batch> next();
  // index -> reason, of the images met so far.
  std::map<int64_t, std::string> unreadable() const;

 private:
  class Workers;
  std::unique_ptr<Workers> workers_;
};

}  // namespace gestalt::data
