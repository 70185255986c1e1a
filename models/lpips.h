#pragma once

// LPIPS v0.1 (Zhang et al. 2018): the perceptual distance of images, from the activations of a
// classifier.
//
// Images [N,3,H,W] in [-1, 1], RGB, of the network's dtype. (x - shift) / scale goes through the
// network; the activations of each tap are scaled to unit length over channels, their squared
// differences weighted by a non-negative number a channel, averaged over H and W and summed over
// the taps. Gradients to both images. Under nn::AutocastGuard the network and its activations are
// reduced; distances are f32.

#include <memory>
#include <string>
#include <vector>

#include "nn/sequential.h"
#include "tensor/state_dict.h"

namespace gestalt::models {

// Of one batch of images, a tensor [N,C,H,W] a tap, as the network gives them: of the dtype of its
// convolutions, and not yet of unit length.
using LpipsActivations = std::vector<Tensor>;

class Lpips {
 public:
  // `network`: "vgg16" or "alexnet" with `features` the convolutional part of that network in
  // torchvision's form, and `linear` the published file's lin0.model.1.weight [1,C,1,1] to
  // lin4.model.1.weight. Throws Error for other names, and for weights that are missing or do not
  // fit. The network gets no gradients.
  Lpips(const std::string& network, std::shared_ptr<nn::Sequential> features,
        const StateDict& linear);

  // Images will come in this layout, under an AutocastGuard of this dtype (f32: none): converts the
  // network's weights once, which every call would else do anew. The network is shared by copies of
  // this object.
  void prepare(Format format, DType dtype);

  Tensor operator()(const Tensor& a, const Tensor& b) const;  // [N]

  // The two halves of it, for images that are compared more than once.
  LpipsActivations activations(const Tensor& images) const;
  Tensor distance(const LpipsActivations& a, const LpipsActivations& b) const;  // [N]
  // The sum of images' distances to `target`, one element; of a target without gradient. The
  // gradient to `images` is computed along with the value, so that nothing of the network's pass is
  // kept until backward: as long as, and far less memory than, sum(distance(...)).
  Tensor summed_distance(const Tensor& images, const LpipsActivations& target) const;

 private:
  std::shared_ptr<nn::Sequential> features_;
  std::vector<std::string> taps_;
  std::vector<Tensor> linear_;    // [1,C,1,1]
  Tensor shift_, inverse_scale_;  // [1,3,1,1]
};

}  // namespace gestalt::models
