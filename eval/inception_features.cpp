#include "eval/inception_features.h"

#include <algorithm>

#include "kernels/error.h"
#include "models/inception.h"
#include "nn/init.h"
#include "nn/weight_format.h"
#include "tensor/allocator.h"
#include "tensor/autograd.h"
#include "tensor/context.h"
#include "tensor/io/bytes.h"
#include "tensor/io/checkpoint.h"
#include "tensor/io/known_files.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/unary.h"

namespace gestalt::eval {
namespace {

// The weights themselves, whatever file they came in.
std::string hash_of(const nn::Module& network) {
  StateDict state = network.state_dict();
  std::sort(state.begin(), state.end(),
            [](const NamedTensor& a, const NamedTensor& b) { return a.name < b.name; });
  std::string digests;
  for (const NamedTensor& entry : state) {
    if (entry.name.ends_with("num_batches_tracked")) continue;
    const Tensor values = entry.tensor.to(Device{}).to(DType::f32).contiguous();
    const Bytes bytes{reinterpret_cast<const std::byte*>(values.data<float>()),
                      static_cast<size_t>(values.numel()) * sizeof(float), values.storage()};
    digests += entry.name + " " + sha256(bytes) + "\n";
  }
  return sha256({reinterpret_cast<const std::byte*>(digests.data()), digests.size(), nullptr});
}

// x, in [0, 1], to whole numbers in [0, 255]: truncated where `shift` is 0, rounded where it is
// 0.5. What is not finite stays so.
Tensor whole_levels(const Tensor& x, double shift) {
  const Tensor whole = clamp(x * 255 + shift, 0, 255).to(DType::u8).to(DType::f32);
  return whole + x * 0;
}

// f32, in [0, 255].
Tensor levels(const Tensor& images, PixelRange range) {
  const bool bytes = images.dtype() == DType::u8;
  const Tensor x = images.to(DType::f32);
  if (range == PixelRange::full) return bytes ? x : whole_levels(x, 0.5);
  // By true division, as torchvision's ToTensor.
  const Tensor unit = bytes ? divide(x, 255) : x;
  return whole_levels(unit * 0.5 + 0.5, 0);
}

// Whether the network computes in exact f32. On CUDA: TF32 has 10 bits, so its figures would not be
// those of the CPU, and features of both would meet in caches and files. Not on the CPU, where
// Winograd's errors are near those of rounding.
bool is_exact(Device device) {
  return device.is_cuda() || context(device).exact();
}

}  // namespace

FeatureNetwork load_inception(const std::string& path, int64_t tap, Device device,
                              const ReadWeights& read) {
  models::check_inception_tap(tap);
  const nn::SkipInitGuard skip_init(!path.empty());
  Generator generator(0);
  const auto network = std::make_shared<models::Inception>(generator);
  FeatureNetwork result;
  if (path.empty()) {
    models::init_untrained_inception(*network, generator);
    result.description = "untrained Inception-v3 with well-scaled random weights";
  } else {
    const StateDict weights = read ? read(path) : load_weights(path);
    try {
      network->load_state_dict(models::inception_weights(weights));
    } catch (const Error& error) {
      throw Error(format("'{}': {}", path, error.what()));
    }
    const Bytes file = map_file(path);
    const std::string digest = sha256(file);
    result.weights = known_file(file, digest) ? Weights::trained : Weights::given;
    result.description = format("Inception-v3 of {}", path);
    if (!digest.empty()) {  // as many digits as the published names have
      result.description += format(", SHA-256 {}", digest.substr(0, 8));
    }
  }
  network->eval();
  network->set_requires_grad(false);
  result.hash = hash_of(*network);
  network->to(device);
  const ExactGuard exact(device, is_exact(device));
  const Format format = nn::convolution_format(context(device));
  nn::set_weight_format(*network, format);
  network->freeze();
  empty_cache(Device{});  // what reading and folding took fits nothing that follows
  result.width = tap;
  result.features = [network, tap, format, device](const Tensor& x) {
    const ExactGuard exact(device, is_exact(device));
    return network->features(x.contiguous(format), {&tap, 1})[0];
  };
  return result;
}

const char* to_string(Weights weights) {
  switch (weights) {
    case Weights::unknown:
      return "not told";
    case Weights::untrained:
      return "untrained";
    case Weights::given:
      return "given";
    case Weights::trained:
      return "trained";
  }
  return "";
}

const char* to_string(PixelRange range) {
  return range == PixelRange::full ? "[0,255]" : "[127,255]";
}

InceptionFeatures::InceptionFeatures(FeatureNetwork network)
    : network_(std::move(network)), resize_(models::inception_size, models::inception_size) {}

Tensor InceptionFeatures::operator()(const Tensor& images, PixelRange range) {
  return of_prepared(prepare(images, range));
}

Tensor InceptionFeatures::prepare(const Tensor& images, PixelRange range) {
  GESTALT_CHECK(images.rank() == 4 && images.size(1) == 3 && images.numel() > 0,
                "[features] expected images [N,3,H,W], got {}", images);
  const NoGradGuard no_grad;
  return (resize_(levels(images, range)) + -128) * (1.0 / 128);
}

Tensor InceptionFeatures::of_prepared(const Tensor& prepared) {
  const NoGradGuard no_grad;
  return network_.features(prepared);
}

}  // namespace gestalt::eval
