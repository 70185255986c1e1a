#pragma once

// From images to the features that FID and KID compare, as torch-fidelity's "inception-v3-compat"
// does it: 8-bit RGB, TensorFlow 1's bilinear resize to 299x299 (eval/tensorflow_resize.h),
// (x - 128) / 128, the network, the mean over H and W at the tap.
//
//   InceptionFeatures features(load_inception(path, 2048));
//   Tensor f = features(images);   // f32 [N,2048] on the images' device
//
// f32, on CUDA without TF32: figures are comparable wherever they are made.
//
// Nothing here waits for the device but reading the features (and the first image of a size): calls
// are queued one behind the other. No gradients.

#include <cstdint>
#include <functional>
#include <string>

#include "eval/tensorflow_resize.h"
#include "tensor/state_dict.h"
#include "tensor/tensor.h"

namespace gestalt::eval {

// What is known of a network's weights.
enum class Weights {
  unknown,    // of a file of features that does not tell
  untrained,  // the well-scaled random ones
  given,      // of a file that is none of the published ones: whoever gave it knows
  trained,    // of a published file, by its hash
};
const char* to_string(Weights weights);  // "not told", "untrained", "given", "trained"

// The network behind the figures; any other may take Inception's place, such as a small one in a
// test.
struct FeatureNetwork {
  std::function<Tensor(const Tensor&)> features;  // f32 [N,3,299,299] in [-1, 1) to f32 [N,width]
  int64_t width = 0;
  Weights weights = Weights::untrained;
  std::string description;  // "Inception-v3 of FILE, SHA-256 6726825d", for logs
  std::string hash;  // SHA-256 of its weights, hexadecimal; empty where the build has no OpenSSL
};

using ReadWeights = std::function<StateDict(const std::string& path)>;

// The published FID network from `path` (pytorch-fid's pt_inception-2015-12-05-6726825d.pth,
// torch-fidelity's weights-inception-2015-12-05-6726825d.pth, or their names in any readable form);
// empty: the untrained, well-scaled one, always the same (models/inception.h). On `device`, which
// the images must be on. `tap`: 64, 192, 768 or 2048. `read` takes load_weights' place
// (tensor/io/checkpoint.h). Throws Error, with the path, for weights that do not fit.
FeatureNetwork load_inception(const std::string& path, int64_t tap = 2048,
                              Device device = default_device(), const ReadWeights& read = {});

// How pixels come to lie in [0, 255].
enum class PixelRange {
  full,   // black is 0, white is 255; values in [0, 1] are rounded to whole levels, as if saved
  paper,  // mapped by x/2 + 1/2 once more, so [127, 255], and truncated: what the published
          // evaluation of few-shot synthesis does to real and fake images alike
};
const char* to_string(PixelRange range);  // "[0,255]", "[127,255]"

class InceptionFeatures {
 public:
  explicit InceptionFeatures(FeatureNetwork network);

  const FeatureNetwork& network() const { return network_; }

  // images: u8 [N,3,H,W], or floating with values in [0, 1], RGB, any size; others are clamped, in
  // the paper's range to [-1, 1] as there. f32 [N,width].
  Tensor operator()(const Tensor& images, PixelRange range = PixelRange::full);

  // The two halves of that, for images of different sizes in one batch: to f32 [N,3,299,299] in
  // [-1, 1), and from there to features.
  Tensor prepare(const Tensor& images, PixelRange range = PixelRange::full);
  Tensor of_prepared(const Tensor& prepared);

 private:
  FeatureNetwork network_;
  TensorFlowResize resize_;
};

}  // namespace gestalt::eval
