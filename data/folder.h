#pragma once

// Finding image files.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace gestalt::data {

std::string lower_case(std::string_view text);  // ASCII

// Whether the extension, in any case, is one that decode_image knows: jpg jpeg png webp bmp ppm pgm
// tif tiff.
bool has_image_extension(const std::filesystem::path& path);

// The image files directly in a folder, by extension, sorted by name (bytewise); a file gives
// itself, whatever its name. Hidden files and subfolders are passed over. Errors, one line with the
// path: missing, not readable, a folder without images.
std::vector<std::filesystem::path> list_images(const std::filesystem::path& path);

}  // namespace gestalt::data
