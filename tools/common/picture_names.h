#pragma once

// Names of pictures that are made of others, by the names of those.

#include <filesystem>
#include <string>

namespace gestalt::tools {

// "a_jpg" of "a.jpg", where another picture of the folder is "a" without its extension.
std::string stem_with_extension(const std::filesystem::path& path);

// With the folders: "painter_2" or "painter_2_jpg" of "painter/2.jpg".
enum class Extension { left_out, kept };
std::string flat_stem(const std::filesystem::path& name, Extension extension);

}  // namespace gestalt::tools
