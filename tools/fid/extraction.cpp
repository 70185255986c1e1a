#include "tools/fid/extraction.h"

#include <future>

#include "data/transforms.h"
#include "kernels/error.h"
#include "kernels/parallel.h"
#include "tensor/ops/shape.h"
#include "tools/common/progress.h"
#include "tools/common/tool.h"

namespace gestalt::tools {
namespace {

struct DecodedBatch {
  std::vector<Tensor> images;  // u8 [n,3,H,W] on the CPU: neighbours of one size together
  std::vector<std::string> unreadable;
};

struct Decoded {
  data::Image image;
  std::string error;  // why there is none
};

Tensor planes_of(std::span<const Decoded> images) {
  const data::Image& first = images.front().image;
  const int64_t count = static_cast<int64_t>(images.size());
  Tensor batch = Tensor::empty({count, 3, first.height, first.width}, {DType::u8, Device{}});
  const int64_t bytes = batch.numel() / count;
  for (int64_t i = 0; i < count; ++i) {
    const data::ImageView view = images[static_cast<size_t>(i)].image;
    data::apply(data::whole_image(view.height, view.width), view,
                batch.data<uint8_t>() + i * bytes);
  }
  return batch;
}

// As pack_images --resize square has them.
data::Image read(const data::ImageSource& source, int64_t index, int resize) {
  if (resize == 0) return source.read(index);
  const std::unique_ptr<data::OpenedImage> image = source.open(index);
  data::Geometry geometry = data::whole_image(image->height(), image->width());
  data::resize_to(geometry, resize, resize);
  return data::render(geometry, image->decode_whole());
}

DecodedBatch decode(const data::ImageSource& source, int64_t first, int64_t count, int resize,
                    int threads) {
  set_num_threads(threads);  // of this thread's loops
  std::vector<Decoded> decoded(static_cast<size_t>(count));
  parallel_for(count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      try {
        decoded[i].image = read(source, first + i, resize);
      } catch (const Error& error) {
        decoded[i].error = error.what();
      }
    }
  });
  DecodedBatch batch;
  std::vector<Decoded> readable;
  for (Decoded& each : decoded) {
    if (each.error.empty()) {
      readable.push_back(std::move(each));
    } else {
      batch.unreadable.push_back(std::move(each.error));
    }
  }
  const auto same_size = [&](size_t a, size_t b) {
    return readable[a].image.height == readable[b].image.height &&
           readable[a].image.width == readable[b].image.width;
  };
  for (size_t begin = 0, end = 0; begin < readable.size(); begin = end) {
    while (end < readable.size() && same_size(begin, end)) ++end;
    batch.images.push_back(planes_of(std::span(readable).subspan(begin, end - begin)));
  }
  return batch;
}

Tensor features_of(const std::vector<Tensor>& images, eval::InceptionFeatures& extractor,
                   eval::PixelRange range) {
  std::vector<Tensor> prepared;
  for (const Tensor& batch : images) {
    prepared.push_back(extractor.prepare(batch.to(default_device()), range));
  }
  return extractor.of_prepared(prepared.size() == 1 ? prepared[0] : cat(prepared, 0));
}

}  // namespace

eval::FeatureOrigin origin_of(const eval::FeatureNetwork& network, eval::PixelRange range,
                              int resize) {
  eval::FeatureOrigin origin = eval::origin_of(network, range);
  if (resize > 0) {
    origin.resize = format("Pillow bilinear to {}x{}, {}", resize, resize, origin.resize);
  }
  return origin;
}

std::optional<Extraction> extract(const data::ImageSource& source,
                                  eval::InceptionFeatures& extractor,
                                  std::span<const eval::PixelRange> ranges,
                                  const ExtractionOptions& options) {
  // Beside a network on the CPU decoding is little; beside a GPU it is what takes time.
  const int decoders = default_device().type == DeviceType::cpu ? 1 : num_threads();
  const auto decode_from = [&](int64_t first) {
    const int64_t count = std::min(options.batch_size, source.size() - first);
    return std::async(std::launch::async, decode, std::cref(source), first, count, options.resize,
                      decoders);
  };
  Extraction result;
  std::vector<std::vector<Tensor>> of_range(ranges.size());  // on the CPU, batch by batch
  std::vector<Tensor> computing;                             // on the device
  const auto read_computing = [&] {
    for (size_t i = 0; i < computing.size(); ++i) {
      of_range[i].push_back(computing[i].to(Device{}));
    }
    computing.clear();
  };
  Progress progress(options.what, source.size(), options.quiet);
  progress.update(0, "");
  std::future<DecodedBatch> next = decode_from(0);
  for (int64_t first = 0; first < source.size(); first += options.batch_size) {
    const DecodedBatch batch = next.get();
    const int64_t end = std::min(first + options.batch_size, source.size());
    if (interrupted()) return {};
    if (end < source.size()) next = decode_from(end);
    for (const std::string& reason : batch.unreadable) result.unreadable.push_back(reason);
    if (batch.images.empty()) continue;
    std::vector<Tensor> queued;
    for (const eval::PixelRange range : ranges) {
      queued.push_back(features_of(batch.images, extractor, range));
    }
    read_computing();  // of the batch before: the device has this one to go on with
    computing = std::move(queued);
    progress.update(end, "");
  }
  read_computing();
  progress.finish();
  GESTALT_CHECK(!of_range.empty() && !of_range[0].empty(),
                "{}: none of the {} images can be read; the first: {}", source.location(),
                source.size(), result.unreadable.front());
  for (size_t i = 0; i < ranges.size(); ++i) {
    result.features.push_back({.values = cat(of_range[i], 0),
                               .origin = origin_of(extractor.network(), ranges[i], options.resize),
                               .unreadable = static_cast<int64_t>(result.unreadable.size())});
  }
  return result;
}

}  // namespace gestalt::tools
