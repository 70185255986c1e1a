#pragma once

// The output folder of a long job.

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "tools/common/tool.h"

namespace gestalt::data {
class ImageSource;
}

namespace gestalt::tools {

// Makes the folder and writes to it once, so that a job fails before its work, not after. Throws
// Error, and UsageError where it is that of a training by another tool, which could not be resumed.
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

// "a_jpg" of "a.jpg", where another picture of the folder is "a" without its extension.
std::string stem_with_extension(const std::filesystem::path& path);

// With the folders: "painter_2" or "painter_2_jpg" of "painter/2.jpg".
enum class Extension { left_out, kept };
std::string flat_stem(const std::filesystem::path& name, Extension extension);

// Whole or not at all: written beside, synced, renamed.
void write_text(const std::filesystem::path& path, const std::string& text);

// The common flags, for config.json.
void add_common(nlohmann::json& settings, const CommonOptions& common);

// {path: hash of the content, null where there is no such file}, for settings["files"] of
// check_can_resume; empty paths are passed over.
nlohmann::json hashes_by_path(const std::set<std::filesystem::path>& paths);

// `settings`, as_utf8_json, with the version and the default device added, as FOLDER/config.json.
void write_config(const std::filesystem::path& folder, const std::string& tool,
                  const nlohmann::json& settings);

// The settings in FOLDER/config.json where `tool` wrote it; null where there is none of it, or a
// damaged one.
nlohmann::json settings_of_config(const std::filesystem::path& folder, const std::string& tool);

// Whether a job that goes on with an earlier one's files, as `flag` asks, has the settings that
// FOLDER/config.json tells, but for `free`, which change no result. What it does not tell, because
// it was written before there was that flag, was as in `defaults`. Throws Error naming the first
// that differs, or where there is no such file.
void check_same_config(const std::string& flag, const std::filesystem::path& folder,
                       const nlohmann::json& settings, const nlohmann::json& defaults,
                       const std::vector<std::string>& free = {});

// Whether --resume can go on with the run in `folder` to the same bits: check_same_config, the
// common flags and --output free, and besides the same device, the same content of every file that
// both have under settings["files"] (hashes_by_path), and the same images in every set that both
// have under settings["images"] (image_hash.h); and the run is `tool`'s. Throws Error naming what
// differs.
void check_can_resume(const std::filesystem::path& folder, const std::string& tool,
                      const nlohmann::json& settings, const nlohmann::json& defaults,
                      std::vector<std::string> free = {});

// Runs gnuplot, in `folder` (empty: the script's own), on a script that stays beside its picture.
// False, with a line on stderr, where gnuplot is missing, cannot run there, or fails.
bool run_gnuplot(const std::filesystem::path& script_path, const std::string& script,
                 const std::filesystem::path& folder = {});

}  // namespace gestalt::tools
