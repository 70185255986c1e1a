// WebP by OpenCV, without animations (of which Pillow gives the first frame).

#include <cstring>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "data/codecs.h"
#include "kernels/error.h"

namespace gestalt::data::codecs {
namespace {

uint32_t little_endian(const uint8_t* bytes, int size) {
  uint32_t value = 0;
  while (size-- > 0) value = value << 8 | bytes[size];
  return value;
}

}  // namespace

Image decode_webp(std::span<const uint8_t> bytes, int64_t max_pixels) {
  constexpr const char* damaged = "the WebP data is truncated or corrupt";
  GESTALT_CHECK(bytes.size() >= 30 && little_endian(&bytes[4], 4) + uint64_t{8} <= bytes.size(),
                "{}", damaged);
  // The size stands at another place in each of the three kinds: lossy, lossless, extended.
  if (std::memcmp(&bytes[12], "VP8 ", 4) == 0) {
    check_size(little_endian(&bytes[26], 2) & 0x3fff, little_endian(&bytes[28], 2) & 0x3fff,
               max_pixels);
  } else if (std::memcmp(&bytes[12], "VP8L", 4) == 0) {
    const uint32_t size = little_endian(&bytes[21], 4);
    check_size((size & 0x3fff) + 1, (size >> 14 & 0x3fff) + 1, max_pixels);
  } else {
    GESTALT_CHECK((bytes[20] & 2) == 0, "animated WebP is not supported");
    check_size(int64_t{little_endian(&bytes[24], 3)} + 1, int64_t{little_endian(&bytes[27], 3)} + 1,
               max_pixels);
  }
  cv::Mat pixels;
  try {
    const cv::Mat input(1, static_cast<int>(bytes.size()), CV_8U,
                        const_cast<uint8_t*>(bytes.data()));
    pixels = cv::imdecode(input, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  } catch (const cv::Exception& error) {
    throw Error(error.err);
  }
  GESTALT_CHECK(!pixels.empty(), "{}", damaged);
  Image image(pixels.rows, pixels.cols);
  cv::Mat rgb(pixels.rows, pixels.cols, CV_8UC3, image.pixels.data());
  cv::cvtColor(pixels, rgb, cv::COLOR_BGR2RGB);
  return image;
}

}  // namespace gestalt::data::codecs
