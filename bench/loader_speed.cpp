// Training images from a folder: decode, random resized crop to 224, mirror, normalize, batches of
// 32, one worker.
//
//   loader_speed FOLDER IMAGES [fast]
//
// FOLDER: class folders, or a packed file. Prints the number of images, and the seconds of
// processor time and of the clock that they took. bench/pytorch/loader.py runs it beside PyTorch.

#include <chrono>
#include <cstdio>
#include <ctime>
#include <string_view>

#include "bench/flags.h"
#include "data/loader.h"

int main(int argc, char** argv) {
  using namespace gestalt::data;
  if (argc < 3) {
    std::fprintf(stderr, "usage: loader_speed FOLDER IMAGES [fast]\n");
    return 2;
  }
  LoaderOptions options;
  options.sampler = {.batch_size = 32, .shuffle = true};
  options.epochs = 1 << 20;
  options.workers = 1;
  options.fast_jpeg = argc > 3 && std::string_view(argv[3]) == "fast";
  options.device = gestalt::Device{};
  try {
    const int64_t wanted =
        gestalt::bench::Flags::whole_number("IMAGES", argv[2], 1, int64_t{1} << 30);
    Loader loader(open_dataset(argv[1]), train_transform(), options);
    loader.next();  // warm
    const auto start = std::chrono::steady_clock::now();
    const std::clock_t processor = std::clock();
    int64_t images = 0;
    while (images < wanted) images += static_cast<int64_t>(loader.next()->indices.size());
    const double used = static_cast<double>(std::clock() - processor) / CLOCKS_PER_SEC;
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    std::printf("%ld %.6f %.6f\n", images, used, passed.count());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "loader_speed: %s\n", error.what());
    return 1;
  }
}
