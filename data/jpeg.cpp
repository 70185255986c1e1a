// libjpeg-turbo. libjpeg reports errors by a callback that must not return, so each entry is in two
// parts: a C part that setjmp guards and that holds nothing with a destructor, and a C++ part
// around it that owns the memory.

#include <algorithm>
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <jpeglib.h>
#include <memory>
#include <optional>
// After jpeglib.h, which must know the types first.
#include <jerror.h>

#include "data/codecs.h"
#include "data/recycled.h"
#include "kernels/error.h"
#include "kernels/rounding.h"

namespace gestalt::data::codecs {
namespace {

// A progressive file of many scans costs a full pass each; real ones have about ten.
constexpr int max_scans = 500;
constexpr int margin = 8;  // pixels

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

  bool start(int denominator) {
    if (setjmp(error.jump)) return false;
    const int components = cinfo.num_components;
    cinfo.out_color_space = components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;
    cinfo.scale_num = 1;
    cinfo.scale_denom = static_cast<unsigned>(denominator);
    jpeg_start_decompress(&cinfo);
    return true;
  }

  // Rows [top, top + height), and at least the columns [left, left + width): `left` and `width`
  // become those that read_rows gives.
  bool skip_to(int top, int& left, int& width) {
    if (setjmp(error.jump)) return false;
    const JDIMENSION first = static_cast<JDIMENSION>(std::max(left - margin, 0));
    const JDIMENSION last =
        std::min(static_cast<JDIMENSION>(left + width + margin), cinfo.output_width);
    JDIMENSION crop_left = first, crop_width = last - first;
    if (crop_width < cinfo.output_width) jpeg_crop_scanline(&cinfo, &crop_left, &crop_width);
    if (top > 0) jpeg_skip_scanlines(&cinfo, static_cast<JDIMENSION>(top));
    left = static_cast<int>(crop_left);
    width = static_cast<int>(crop_width);
    return true;
  }

  // `stride` bytes a row, of what out_color_space says.
  bool read_rows(uint8_t* pixels, size_t stride, int height) {
    if (setjmp(error.jump)) return false;
    constexpr int at_once = 4;
    const JDIMENSION first = cinfo.output_scanline;
    const JDIMENSION last = first + static_cast<JDIMENSION>(height);
    while (cinfo.output_scanline < last) {
      JSAMPROW rows[at_once];
      const JDIMENSION count = std::min<JDIMENSION>(at_once, last - cinfo.output_scanline);
      for (JDIMENSION i = 0; i < count; ++i) {
        rows[i] = pixels + stride * (cinfo.output_scanline - first + i);
      }
      jpeg_read_scanlines(&cinfo, rows, count);
    }
    // No jpeg_finish_decompress: a missing end-of-image marker after the last row is no error.
    return true;
  }
};

uint8_t multiply_255(unsigned a, unsigned b) {
  const unsigned product = a * b + 128;
  return static_cast<uint8_t>(((product >> 8) + product) >> 8);
}

// Grey, or inverted CMYK (the stored values are 255 - C, 255 - M, 255 - Y, 255 - K), to RGB.
void to_rgb(const uint8_t* from, int components, size_t count, uint8_t* to) {
  for (size_t i = 0; i < count; ++i, from += components, to += 3) {
    for (int c = 0; c < 3; ++c) {
      to[c] = components == 1
                  ? from[0]
                  : static_cast<uint8_t>(from[3] - multiply_255(255u - from[c], from[3]));
    }
  }
}

class JpegImage : public OpenedImage {
 public:
  JpegImage(std::span<const uint8_t> bytes, int64_t max_pixels) {
    GESTALT_CHECK(decoder_.read_header(bytes), "{}", decoder_.error.message);
    const auto& cinfo = decoder_.cinfo;
    check_size(cinfo.image_width, cinfo.image_height, max_pixels);
    const int components = cinfo.num_components;
    GESTALT_CHECK(components == 1 || components == 3 || components == 4,
                  "JPEG with {} components is not supported", components);
    height_ = static_cast<int>(cinfo.image_height);
    width_ = static_cast<int>(cinfo.image_width);
  }
  JpegImage(std::vector<uint8_t> bytes, int64_t max_pixels)
      : JpegImage(std::span<const uint8_t>(bytes), max_pixels) {
    bytes_ = std::move(bytes);  // keeps the address that the decoder has
  }

  ImageView decode(const Rectangle& part) override {
    check_wanted(part);
    return decode_at(1, part);
  }

  DecodedPart decode_for(const Rectangle& part, Size resized) override {
    check_wanted(part);
    const auto [left, top, width, height] = part;
    int denominator = 8;
    while (denominator > 1 &&
           (width / denominator < resized.width || height / denominator < resized.height)) {
      denominator /= 2;
    }
    const int first_column = left / denominator, first_row = top / denominator;
    const int columns = ceil_div(left + width, denominator) - first_column,
              rows = ceil_div(top + height, denominator) - first_row;
    const ImageView pixels = decode_at(denominator, {first_column, first_row, columns, rows});
    if (denominator == 1) return pixels;
    const auto scaled = [&](int position) {
      return static_cast<float>(position) / static_cast<float>(denominator);
    };
    const Box box{scaled(left - first_column * denominator), scaled(top - first_row * denominator),
                  scaled(left + width - first_column * denominator),
                  scaled(top + height - first_row * denominator)};
    return {pixels, box};
  }

  Image take() {
    image_->image.pixels.shrink_to_fit();
    return std::move(image_->image);
  }

 private:
  void check_wanted(const Rectangle& part) const {
    check_part(part, height_, width_);
    GESTALT_CHECK(!decoder_.cinfo.output_scanline && !image_, "it was decoded before");
  }

  // part: of the image at 1 / denominator of its size
  ImageView decode_at(int denominator, const Rectangle& part) {
    int decoded_left = part.left, decoded_width = part.width;
    const int height = part.height;
    check(decoder_.start(denominator));
    check(decoder_.skip_to(part.top, decoded_left, decoded_width));
    Image& image = image_.emplace(height, decoded_width).image;
    const int components = decoder_.cinfo.num_components;
    if (components == 3) {
      check(decoder_.read_rows(image.pixels.data(), image.row_bytes(), height));
    } else {
      const size_t count = static_cast<size_t>(height) * decoded_width;
      std::vector<uint8_t> samples(count * components);
      check(decoder_.read_rows(samples.data(), static_cast<size_t>(decoded_width) * components,
                               height));
      to_rgb(samples.data(), components, count, image.pixels.data());
    }
    return ImageView(image).part({part.left - decoded_left, 0, part.width, height});
  }

  void check(bool done) const { GESTALT_CHECK(done, "{}", decoder_.error.message); }

  std::vector<uint8_t> bytes_;
  Decoder decoder_;
  std::optional<RecycledImage> image_;
};

}  // namespace

std::unique_ptr<OpenedImage> open_jpeg(std::vector<uint8_t> bytes, int64_t max_pixels) {
  return std::make_unique<JpegImage>(std::move(bytes), max_pixels);
}

Image decode_jpeg(std::span<const uint8_t> bytes, int64_t max_pixels) {
  const auto image = std::make_unique<JpegImage>(bytes, max_pixels);
  image->decode_whole();
  return image->take();
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
