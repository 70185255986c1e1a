// For tests/parity/images.py: for each path on stdin, a line "HEIGHT WIDTH" (or "ERROR reason"),
// the decoded RGB bytes, and those of the image resized to 256x256 by Lanczos, on stdout.

#include <cstdio>
#include <iostream>
#include <string>

#include "data/image.h"
#include "data/resample.h"
#include "kernels/error.h"

int main() {
  using namespace gestalt::data;
  for (std::string path; std::getline(std::cin, path);) {
    try {
      const Image image = decode_image(std::filesystem::path(path));
      const Image small = resize(image, 256, 256, Filter::lanczos);
      std::printf("%d %d\n", image.height, image.width);
      std::fwrite(image.pixels.data(), 1, image.pixels.size(), stdout);
      std::fwrite(small.pixels.data(), 1, small.pixels.size(), stdout);
    } catch (const gestalt::Error& error) {
      std::printf("ERROR %s\n", error.what());
    }
    std::fflush(stdout);
  }
}
