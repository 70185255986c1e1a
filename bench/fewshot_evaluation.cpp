// The evaluation of few-shot synthesis: samples of a generator, their features, FID and KID
// against real images, whose features are made before the clock starts. The same work as
// bench/pytorch/fewshot_evaluation.py, which runs both and prints the ratios.
//   fewshot_evaluation INCEPTION GENERATOR REAL_FOLDER [--samples 64] [--size 256] [--threads 2]
//                      [--busy]
// --busy: the process' CPU time in place of the clock's, for a machine that others use.

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "bench/clock.h"
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
  using namespace gestalt;
  bench::Settings settings;
  std::vector<std::string> files;
  try {
    for (int i = 1; i < argc; ++i) {
      const bool flag = std::strncmp(argv[i], "--", 2) == 0;
      if (std::strcmp(argv[i], "--busy") == 0) {
        settings.busy = true;
        continue;
      }
      GESTALT_CHECK(!flag || i + 1 < argc, "{} needs a value", argv[i]);
      if (!flag) {
        files.emplace_back(argv[i]);
      } else if (std::strcmp(argv[i], "--samples") == 0) {
        settings.samples = std::stoll(argv[++i]);
      } else if (std::strcmp(argv[i], "--size") == 0) {
        settings.size = std::stoll(argv[++i]);
      } else if (std::strcmp(argv[i], "--threads") == 0) {
        set_num_threads(std::stoi(argv[++i]));
      } else {
        throw Error(format("no flag {}", argv[i]));
      }
    }
    GESTALT_CHECK(files.size() == 3, "expected INCEPTION GENERATOR REAL_FOLDER");
    settings.inception = files[0];
    settings.generator = files[1];
    settings.real = files[2];
    bench::run(settings);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fewshot_evaluation: %s\n", error.what());
    return 1;
  }
}
