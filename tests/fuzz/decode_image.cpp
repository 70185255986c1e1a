// Any bytes decode to a picture or are a gestalt::Error.

#include <cstdlib>

#include "data/image.h"
#include "kernels/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  constexpr int64_t max_pixels = 1 << 20;
  try {
    const auto image = gestalt::data::decode_image(std::span(bytes, size), "input", max_pixels);
    const auto expected = static_cast<size_t>(image.height) * image.width * 3;
    if (image.channels != 3 || image.pixels.size() != expected) std::abort();
  } catch (const gestalt::Error&) {
  }
  return 0;
}
