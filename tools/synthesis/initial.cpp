#include "tools/synthesis/initial.h"

#include "kernels/error.h"
#include "tensor/io/checkpoint.h"
#include "tensor/ops/shape.h"
#include "tensor/random.h"

namespace gestalt::tools {
namespace {

// [1,3,S,S] in the network's input space.
Tensor read_init_image(const SynthesisSettings& settings) {
  const std::string& path = settings.init_image;
  if (!path.ends_with(".safetensors")) return load_source(path, settings.image_size).target;
  for (const NamedTensor& entry : read_checkpoint(path).tensors) {
    if (entry.name != "image") continue;
    const Shape expected{1, 3, settings.image_size, settings.image_size};
    GESTALT_CHECK(entry.tensor.shape() == expected, "'{}': tensor 'image' is {}, expected {}", path,
                  entry.tensor, expected);
    return entry.tensor.to(DType::f32);
  }
  throw Error(format("'{}' has no tensor 'image'", path));
}

}  // namespace

Tensor initial_parameters(const std::vector<Job*>& jobs, const models::BoundedImages& bounded,
                          const SynthesisSettings& settings) {
  const int64_t size = settings.image_size;
  std::vector<Tensor> images;
  for (const Job* job : jobs) {
    if (settings.init_image.empty()) {
      Generator generator(job->seed());
      images.push_back(generator.normal({1, 3, size, size}, 0, 1));
    } else {
      images.push_back(read_init_image(settings).to(default_device()));
    }
  }
  return bounded.to_parameters(cat(images, 0).to(image_dtype(settings)));
}

}  // namespace gestalt::tools
