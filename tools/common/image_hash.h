#pragma once

// Hashes of sets of images, to tell whether they are still what they were: SHA-256, hexadecimal;
// empty where the build has no OpenSSL.

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "data/image_source.h"

namespace gestalt::tools {

// Of the encoded files in their order; of a packed file hash_listing. `path`: what the source was
// opened from.
std::string hash_images(const data::ImageSource& source, const std::filesystem::path& path);

// Of the names, and of the sizes of the files: takes no reading, for sets of millions. An image
// that became another of the same size is not seen, but in a packed file, by the checksums in it.
std::string hash_listing(const data::ImageSource& source);

// Of each image: of its file, or the checksum of its pixels that a packed file has.
std::vector<std::string> hash_each(const data::ImageSource& source);

// {"count", "hash"} of a set, for settings["images"] of check_can_resume.
nlohmann::json image_set(const data::ImageSource& source, const std::string& hash);

}  // namespace gestalt::tools
