#pragma once

// The output folder of a long job.

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace gestalt::tools {

// Makes the folder and writes to it once, so that a job fails before its work, not after. Throws
// Error.
void prepare_output_folder(const std::filesystem::path& folder);

// Whether a file can be written at `path`, whose folder must exist; leaves nothing. Throws Error.
void check_can_write(const std::filesystem::path& path);

// Whole or not at all: written beside, synced, renamed.
void write_text(const std::filesystem::path& path, const std::string& text);

// `settings` with the versions added, as FOLDER/config.json.
void write_config(const std::filesystem::path& folder, const std::string& tool,
                  const nlohmann::json& settings);

// Whether a job that goes on with an earlier one's files, as `flag` asks, has the settings that
// FOLDER/config.json tells, but for `free`, which change no result. Throws Error naming the first
// that differs, or where there is no such file.
void check_same_config(const std::string& flag, const std::filesystem::path& folder,
                       const nlohmann::json& settings, const std::vector<std::string>& free = {});

// Runs gnuplot, in `folder` (empty: the script's own), on a script that stays beside its picture.
// False, with a line on stderr, where gnuplot is missing or fails.
bool run_gnuplot(const std::filesystem::path& script_path, const std::string& script,
                 const std::filesystem::path& folder = {});

}  // namespace gestalt::tools
