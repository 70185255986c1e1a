#include "tools/synthesis/picture.h"

#include "data/histogram.h"
#include "data/preprocess.h"
#include "data/resample.h"
#include "data/transforms.h"

namespace gestalt::tools {

SourceImage to_source(data::Image original, int64_t size) {
  SourceImage source;
  source.original = std::move(original);
  const int side = static_cast<int>(size);
  source.resized = data::resize(source.original, side, side, data::Filter::lanczos);
  source.target = data::to_texture_input(source.resized);
  return source;
}

namespace {

constexpr float white = 255;

// Three planes of levels, exactly: the network's input space rounds them, and levels on the border
// of two of the histogram's bins would fall into the wrong one.
std::vector<float> levels_of(const data::Image& image) {
  std::vector<uint8_t> planes(image.pixels.size());
  data::apply(data::whole_image(image.height, image.width), data::ImageView(image), planes.data());
  return {planes.begin(), planes.end()};
}

}  // namespace

data::Image finish_picture(const Tensor& result, const SourceImage& source) {
  std::vector<float> planes = data::from_texture_input(result);
  data::match_histogram(planes, levels_of(source.resized), planes);
  const data::Image small = data::planes_to_image(planes, static_cast<int>(result.size(2)),
                                                  static_cast<int>(result.size(3)), white);
  return data::resize(small, source.original.height, source.original.width, data::Filter::lanczos);
}

}  // namespace gestalt::tools
