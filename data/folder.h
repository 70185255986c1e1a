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

// Whether the extension is one of images that decode_image does not know: gif, heic, svg ... A user
// may take them for images of his set.
bool has_foreign_image_extension(const std::filesystem::path& path);

// Whether it is no folder, and no pipe, socket or device either, on which reading would wait. True
// of links that lead nowhere: they are files that cannot be read. Asks the system only where the
// listing of the folder did not tell, and for links: on a network file system each question is a
// wait, and a set has a million files.
bool may_be_file(const std::filesystem::directory_entry& entry);

// The image files directly in a folder, by extension, sorted by name (bytewise); a file gives
// itself, whatever its name. Hidden files and subfolders are passed over. Errors, one line with the
// path: missing, not readable, a folder without images. `passed_over` gets the files of foreign
// image extensions, likewise sorted.
std::vector<std::filesystem::path> list_images(
    const std::filesystem::path& path, std::vector<std::filesystem::path>* passed_over = nullptr);

}  // namespace gestalt::data
