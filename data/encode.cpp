#include "data/encode.h"

#include <string>

#include "data/codecs.h"
#include "data/folder.h"
#include "kernels/error.h"
#include "tensor/io/atomic_file.h"

namespace gestalt::data {

std::vector<uint8_t> encode_image(const Image& image, std::string_view extension, int quality) {
  const std::string kind = lower_case(extension);
  GESTALT_CHECK(image.height >= 1 && image.width >= 1, "[image] cannot encode an empty image");
  GESTALT_CHECK(quality >= 1 && quality <= 100, "[image] JPEG quality must be 1..100, got {}",
                quality);
  if (kind == ".png") return codecs::encode_png(image);
  GESTALT_CHECK(kind == ".jpg" || kind == ".jpeg",
                "[image] cannot write '{}' files (.jpg, .jpeg and .png are known)", extension);
  return codecs::encode_jpeg(image, quality);
}

void save_image(const std::filesystem::path& path, const Image& image, int quality) {
  std::vector<uint8_t> bytes;
  try {
    bytes = encode_image(image, path.extension().string(), quality);
  } catch (const Error& error) {
    throw Error(format("cannot write '{}': {}", path.string(), error.what()));
  }
  write_file_atomically(path.string(), bytes.data(), bytes.size());
}

}  // namespace gestalt::data
