// Inception's input and features, for tests/parity/inception.py.
// Usage: dump_inception WEIGHTS IMAGES.safetensors OUT.safetensors. IMAGES: f32 [N,3,H,W] of whole
// numbers in [0, 255]; OUT has, for each, NAME/prepared and NAME/64, /192, /768, /2048.

#include <string>

#include "eval/inception_features.h"
#include "models/inception.h"
#include "tensor/io/checkpoint.h"
#include "tests/parity/dump_main.h"

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
  return tests::dump_main(argc, argv, "dump_inception WEIGHTS IMAGES OUT", {3},
                          [](char** a) { dump(a[1], a[2], a[3]); });
}
