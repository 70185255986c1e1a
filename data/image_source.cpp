#include "data/image_source.h"

#include <cstring>

namespace gestalt::data {

Image ImageSource::read(int64_t i) const {
  const auto opened = open(i);
  const ImageView view = opened->decode_whole();
  Image image(view.height, view.width, view.channels);
  for (int y = 0; y < view.height; ++y) std::memcpy(image.row(y), view.row(y), view.row_bytes());
  return image;
}

}  // namespace gestalt::data
