#include "models/lpips.h"

#include <algorithm>
#include <array>
#include <map>

#include "kernels/error.h"
#include "nn/autocast.h"
#include "nn/unit_distance.h"
#include "nn/weight_format.h"
#include "tensor/accumulation.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"

namespace gestalt::models {
namespace {

// The ReLUs of `features` whose outputs are compared.
const std::map<std::string, std::vector<std::string>> taps_of = {
    {"vgg16", {"3", "8", "15", "22", "29"}},
    {"alexnet", {"1", "4", "7", "9", "11"}},
};

// On the device and in the dtype of another.
Tensor like(const Tensor& x, const Tensor& other) {
  return x.to(other.device()).to(other.dtype());
}

// Activations of 16 bits as f32.
Tensor widened(const Tensor& x) {
  return size_of(x.dtype()) == 2 ? x.to(DType::f32) : x;
}

// [C], as unit_distance takes it with these activations.
Tensor linear_weight(const Tensor& weight, const Tensor& activations) {
  const DType dtype = accumulation_dtype(activations.dtype());
  return reshape(weight.detach(), {activations.size(1)}).to(activations.device()).to(dtype);
}

Tensor channel_values(const std::vector<double>& values) {
  return Tensor::from_vector(values, {1, static_cast<int64_t>(values.size()), 1, 1});
}

// A value whose gradient is there already.
class KnownGradientNode : public Node {
 public:
  explicit KnownGradientNode(const Tensor& gradient) { save("gradient", gradient); }
  const char* name() const override { return "lpips"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    return {saved("gradient") * grad_outputs[0]};
  }
};

}  // namespace

Lpips::Lpips(const std::string& network, std::shared_ptr<nn::Sequential> features,
             const StateDict& linear)
    : features_(std::move(features)),
      shift_(channel_values({-.030, -.088, -.188})),
      inverse_scale_(channel_values({1 / .458, 1 / .448, 1 / .450})) {
  const auto found = taps_of.find(network);
  GESTALT_CHECK(found != taps_of.end(), "[lpips] no network '{}' (known: alexnet, vgg16)", network);
  taps_ = found->second;
  for (size_t i = 0; i < taps_.size(); ++i) {
    const std::string name = format("lin{}.model.1.weight", i);
    const Tensor* weight = find_tensor(linear, name);
    GESTALT_CHECK(weight != nullptr, "[lpips] the linear weights have no '{}'", name);
    linear_.push_back(*weight);
  }
  features_->set_requires_grad(false);
}

void Lpips::prepare(Format format, DType dtype) {
  nn::set_weight_format(*features_, format);
  features_->to(dtype);
}

LpipsActivations Lpips::activations(const Tensor& given) const {
  const Tensor images = nn::autocast_to_f32(given);
  GESTALT_CHECK(images.rank() == 4 && images.size(1) == 3, "[lpips] expected [N,3,H,W], got {}",
                images);
  const Tensor input = (images - like(shift_, images)) * like(inverse_scale_, images);
  return features_->forward_taps(input, taps_);
}

Tensor Lpips::distance(const LpipsActivations& a, const LpipsActivations& b) const {
  Tensor total;
  for (size_t i = 0; i < taps_.size(); ++i) {
    const Tensor& weight = linear_[i];
    GESTALT_CHECK(weight.rank() == 4 && weight.size(1) == a[i].size(1),
                  "[lpips] tap {} has {} channels, its linear weights are {}", taps_[i],
                  a[i].size(1), weight);
    // One side may have been made under autocast and the other not.
    const bool alike = a[i].dtype() == b[i].dtype();
    const Tensor left = alike ? a[i] : widened(a[i]), right = alike ? b[i] : widened(b[i]);
    const Tensor distance = nn::unit_distance(left, right, linear_weight(weight, left));
    total = total.defined() ? total + distance : distance;
  }
  return total;
}

Tensor Lpips::summed_distance(const Tensor& given, const LpipsActivations& target) const {
  const Tensor images = nn::autocast_to_f32(given);
  if (!needs_grad({images})) return sum(distance(activations(images), target));
  Tensor leaf = images.detach();
  leaf.set_requires_grad(true);
  const Tensor value = sum(distance(activations(leaf), target));
  const Tensor one = Tensor::ones(value.shape(), value.options());
  const Tensor gradient = gradients(std::array{value}, std::array{one}, std::array{leaf})[0];
  Tensor result = value.detach();
  attach(std::make_shared<KnownGradientNode>(gradient), {images}, {result});
  return result;
}

Tensor Lpips::operator()(const Tensor& a, const Tensor& b) const {
  GESTALT_CHECK(a.rank() == 4 && a.shape() == b.shape(),
                "[lpips] expected two batches [N,3,H,W], got {} and {}", a, b);
  return distance(activations(a), activations(b));
}

}  // namespace gestalt::models
