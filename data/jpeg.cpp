// libjpeg-turbo. libjpeg reports errors by a callback that must not return, so each entry is in two
// parts: a C part that setjmp guards and that holds nothing with a destructor, and a C++ part
// around it that owns the memory.

#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <jpeglib.h>
#include <memory>
// After jpeglib.h, which must know the types first.
#include <jerror.h>

#include "data/codecs.h"
#include "kernels/error.h"

namespace gestalt::data::codecs {
namespace {

// A progressive file of many scans costs a full pass each; real ones have about ten.
constexpr int max_scans = 500;

struct ErrorState {
  jpeg_error_mgr manager;  // first, so that cinfo->err points at the whole
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void leave(j_common_ptr cinfo, const char* message) {
  auto* state = reinterpret_cast<ErrorState*>(cinfo->err);
  std::snprintf(state->message, sizeof state->message, "%s", message);
  std::longjmp(state->jump, 1);
}

[[noreturn]] void on_error(j_common_ptr cinfo) {
  char message[JMSG_LENGTH_MAX];
  (*cinfo->err->format_message)(cinfo, message);
  leave(cinfo, message);
}

void on_message(j_common_ptr) {}  // warnings: Pillow ignores them too

boolean on_end_of_input(j_decompress_ptr cinfo) {
  leave(reinterpret_cast<j_common_ptr>(cinfo), "the JPEG data is truncated");
}

void on_progress(j_common_ptr cinfo) {
  if (cinfo->is_decompressor &&
      reinterpret_cast<j_decompress_ptr>(cinfo)->input_scan_number > max_scans) {
    leave(cinfo, "too many JPEG scans");
  }
}

void set_error_handlers(jpeg_common_struct* cinfo, ErrorState& state) {
  cinfo->err = jpeg_std_error(&state.manager);
  state.manager.error_exit = on_error;
  state.manager.output_message = on_message;
}

struct Decoder {
  jpeg_decompress_struct cinfo{};
  jpeg_progress_mgr progress{};
  ErrorState error{};

  Decoder() { set_error_handlers(reinterpret_cast<j_common_ptr>(&cinfo), error); }
  ~Decoder() { jpeg_destroy_decompress(&cinfo); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  bool read_header(std::span<const uint8_t> bytes) {
    if (setjmp(error.jump)) return false;
    jpeg_create_decompress(&cinfo);
    progress.progress_monitor = on_progress;
    cinfo.progress = &progress;
    jpeg_mem_src(&cinfo, const_cast<unsigned char*>(bytes.data()), bytes.size());
    cinfo.src->fill_input_buffer = on_end_of_input;
    jpeg_read_header(&cinfo, TRUE);
    return true;
  }

  // `row_stride` bytes a row, of what out_color_space says.
  bool read_pixels(uint8_t* pixels, size_t row_stride) {
    if (setjmp(error.jump)) return false;
    jpeg_start_decompress(&cinfo);
    while (cinfo.output_scanline < cinfo.output_height) {
      JSAMPROW row = pixels + row_stride * cinfo.output_scanline;
      jpeg_read_scanlines(&cinfo, &row, 1);
    }
    // No jpeg_finish_decompress: a missing end-of-image marker after the last row is no error.
    return true;
  }
};

uint8_t multiply_255(unsigned a, unsigned b) {
  const unsigned product = a * b + 128;
  return static_cast<uint8_t>(((product >> 8) + product) >> 8);
}

}  // namespace

Image decode_jpeg(std::span<const uint8_t> bytes, int64_t max_pixels) {
  const auto decoder = std::make_unique<Decoder>();
  GESTALT_CHECK(decoder->read_header(bytes), "{}", decoder->error.message);
  auto& cinfo = decoder->cinfo;
  check_size(cinfo.image_width, cinfo.image_height, max_pixels);
  const int components = cinfo.num_components;
  GESTALT_CHECK(components == 1 || components == 3 || components == 4,
                "JPEG with {} components is not supported", components);
  cinfo.out_color_space = components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;

  Image image(static_cast<int>(cinfo.image_height), static_cast<int>(cinfo.image_width));
  if (components == 3) {
    GESTALT_CHECK(decoder->read_pixels(image.pixels.data(), image.row_bytes()), "{}",
                  decoder->error.message);
    return image;
  }
  const size_t count = static_cast<size_t>(image.height) * image.width;
  std::vector<uint8_t> samples(count * components);
  GESTALT_CHECK(decoder->read_pixels(samples.data(), static_cast<size_t>(image.width) * components),
                "{}", decoder->error.message);
  const uint8_t* from = samples.data();
  uint8_t* to = image.pixels.data();
  for (size_t i = 0; i < count; ++i, from += components, to += 3) {
    // Inverted CMYK: the stored values are 255 - C, 255 - M, 255 - Y, 255 - K.
    for (int c = 0; c < 3; ++c) {
      to[c] = components == 1
                  ? from[0]
                  : static_cast<uint8_t>(from[3] - multiply_255(255u - from[c], from[3]));
    }
  }
  return image;
}

namespace {

struct Encoder {
  jpeg_compress_struct cinfo{};
  ErrorState error{};
  unsigned char* bytes = nullptr;  // malloc'ed by libjpeg
  unsigned long size = 0;

  Encoder() { set_error_handlers(reinterpret_cast<j_common_ptr>(&cinfo), error); }
  ~Encoder() {
    jpeg_destroy_compress(&cinfo);
    std::free(bytes);
  }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  bool run(const Image& image, int quality) {
    if (setjmp(error.jump)) return false;
    jpeg_create_compress(&cinfo);
    jpeg_mem_dest(&cinfo, &bytes, &size);
    cinfo.image_width = image.width;
    cinfo.image_height = image.height;
    cinfo.input_components = image.channels;
    cinfo.in_color_space = image.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&cinfo);  // 4:2:0
    jpeg_set_quality(&cinfo, quality, TRUE);
    jpeg_start_compress(&cinfo, TRUE);
    while (cinfo.next_scanline < cinfo.image_height) {
      JSAMPROW row = const_cast<uint8_t*>(image.row(static_cast<int>(cinfo.next_scanline)));
      jpeg_write_scanlines(&cinfo, &row, 1);
    }
    jpeg_finish_compress(&cinfo);
    return true;
  }
};

}  // namespace

std::vector<uint8_t> encode_jpeg(const Image& image, int quality) {
  const auto encoder = std::make_unique<Encoder>();
  GESTALT_CHECK(encoder->run(image, quality), "{}", encoder->error.message);
  return {encoder->bytes, encoder->bytes + encoder->size};
}

}  // namespace gestalt::data::codecs
