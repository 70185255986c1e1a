#pragma once

// What a GAN's training shows as it goes.

#include "data/image.h"
#include "tools/fewshot/evaluation.h"
#include "tools/fewshot/model.h"

namespace gestalt::tools {

// Images [N,3,H,W] in [0, 1] in rows of `columns`, two white pixels between. Those below 128 pixels
// are enlarged to it, each pixel to a square.
data::Image tile(const Tensor& images, int64_t columns);

// Pictures of the averaged generator, from latents that are always the same for a seed, in batches
// of 8: 8 columns and 4 rows, 4 and 4 from 512 pixels on; or the first batch of them.
enum class SampleSheet { whole, first_batch };
data::Image draw_samples(Sampler& sampler, Sampler::Mode mode, int64_t image_size, uint64_t seed,
                         SampleSheet sheet = SampleSheet::whole);

// The first 8 real images (u8 [N,3,S,S]) as the discriminator takes them apart. Rows: the image;
// its reconstruction from the last features of the big picture, and of the small one; its upper
// left quarter, and the reconstruction of that. In evaluation mode; the discriminator does not
// change.
data::Image draw_reconstructions(GanModel& model, const Tensor& real);

}  // namespace gestalt::tools
