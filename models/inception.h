#pragma once

// Inception-v3 (Szegedy et al. 2016) in the form that FID and KID are defined on: the TensorFlow
// network of 2015-12-05 as pytorch-fid and torch-fidelity have it. It differs from torchvision's
// in the average pools of its blocks, which leave padding out of the count, and in the last block
// (Mixed_7c), which pools by maxima. Parameters have torchvision's names
// (Conv2d_1a_3x3.conv.weight, Mixed_5b.branch1x1.bn.running_mean ...); batch norm's epsilon is
// 1e-3.

#include <array>
#include <span>
#include <vector>

#include "nn/module.h"
#include "tensor/random.h"
#include "tensor/state_dict.h"

namespace gestalt::models {

// Features are the means over H and W behind the first and the second max pooling, in front of
// Mixed_7a, and behind the last block; named by their numbers of channels.
inline constexpr std::array<int64_t, 4> inception_taps = {64, 192, 768, 2048};
void check_inception_tap(int64_t tap);  // Throws Error for any other number.

// Of images in [-1, 1): side in pixels.
inline constexpr int64_t inception_size = 299;

class Inception : public nn::Module {
 public:
  // Zero-mean normal filters of deviation sqrt(2 / fan_in), batch norms as they begin.
  explicit Inception(Generator& generator);
  ~Inception() override;

  // x [N,3,H,W], H and W at least 75, to one [N,tap] for each of `taps`, in their order; nothing
  // behind the last of them is run. Throws Error for a tap that does not exist.
  std::vector<Tensor> features(const Tensor& x, std::span<const int64_t> taps);
  // [N,2048].
  Tensor forward(const Tensor& x) override;

  // Folds every batch norm into its convolution, in place, for inference: the function stays the
  // same to rounding. What is loaded, trained or moved to another device afterwards is computed
  // with its norms, until they are folded again.
  void freeze();

 private:
  struct Stage;
  std::vector<Stage> stages_;
};

// The tensors of a published file that the features depend on: the classifier on top and
// torchvision's auxiliary one are left out.
StateDict inception_weights(const StateDict& state);

// The network without training, well scaled (He, Wang, Hopcroft 2016, do this for VGG): statistics
// of the batch norms are those of noise images with the 1/f spectrum and the contrast of
// photographs, so that every channel answers with deviation 1. The same generator state gives the
// same weights. The network is on the CPU afterwards, in evaluation mode.
void init_untrained_inception(Inception& network, Generator& generator);

}  // namespace gestalt::models
