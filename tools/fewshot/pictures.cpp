#include "tools/fewshot/pictures.h"

#include <algorithm>

#include "data/image_grid.h"
#include "data/preprocess.h"
#include "models/fastgan_losses.h"
#include "nn/resize.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"
#include "tools/fewshot/random.h"
#include "tools/fewshot/step.h"

namespace gestalt::tools {

data::Image tile(const Tensor& given, int64_t columns) {
  constexpr int64_t legible = 128;
  const int64_t factor = std::max<int64_t>(1, legible / given.size(3));
  const Tensor images =
      factor == 1 ? given
                  : nn::resize_nearest(given, {factor * given.size(2), factor * given.size(3)});
  return data::draw_image_grid(data::from_unit_tensors(images), {.columns = columns});
}

data::Image draw_samples(Sampler& sampler, Sampler::Mode mode, int64_t image_size, uint64_t seed,
                         SampleSheet sheet) {
  constexpr int64_t rows = 4, batch_size = 8;
  const int64_t columns = image_size < 512 ? 8 : 4;
  const int64_t count = sheet == SampleSheet::whole ? rows * columns : batch_size;
  Generator random = random_stream(seed, Stream::pictures, 0);
  seed_noise(sampler.network(), seed, -1);
  std::vector<Tensor> batches;
  for (int64_t begin = 0; begin < count; begin += batch_size) {
    const Tensor z = random.normal({batch_size, sampler.latent_size()});
    batches.push_back(sampler.images(z, mode));
  }
  return tile(cat(batches, 0), columns);
}

data::Image draw_reconstructions(GanModel& model, const Tensor& real) {
  const NoGradGuard no_grad;
  const int64_t count = std::min<int64_t>(8, real.size(0));
  const Tensor images = to_symmetric(narrow(real, 0, 0, count));
  models::FastGanDiscriminator& discriminator = model.discriminator();
  discriminator.eval();
  constexpr int part = 0;
  const models::FastGanJudgement judgement =
      discriminator.judge_real(models::both_sizes(images), part);
  discriminator.train();
  const Pair size = {judgement.whole.size(2), judgement.whole.size(3)};
  const Tensor rows[] = {nn::resize_nearest(images, size), judgement.whole, judgement.small,
                         nn::resize_nearest(models::quarter(images, part).contiguous(), size),
                         judgement.part};
  return tile(clamp((cat(rows, 0) + 1.0) * 0.5, 0, 1), count);
}

}  // namespace gestalt::tools
