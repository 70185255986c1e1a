#include "tools/fewshot/dataset.h"

#include <algorithm>

#include "data/loader.h"
#include "kernels/error.h"
#include "tensor/ops/shape.h"
#include "tools/fewshot/random.h"

namespace gestalt::tools {
namespace {

// All of a source.
Tensor decode(const data::ImageSourcePtr& source, int64_t size,
              std::vector<std::string>& unreadable) {
  data::LoaderOptions loading;
  loading.sampler.batch_size = source->size();
  loading.dtype = DType::u8;
  data::Loader loader(source, data::square_transform({.resize = static_cast<int>(size)}), loading);
  const auto batch = loader.next();
  for (const auto& [index, reason] : loader.unreadable()) unreadable.push_back(reason);
  return batch->images;
}

// Left to right. [N,C,H,W]
Tensor mirror(const Tensor& images) {
  const Tensor from = images.to(Device{}).contiguous();
  const Tensor to = Tensor::empty(from.shape(), from.options());
  const int64_t width = from.size(3);
  const auto* row = from.data<uint8_t>();
  auto* mirrored = to.data<uint8_t>();
  for (int64_t i = 0; i < from.numel(); i += width) {
    std::reverse_copy(row + i, row + i + width, mirrored + i);
  }
  return to.to(images.device());
}

}  // namespace

FewshotImages::FewshotImages(const std::filesystem::path& path, int64_t size, uint64_t seed)
    : seed_(seed), source_(data::open_images(path)), order_(1, {}) {
  images_ = decode(source_, size, unreadable_);
  mirrored_ = mirror(images_);
  GESTALT_CHECK(images_.size(0) >= 2,
                "'{}' has one readable image; FID and KID need two, and a training more",
                path.string());
  order_ = data::BatchSampler(images_.size(0), {.batch_size = 1, .shuffle = true, .seed = seed});
}

void FewshotImages::fill(Tensor& batch, int64_t step) {
  const int64_t batch_size = batch.size(0);
  Generator random = random_stream(seed_, Stream::images, step);
  for (int64_t i = 0; i < batch_size; ++i) {
    const int64_t place = step * batch_size + i;
    const int64_t chosen = order_.batch(place / size(), place % size())[0];
    const Tensor& from = random.integer(2) == 0 ? images_ : mirrored_;
    select(batch, 0, i).copy_(select(from, 0, chosen));
  }
}

}  // namespace gestalt::tools
