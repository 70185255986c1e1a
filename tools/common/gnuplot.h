#pragma once

// gnuplot, as a program.

#include <filesystem>
#include <string>

namespace gestalt::tools {

// Runs gnuplot, in `folder` (empty: the script's own), on a script that stays beside its picture.
// False, with a line on stderr, where gnuplot is missing, cannot run there, or fails.
bool run_gnuplot(const std::filesystem::path& script_path, const std::string& script,
                 const std::filesystem::path& folder = {});

}  // namespace gestalt::tools
