#include "tools/synthesis/picture.h"

#include "data/histogram.h"
#include "data/preprocess.h"
#include "data/resample.h"

namespace gestalt::tools {

SourceImage to_source(data::Image original, int64_t size) {
  SourceImage source;
  source.original = std::move(original);
  const int side = static_cast<int>(size);
  source.target =
      data::to_texture_input(data::resize(source.original, side, side, data::Filter::lanczos));
  return source;
}

data::Image finish_picture(const Tensor& result, const SourceImage& source) {
  std::vector<float> planes = data::from_texture_input(result);
  data::match_histogram(planes, data::from_texture_input(source.target), planes);
  const data::Image small = data::planes_to_image(planes, static_cast<int>(result.size(2)),
                                                  static_cast<int>(result.size(3)));
  return data::resize(small, source.original.height, source.original.width, data::Filter::lanczos);
}

}  // namespace gestalt::tools
