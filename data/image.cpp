#include "data/image.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <type_traits>

#include "data/codecs.h"
#include "kernels/error.h"
#include "tensor/io/file_content.h"

namespace gestalt::data {
namespace {

bool starts_with(std::span<const uint8_t> bytes, std::string_view signature, size_t offset = 0) {
  return bytes.size() >= offset + signature.size() &&
         std::memcmp(bytes.data() + offset, signature.data(), signature.size()) == 0;
}

using Decoder = Image (*)(std::span<const uint8_t> bytes, int64_t max_pixels);

// Null when the bytes are no image of a known format.
Decoder decoder_of(std::span<const uint8_t> bytes) {
  using std::string_view_literals::operator""sv;
  if (starts_with(bytes, "\xff\xd8\xff")) return codecs::decode_jpeg;
  if (starts_with(bytes, "\x89PNG\r\n\x1a\n")) return codecs::decode_png;
  if (starts_with(bytes, "RIFF") && starts_with(bytes, "WEBP", 8)) return codecs::decode_webp;
  if (starts_with(bytes, "II*\0"sv) || starts_with(bytes, "MM\0*"sv)) return codecs::decode_tiff;
  if (starts_with(bytes, "BM")) return codecs::decode_bmp;
  if (starts_with(bytes, "P5") || starts_with(bytes, "P6")) return codecs::decode_pnm;
  return nullptr;
}

Image decode(std::span<const uint8_t> bytes, int64_t max_pixels) {
  check_has_content({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (const Decoder decoder = decoder_of(bytes)) return decoder(bytes, max_pixels);
  throw Error("not an image of a known format (JPEG, PNG, WebP, BMP, PPM, TIFF)");
}

std::vector<uint8_t> read_file(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  GESTALT_CHECK(status.type() != std::filesystem::file_type::not_found, "no such file");
  GESTALT_CHECK(!error, "{}", error.message());
  GESTALT_CHECK(!std::filesystem::is_directory(status), "it is a folder");
  std::ifstream file(path, std::ios::binary);
  GESTALT_CHECK(file.is_open(), "{}", std::strerror(errno));
  const auto size = std::filesystem::file_size(path, error);
  GESTALT_CHECK(!error, "{}", error.message());
  std::vector<uint8_t> bytes(size);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
  GESTALT_CHECK(static_cast<uintmax_t>(file.gcount()) == size, "reading failed");
  return bytes;
}

[[noreturn]] void fail(std::string_view name, const Error& reason) {
  throw Error(format("cannot read '{}': {}", name, reason.what()));
}

class DecodedImage : public OpenedImage {
 public:
  explicit DecodedImage(Image image) : image_(std::move(image)) {
    height_ = image_.height;
    width_ = image_.width;
  }
  ImageView decode(const Rectangle& part) override { return ImageView(image_).part(part); }

 private:
  Image image_;
};

// Puts the file's name into the errors of an image that is decoded later.
class NamedImage : public OpenedImage {
 public:
  NamedImage(std::unique_ptr<OpenedImage> image, std::string name)
      : image_(std::move(image)), name_(std::move(name)) {
    height_ = image_->height();
    width_ = image_->width();
  }
  ImageView decode(const Rectangle& part) override {
    return named([&] { return image_->decode(part); });
  }
  DecodedPart decode_for(const Rectangle& part, Size resized) override {
    return named([&] { return image_->decode_for(part, resized); });
  }

 private:
  template <class Decode>
  std::invoke_result_t<Decode> named(const Decode& decode) {
    try {
      return decode();
    } catch (const Error& reason) {
      fail(name_, reason);
    }
  }

  std::unique_ptr<OpenedImage> image_;
  std::string name_;
};

}  // namespace

Image::Image(int height, int width, int channels)
    : height(height), width(width), channels(channels) {
  GESTALT_CHECK(height >= 1 && width >= 1, "[image] size must be at least 1x1, got {}x{}", height,
                width);
  GESTALT_CHECK(channels == 1 || channels == 3, "[image] expected 1 or 3 channels, got {}",
                channels);
  pixels.resize(row_bytes() * height);
}

ImageView::ImageView(const Image& image)
    : ImageView(image.pixels.data(), image.height, image.width, image.channels, image.row_bytes()) {
}

ImageView ImageView::part(const Rectangle& part) const {
  codecs::check_part(part, height, width);
  return {row(part.top) + static_cast<size_t>(part.left) * channels, part.height, part.width,
          channels, stride};
}

Image decode_image(const std::filesystem::path& path) {
  try {
    return decode(read_file(path), max_image_pixels);
  } catch (const Error& reason) {
    fail(path.string(), reason);
  }
}

Image decode_image(std::span<const uint8_t> bytes, std::string_view name, int64_t max_pixels) {
  try {
    return decode(bytes, max_pixels);
  } catch (const Error& reason) {
    fail(name, reason);
  }
}

std::unique_ptr<OpenedImage> open_image(const std::filesystem::path& path) {
  try {
    std::vector<uint8_t> bytes = read_file(path);
    if (decoder_of(bytes) != codecs::decode_jpeg) {
      return std::make_unique<DecodedImage>(decode(bytes, max_image_pixels));
    }
    return std::make_unique<NamedImage>(codecs::open_jpeg(std::move(bytes), max_image_pixels),
                                        path.string());
  } catch (const Error& reason) {
    fail(path.string(), reason);
  }
}

void codecs::check_part(const Rectangle& part, int height, int width) {
  GESTALT_CHECK(part.left >= 0 && part.top >= 0 && part.width >= 1 && part.height >= 1 &&
                    part.width <= width - part.left && part.height <= height - part.top,
                "the part {}x{} at ({}, {}) is not inside {}x{} (height x width, left, top)",
                part.height, part.width, part.left, part.top, height, width);
}

void codecs::check_size(int64_t width, int64_t height, int64_t max_pixels) {
  GESTALT_CHECK(width >= 1 && height >= 1, "its size is {}x{}", width, height);
  GESTALT_CHECK(width <= max_pixels && height <= max_pixels / width,
                "{}x{} pixels are more than the limit of {}", width, height, max_pixels);
}

}  // namespace gestalt::data
