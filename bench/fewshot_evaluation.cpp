// The evaluation of few-shot synthesis: samples of a generator, their features, FID and KID
// against real images, whose features are made before the clock starts. The same work as
// bench/pytorch/fewshot_evaluation.py, which runs both and prints the ratios.
//   fewshot_evaluation INCEPTION GENERATOR REAL_FOLDER [--samples 64] [--size 256] [--threads 2]
//                      [--busy]
// --busy: the process' CPU time in place of the clock's, for a machine that others use.

#include <cstdio>
#include <string>
#include <vector>

#include "bench/clock.h"
#include "bench/flags.h"
#include "bench/peak_memory.h"
#include "data/dataset.h"
#include "data/transforms.h"
#include "eval/generative_metrics.h"
#include "kernels/error.h"
#include "models/fastgan.h"
#include "tensor/autograd.h"
#include "tensor/io/checkpoint.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/shape.h"

namespace gestalt::bench {
namespace {

struct Settings {
  std::string inception, generator, real;
  int64_t samples = 64, size = 256;
  bool busy = false;
};

Tensor real_features(const Settings& s, eval::InceptionFeatures& extractor) {
  const data::ImageSourcePtr source = data::open_image_tree(s.real);
  std::vector<Tensor> features;
  for (int64_t i = 0; i < source->size(); ++i) {
    const data::Image image = source->read(i);
    Tensor pixels = Tensor::empty({1, 3, image.height, image.width}, {DType::u8, Device{}});
    data::apply(data::whole_image(image.height, image.width), data::ImageView(image),
                pixels.data<uint8_t>());
    features.push_back(extractor(pixels));
  }
  return cat(features, 0);
}

void run(const Settings& s) {
  const NoGradGuard no_grad;
  constexpr int64_t batch = 8;
  Generator random(0);
  models::FastGanGenerator generator({.image_size = s.size}, random);
  generator.load_state_dict(load_weights(s.generator));
  eval::InceptionFeatures extractor(eval::load_inception(s.inception));
  const Tensor real = real_features(s, extractor);
  const double start = now(s.busy);
  double sampling = 0;
  std::vector<Tensor> features;
  for (int64_t first = 0; first < s.samples; first += batch) {
    const double before = now(s.busy);
    const Tensor images = generator.generate(random.normal({batch, 256})).big * 0.5 + 0.5;
    sampling += now(s.busy) - before;
    features.push_back(extractor(images));
  }
  const double before = now(s.busy);
  const eval::GenerativeMetrics metrics = eval::generative_metrics(real, cat(features, 0));
  const double end = now(s.busy);
  std::printf("seconds %.3f  peak_MB %.1f  sampling %.3f  metrics %.3f  fid %.6g  kid %.6g\n",
              end - start, peak_megabytes(), sampling, end - before, metrics.fid, metrics.kid.mean);
}

}  // namespace
}  // namespace gestalt::bench

int main(int argc, char** argv) {
  gestalt::bench::Settings s;
  gestalt::bench::Flags flags(
      "fewshot_evaluation INCEPTION GENERATOR REAL_FOLDER [--samples N] [--size N] [--threads N] "
      "[--busy]");
  flags.add("--samples", s.samples, 2);
  flags.add("--size", s.size);
  flags.add("--busy", s.busy);
  return flags.run(argc, argv, 3, [&](const std::vector<std::string>& files) {
    s.inception = files[0];
    s.generator = files[1];
    s.real = files[2];
    gestalt::bench::run(s);
  });
}
