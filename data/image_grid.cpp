#include "data/image_grid.h"

#include <algorithm>
#include <limits>

#include "kernels/error.h"
#include "kernels/rounding.h"

namespace gestalt::data {
namespace {

// Of `count` pictures and what lies between them.
int extent(int64_t count, int size, int gap) {
  int64_t result = 0;
  const bool fits = !__builtin_mul_overflow(count, int64_t{size} + gap, &result) &&
                    result - gap <= std::numeric_limits<int>::max();
  GESTALT_CHECK(fits, "[image_grid] {} images of {} pixels do not fit into a picture", count, size);
  return static_cast<int>(result - gap);
}

}  // namespace

Image draw_image_grid(std::span<const Image> images, const ImageGridOptions& options) {
  GESTALT_CHECK(!images.empty(), "[image_grid] there are no images");
  GESTALT_CHECK(options.columns > 0 && options.gap >= 0,
                "[image_grid] columns must be positive and the gap not negative, got {} and {}",
                options.columns, options.gap);
  const Image& first = images[0];
  for (const Image& image : images) {
    GESTALT_CHECK(image.height == first.height && image.width == first.width &&
                      image.channels == first.channels,
                  "[image_grid] expected images of one size, got {}x{} with {} channels beside "
                  "{}x{} with {} (height x width)",
                  image.height, image.width, image.channels, first.height, first.width,
                  first.channels);
  }
  const auto count = static_cast<int64_t>(images.size());
  const int64_t columns = std::min(options.columns, count), rows = ceil_div(count, columns);
  Image grid(extent(rows, first.height, options.gap), extent(columns, first.width, options.gap),
             first.channels);
  std::fill(grid.pixels.begin(), grid.pixels.end(), options.background);
  for (int64_t i = 0; i < count; ++i) {
    const Image& image = images[static_cast<size_t>(i)];
    const auto top = static_cast<int>(i / columns) * (image.height + options.gap);
    const size_t left = static_cast<size_t>(i % columns) * (image.width + options.gap);
    for (int y = 0; y < image.height; ++y) {
      std::copy_n(image.row(y), image.row_bytes(), grid.row(top + y) + left * image.channels);
    }
  }
  return grid;
}

}  // namespace gestalt::data
