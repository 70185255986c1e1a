#pragma once

// Writing images. JPEG as Pillow's Image.save(path) writes it by default: quality 75, 4:2:0
// chroma, standard Huffman tables (the same bytes, while both use libjpeg-turbo). PNG: libpng's
// default compression.
//
// Files are atomic: written beside the target under a temporary name, fsync'ed, then renamed.
// Errors: gestalt::Error with the file and the reason; the temporary file is removed.

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "data/image.h"

namespace gestalt::data {

inline constexpr int default_jpeg_quality = 75;
inline constexpr int longest_jpeg_side = 65500;  // libjpeg's limit, pixels

// `extension` is .jpg, .jpeg or .png in any case; `quality` is 1..100, for JPEG alone.
std::vector<uint8_t> encode_image(const Image& image, std::string_view extension,
                                  int quality = default_jpeg_quality);

// The format is that of the path's extension.
void save_image(const std::filesystem::path& path, const Image& image,
                int quality = default_jpeg_quality);

}  // namespace gestalt::data
