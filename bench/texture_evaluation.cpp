// One evaluation of texture synthesis: VGG-19 with average pooling to pool4 on one 256x256 image,
// Gram matrices at five taps, the loss, and its gradient to the image. The same work as
// bench/pytorch/texture_evaluation.py, with the same output, for runs side by side:
//   texture_evaluation [--threads 2] [--repeats 20] [--exact]

#include <cmath>
#include <cstdio>

#include "bench/clock.h"
#include "bench/flags.h"
#include "bench/peak_memory.h"
#include "bench/texture_step.h"
#include "tensor/context.h"

namespace gestalt::bench {
namespace {

void run(int64_t repeats) {
  // Without the paper's scale, the loss is PyTorch's plain sum of squares.
  const models::SynthesisOptions options = {.tap_weights = std::vector<double>(5, 4e-9),
                                            .fraction = 1};
  TextureStep step({1, 3, 256, 256}, options, default_device());
  double best = INFINITY;
  for (int64_t i = 0; i <= repeats; ++i) {  // the first is the warm-up
    const double start = now(false);
    step();
    const double elapsed = now(false) - start;
    if (i > 0) best = std::min(best, elapsed);
  }
  std::printf("seconds %.4f  peak_MB %.1f  loss %.6g\n", best, peak_megabytes(), step.loss());
}

}  // namespace
}  // namespace gestalt::bench

int main(int argc, char** argv) {
  int64_t repeats = 20;
  bool exact = false;
  gestalt::bench::Flags flags("texture_evaluation [--threads N] [--repeats N] [--exact]");
  flags.add("--repeats", repeats);
  flags.add("--exact", exact);
  return flags.run(argc, argv, 0, [&](const auto&) {
    gestalt::context({}).set_exact(exact);
    gestalt::bench::run(repeats);
  });
}
