// TIFF by libtiff: 8-bit grey, palette and RGB, where its pixels are Pillow's. Its conversion to
// RGB blends alpha, rounds CMYK otherwise and cuts 16 bits, and Pillow turns images by their
// orientation, so those kinds are errors instead of slightly different pixels.

#include <algorithm>
#include <cstring>
#include <memory>
#include <tiffio.h>

#include "data/codecs.h"
#include "kernels/error.h"

namespace gestalt::data::codecs {
namespace {

struct Input {
  std::span<const uint8_t> bytes;
  uint64_t position = 0;
};

tmsize_t read_input(thandle_t handle, void* to, tmsize_t size) {
  auto& input = *static_cast<Input*>(handle);
  if (input.position >= input.bytes.size() || size < 0) return 0;
  const size_t count = std::min<size_t>(size, input.bytes.size() - input.position);
  std::memcpy(to, input.bytes.data() + input.position, count);
  input.position += count;
  return static_cast<tmsize_t>(count);
}

tmsize_t write_nothing(thandle_t, void*, tmsize_t) {
  return 0;
}

toff_t seek_input(thandle_t handle, toff_t offset, int whence) {
  auto& input = *static_cast<Input*>(handle);
  if (whence == SEEK_CUR) offset += input.position;
  if (whence == SEEK_END) offset += input.bytes.size();
  return input.position = offset;
}

int close_nothing(thandle_t) {
  return 0;
}

toff_t input_size(thandle_t handle) {
  return static_cast<Input*>(handle)->bytes.size();
}

uint16_t field(TIFF* tiff, uint32_t tag) {
  uint16_t value = 0;
  return TIFFGetFieldDefaulted(tiff, tag, &value) ? value : 0;
}

}  // namespace

Image decode_tiff(std::span<const uint8_t> bytes, int64_t max_pixels) {
  constexpr const char* damaged = "the TIFF data is truncated or corrupt";
  // libtiff prints on stderr unless told not to; its handlers are global.
  static const bool quiet = [] {
    TIFFSetErrorHandler(nullptr);
    TIFFSetWarningHandler(nullptr);
    return true;
  }();
  static_cast<void>(quiet);

  Input input{bytes};
  // r: read; m: no memory mapping.
  const std::unique_ptr<TIFF, decltype(&TIFFClose)> tiff(
      TIFFClientOpen("tiff", "rm", &input, read_input, write_nothing, seek_input, close_nothing,
                     input_size, nullptr, nullptr),
      &TIFFClose);
  GESTALT_CHECK(tiff != nullptr, "{}", damaged);
  uint32_t width = 0, height = 0;
  TIFFGetField(tiff.get(), TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(tiff.get(), TIFFTAG_IMAGELENGTH, &height);
  check_size(width, height, max_pixels);
  const uint16_t bits = field(tiff.get(), TIFFTAG_BITSPERSAMPLE);
  const uint16_t samples = field(tiff.get(), TIFFTAG_SAMPLESPERPIXEL);
  const uint16_t orientation = field(tiff.get(), TIFFTAG_ORIENTATION);
  uint16_t photometric = 0;
  GESTALT_CHECK(TIFFGetField(tiff.get(), TIFFTAG_PHOTOMETRIC, &photometric), "{}", damaged);
  const bool one_sample =
      photometric == PHOTOMETRIC_MINISBLACK || photometric == PHOTOMETRIC_PALETTE;
  GESTALT_CHECK(
      bits == 8 && orientation == ORIENTATION_TOPLEFT &&
          ((one_sample && samples == 1) || (photometric == PHOTOMETRIC_RGB && samples == 3)),
      "TIFF with {} samples of {} bits, photometric {}, orientation {} is not supported "
      "(8-bit grey, palette and RGB are)",
      samples, bits, photometric, orientation);

  std::vector<uint32_t> raster(static_cast<size_t>(width) * height);
  GESTALT_CHECK(
      TIFFReadRGBAImageOriented(tiff.get(), width, height, raster.data(), ORIENTATION_TOPLEFT, 1),
      "{}", damaged);
  Image image(static_cast<int>(height), static_cast<int>(width));
  uint8_t* to = image.pixels.data();
  for (const uint32_t pixel : raster) {
    *to++ = TIFFGetR(pixel);
    *to++ = TIFFGetG(pixel);
    *to++ = TIFFGetB(pixel);
  }
  return image;
}

}  // namespace gestalt::data::codecs
