#pragma once

// Packed images: decoded pixels of many images in one file that is mapped, not read. A safetensors
// file, so that anything else reads it too; the header's __metadata__ is {"format": "gestalt packed
// images 1"}. Tensors, N being the number of images:
// clang-format off
//   images     u8 [N, height, width, 3] where all are of one size, else u8 [bytes], one after another
//   offsets    i64 [N]     where each begins in `images`, in bytes
//   sizes      i64 [N, 2]  height, width
//   checksums  i64 [N]     of the pixels: FNV-1a over little-endian words of 8 bytes, zeros at the end
//   labels     i64 [N]     0 where there are no classes
//   names      u8          each followed by a zero byte
//   classes    u8          likewise, sorted bytewise; [0] where there are none
// clang-format on
//
// Errors: gestalt::Error with the path and the reason (truncated, not a packed file, inconsistent).

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace gestalt::data {

// Whether an image of this size may be in one.
bool fits_packed(int64_t height, int64_t width);

// Whether the file begins as a packed file does; false where it cannot be read.
bool is_packed(const std::filesystem::path& path);

// Checks everything but the pixels.
ImageSourcePtr open_packed(const std::filesystem::path& path);

// Reads every pixel and throws where a checksum is another.
void verify_packed(const std::filesystem::path& path);

// Writes a packed file, whole or not at all. Pixels are kept beside it in a temporary file
// until finish(), so twice the space is needed.
class PackWriter {
 public:
  PackWriter(const std::filesystem::path& path, std::vector<std::string> classes);
  ~PackWriter();  // removes what was written, unless finished
  PackWriter(const PackWriter&) = delete;
  PackWriter& operator=(const PackWriter&) = delete;

  // RGB. Error: another, or more than max_image_pixels, which could not be opened again.
  void add(const std::string& name, int64_t label, const Image& image);
  void finish();  // Error: no image was added

 private:
  std::filesystem::path path_, pixels_path_;
  std::ofstream pixels_;
  ImageIndex index_;
  std::vector<int64_t> offsets_, sizes_, checksums_;
  int64_t bytes_ = 0;
};

}  // namespace gestalt::data
