#pragma once

// Hashes of files, to tell whether they are still what they were: SHA-256, hexadecimal; empty where
// the build has no OpenSSL.

#include <filesystem>
#include <string>
#include <vector>

namespace gestalt::tools {

std::string sha256_of_text(const std::string& text);

// A file that cannot be read counts as empty: that it cannot be is said where it is used.
std::string sha256_of_file(const std::filesystem::path& path);

// Of each, several at once.
std::vector<std::string> sha256_of_files(const std::vector<std::filesystem::path>& paths);

}  // namespace gestalt::tools
