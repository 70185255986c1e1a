// Training images from a folder: decode, random resized crop to 224, mirror, normalize, batches of
// 32, one worker.
//
//   loader_speed FOLDER [--images 1000] [--fast] [--threads 2]
//
// FOLDER: class folders, or a packed file. --fast: JPEGs at a reduced size. Prints the number of
// images, and the seconds of processor time and of the clock that they took.
// bench/pytorch/loader.py runs it beside PyTorch.

#include <cstdio>

#include "bench/clock.h"
#include "bench/flags.h"
#include "data/loader.h"

namespace gestalt::bench {
namespace {

void run(const std::string& folder, int64_t wanted, bool fast) {
  data::LoaderOptions options;
  options.sampler = {.batch_size = 32, .shuffle = true};
  options.epochs = 1 << 20;
  options.workers = 1;
  options.fast_jpeg = fast;
  options.device = Device{};
  data::Loader loader(data::open_dataset(folder), data::train_transform(), options);
  loader.next();  // warm
  const double start = now(false), start_of_processor = now(true);
  int64_t images = 0;
  while (images < wanted) images += static_cast<int64_t>(loader.next()->indices.size());
  const double used = now(true) - start_of_processor, passed = now(false) - start;
  std::printf("images %ld  cpu_seconds %.6f  seconds %.6f\n", images, used, passed);
}

}  // namespace
}  // namespace gestalt::bench

int main(int argc, char** argv) {
  int64_t images = 1000;
  bool fast = false;
  gestalt::bench::Flags flags("loader_speed FOLDER [--images N] [--fast] [--threads N]");
  flags.add("--images", images);
  flags.add("--fast", fast);
  return flags.run(argc, argv, 1, [&](const std::vector<std::string>& given) {
    gestalt::bench::run(given[0], images, fast);
  });
}
