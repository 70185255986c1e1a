// libpng, in the same two parts as jpeg.cpp: what setjmp guards holds nothing with a destructor.

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <memory>
#include <png.h>

#include "data/codecs.h"
#include "kernels/error.h"

namespace gestalt::data::codecs {
namespace {

// Deflate shrinks at most about 1032 times: a file that promises more is lying about its size.
constexpr size_t max_deflate_ratio = 1100;

struct PngState {
  png_structp png = nullptr;
  png_infop info = nullptr;
  char message[256] = "out of memory";
  std::span<const uint8_t> input;
  std::vector<uint8_t>* output = nullptr;

  PngState() = default;
  PngState(const PngState&) = delete;
  PngState& operator=(const PngState&) = delete;
};

[[noreturn]] void leave(png_structp png, const char* message) {
  auto* state = static_cast<PngState*>(png_get_error_ptr(png));
  std::snprintf(state->message, sizeof state->message, "%s", message);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep to, size_t size) {
  auto& input = static_cast<PngState*>(png_get_io_ptr(png))->input;
  if (size > input.size()) leave(png, "the PNG data is truncated");
  std::memcpy(to, input.data(), size);
  input = input.subspan(size);
}

void write_bytes(png_structp png, png_bytep from, size_t size) {
  auto& output = *static_cast<PngState*>(png_get_io_ptr(png))->output;
  try {
    output.insert(output.end(), from, from + size);
    return;
  } catch (const std::bad_alloc&) {
  }
  leave(png, "out of memory");
}

void flush_nothing(png_structp) {}

struct Reader : PngState {
  Reader() {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, static_cast<PngState*>(this), leave,
                                 on_warning);
    if (png != nullptr) info = png_create_info_struct(png);
  }
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }

  bool read_header(std::span<const uint8_t> bytes) {
    if (png == nullptr || info == nullptr) return false;
    input = bytes;
    if (setjmp(png_jmpbuf(png))) return false;
    png_set_read_fn(png, static_cast<PngState*>(this), read_bytes);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    // Gamma, profiles, text and transparency don't change the pixels asked for.
    static const png_byte ignored[] =
        "bKGD\0cHRM\0eXIf\0gAMA\0hIST\0iCCP\0iTXt\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0sRGB\0tEXt\0"
        "tIME\0tRNS\0zTXt";
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, 0);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, ignored, sizeof ignored / 5);
    png_read_info(png, info);
    return true;
  }

  // Samples as in the file, unpacked to whole bytes, without alpha; grey of 1, 2 and 4 bits scaled
  // to 0..255; the high byte of 16-bit colour.
  bool set_transforms() {
    if (setjmp(png_jmpbuf(png))) return false;
    const int color = png_get_color_type(png, info);
    const int depth = png_get_bit_depth(png, info);
    if (depth < 8) png_set_packing(png);
    if (color == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
    if (depth == 16 && color != PNG_COLOR_TYPE_GRAY) png_set_strip_16(png);
    if (color & PNG_COLOR_MASK_ALPHA) png_set_strip_alpha(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    return true;
  }

  bool read_pixels(png_bytepp rows) {
    if (setjmp(png_jmpbuf(png))) return false;
    png_read_image(png, rows);
    return true;
  }
};

struct Writer : PngState {
  Writer() {
    png = png_create_write_struct(PNG_LIBPNG_VER_STRING, static_cast<PngState*>(this), leave,
                                  on_warning);
    if (png != nullptr) info = png_create_info_struct(png);
  }
  ~Writer() { png_destroy_write_struct(&png, &info); }

  bool run(const Image& image) {
    if (png == nullptr || info == nullptr) return false;
    if (setjmp(png_jmpbuf(png))) return false;
    png_set_write_fn(png, static_cast<PngState*>(this), write_bytes, flush_nothing);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_IHDR(png, info, image.width, image.height, 8,
                 image.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int y = 0; y < image.height; ++y) png_write_row(png, image.row(y));
    png_write_end(png, info);
    return true;
  }
};

}  // namespace

Image decode_png(std::span<const uint8_t> bytes, int64_t max_pixels) {
  Reader reader;
  GESTALT_CHECK(reader.read_header(bytes), "{}", reader.message);
  const uint32_t width = png_get_image_width(reader.png, reader.info);
  const uint32_t height = png_get_image_height(reader.png, reader.info);
  const int color = png_get_color_type(reader.png, reader.info);
  const int depth = png_get_bit_depth(reader.png, reader.info);
  check_size(width, height, max_pixels);
  GESTALT_CHECK(
      png_get_rowbytes(reader.png, reader.info) * height / max_deflate_ratio <= bytes.size(),
      "the PNG data is truncated");
  GESTALT_CHECK(reader.set_transforms(), "{}", reader.message);

  const size_t row_bytes = png_get_rowbytes(reader.png, reader.info);
  Image image(static_cast<int>(height), static_cast<int>(width));
  std::vector<png_bytep> rows(height);
  if (color & PNG_COLOR_MASK_COLOR && color != PNG_COLOR_TYPE_PALETTE) {
    for (uint32_t y = 0; y < height; ++y) rows[y] = image.row(static_cast<int>(y));
    GESTALT_CHECK(reader.read_pixels(rows.data()), "{}", reader.message);
    return image;
  }

  std::vector<uint8_t> samples(row_bytes * height);
  for (uint32_t y = 0; y < height; ++y) rows[y] = samples.data() + y * row_bytes;
  GESTALT_CHECK(reader.read_pixels(rows.data()), "{}", reader.message);
  png_color palette[256] = {};
  if (color == PNG_COLOR_TYPE_PALETTE) {
    png_colorp entries = nullptr;
    int count = 0;
    png_get_PLTE(reader.png, reader.info, &entries, &count);
    std::copy_n(entries, count, palette);
  } else {
    for (int i = 0; i < 256; ++i) palette[i].red = palette[i].green = palette[i].blue = i;
  }
  const bool wide = depth == 16 && color == PNG_COLOR_TYPE_GRAY;
  uint8_t* to = image.pixels.data();
  const size_t pixels = static_cast<size_t>(width) * height;
  for (size_t i = 0; i < pixels; ++i, to += 3) {
    // Big-endian 16-bit grey is clamped: anything with a high byte is white.
    const uint8_t value = !wide ? samples[i] : samples[2 * i] ? 255 : samples[2 * i + 1];
    const png_color& entry = palette[value];
    to[0] = entry.red;
    to[1] = entry.green;
    to[2] = entry.blue;
  }
  return image;
}

std::vector<uint8_t> encode_png(const Image& image) {
  std::vector<uint8_t> bytes;
  Writer writer;
  writer.output = &bytes;
  GESTALT_CHECK(writer.run(image), "{}", writer.message);
  return bytes;
}

}  // namespace gestalt::data::codecs
