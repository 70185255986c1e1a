// Inception's input and features, for tests/parity/inception.py.
// Usage: dump_inception WEIGHTS IMAGES.safetensors OUT.safetensors. IMAGES: f32 [N,3,H,W] of whole
// numbers in [0, 255]; OUT has, for each, NAME/prepared and NAME/64, /192, /768, /2048.

#include <cstdio>
#include <string>

#include "eval/inception_features.h"
#include "kernels/error.h"
#include "models/inception.h"
#include "tensor/io/checkpoint.h"

using namespace gestalt;

namespace {

void dump(const std::string& weights, const std::string& images, const std::string& out) {
  StateDict tensors;
  for (const int64_t tap : models::inception_taps) {
    eval::InceptionFeatures features(eval::load_inception(weights, tap, {}));
    for (const NamedTensor& entry : read_checkpoint(images).tensors) {
      const Tensor prepared = features.prepare(entry.tensor.to(DType::u8));
      tensors.push_back({entry.name + "/" + std::to_string(tap), features.of_prepared(prepared)});
      if (tap == models::inception_taps[0]) {
        tensors.push_back({entry.name + "/prepared", prepared});
      }
    }
  }
  write_safetensors(out, tensors);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: dump_inception WEIGHTS IMAGES OUT\n");
    return 2;
  }
  try {
    dump(argv[1], argv[2], argv[3]);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "dump_inception: %s\n", error.what());
    return 1;
  }
}
