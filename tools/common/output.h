#pragma once

// What a job writes: its folder, made before the work, and files that are none of its inputs.

#include <filesystem>
#include <string>

namespace gestalt::data {
class ImageSource;
}

namespace gestalt::tools {

// Makes the folder, and those above it, where it is missing. Throws Error.
void make_folder(const std::filesystem::path& folder);

// Makes the folder and writes to it once, so that a job fails before its work, not after. Throws
// Error, and UsageError where it is that of a training by another tool, which could not be resumed,
// or has a config.json of a user's own, which would be lost.
void prepare_output_folder(const std::filesystem::path& folder, const std::string& tool);

// Throws UsageError where `output` is the file `input`, by whatever name: writing it would cost the
// user the input.
void check_not_input(const std::filesystem::path& output, const std::filesystem::path& input);

// Likewise where it is the packed file or one of the images of the folder.
void check_not_input(const std::filesystem::path& output, const data::ImageSource& images);

// Whether `path`, which need not be there, is `folder` or lies in it, by whatever names.
bool is_within(const std::filesystem::path& path, const std::filesystem::path& folder);

// Throws UsageError where `output` lies in `images`, a folder of which all subfolders are taken:
// the next run would find its own files among the images, or a class of that name. A packed file,
// or a picture alone, holds none.
void check_outside(const std::filesystem::path& output, const std::filesystem::path& images);

// Whole or not at all: written beside, synced, renamed.
void write_text(const std::filesystem::path& path, const std::string& text);

}  // namespace gestalt::tools
