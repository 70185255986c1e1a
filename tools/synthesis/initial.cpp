#include "tools/synthesis/initial.h"

#include <array>
#include <cmath>

#include "data/image.h"
#include "kernels/error.h"
#include "tensor/io/checkpoint.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"
#include "tensor/random.h"

namespace gestalt::tools {
namespace {

// The first of these that a file has: `image` is the user's own, the others --save_tensors wrote.
constexpr std::array image_names = {"image", "result", "initial"};

const NamedTensor& find_image(const StateDict& tensors, const std::string& path) {
  for (const char* name : image_names) {
    for (const NamedTensor& entry : tensors) {
      if (entry.name == name) return entry;
    }
  }
  throw Error(format("--init_image '{}' has no tensor 'image', 'result' or 'initial'", path));
}

// Told by content. What can't be read at all fails as a picture, with the reason.
bool is_safetensors_file(const std::string& path) {
  try {
    return is_safetensors(map_file(path));
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

Tensor read_init_images(const SynthesisSettings& settings, size_t jobs) {
  const std::string& path = settings.init_image;
  if (path.empty()) return {};
  if (!is_safetensors_file(path)) {
    return to_source(data::decode_image(std::filesystem::path(path)), settings.image_size).target;
  }
  const StateDict tensors = read_checkpoint(path).tensors;
  const auto& [name, images] = find_image(tensors, path);
  const int64_t size = settings.image_size;
  const int64_t count = images.rank() == 4 ? images.size(0) : 0;
  const bool fits = is_floating(images.dtype()) && images.shape() == Shape{count, 3, size, size} &&
                    (count == 1 || count == static_cast<int64_t>(jobs));
  GESTALT_CHECK(fits, "--init_image '{}': tensor '{}' is {}, expected [1,3,{},{}]{}", path, name,
                images, size, size,
                jobs > 1 ? format(", or [{},3,{},{}] for the {} pictures", jobs, size, size, jobs)
                         : std::string());
  GESTALT_CHECK(std::isfinite(max(abs(images)).item()),
                "--init_image '{}': tensor '{}' holds values that are not finite", path, name);
  return images;
}

Tensor initial_parameters(const std::vector<Job*>& jobs, const models::BoundedImages& bounded,
                          const Tensor& init_images, const SynthesisSettings& settings) {
  const int64_t size = settings.image_size;
  std::vector<Tensor> images;
  for (const Job* job : jobs) {
    if (!init_images.defined()) {
      Generator generator(job->seed());
      images.push_back(generator.normal({1, 3, size, size}, 0, 1));
    } else if (init_images.size(0) == 1) {
      images.push_back(init_images);
    } else {
      images.push_back(narrow(init_images, 0, static_cast<int64_t>(job->index()), 1));
    }
  }
  return bounded.to_parameters(cat(images, 0).to(image_dtype(settings)).to(default_device()));
}

}  // namespace gestalt::tools
