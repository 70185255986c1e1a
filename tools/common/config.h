#pragma once

// config.json, the settings of a job in its folder, and whether a later one can go on with its
// files.

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "kernels/types.h"

namespace gestalt::tools {

struct CommonOptions;

// The common flags, for config.json.
void add_common(nlohmann::json& settings, const CommonOptions& common);

// {path: hash of the content, null where there is no such file}, for settings["files"] of
// check_can_resume; empty paths are passed over.
nlohmann::json hashes_by_path(const std::set<std::filesystem::path>& paths);
// The same by what a file is for ("pretrained"), whatever its path.
nlohmann::json hashes_by_role(const std::map<std::string, std::filesystem::path>& files);

// `settings`, as_utf8_json, with the version and the default device added, as FOLDER/config.json.
void write_config(const std::filesystem::path& folder, const std::string& tool,
                  const nlohmann::json& settings);

// Whether FOLDER/config.json is there and none that write_config wrote: a user's own, or another
// program's.
bool has_foreign_config(const std::filesystem::path& folder);

// The tool that wrote FOLDER/config.json; empty where there is none of it, or it names none.
std::string tool_of_config(const std::filesystem::path& folder);

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

// A setting that says where an input lies: a path, or a list of NAME=PATH. What lies there is known
// by its hash, so that a run may go on with a copy of it elsewhere.
struct InputPath {
  std::string setting;
  std::string kind;  // "files" or "images": settings[kind] has the hash ...
  std::string role;  // ... under this name; under each NAME of a list
};

// Whether --resume can go on with the run in `folder` to the same bits: check_same_config, the
// common flags and --output free, and each of `inputs` whose hash both have; and besides the same
// kind of device (check_same_device), the same content of every file that both have under
// settings["files"], and the same images in every set that both have under settings["images"]
// (image_hash.h); and the run is `tool`'s. Throws Error naming what differs.
void check_can_resume(const std::filesystem::path& folder, const std::string& tool,
                      const nlohmann::json& settings, const nlohmann::json& defaults,
                      std::vector<std::string> free, const std::vector<InputPath>& inputs = {});

// Whether the run that `config` (config.json) tells of was on a device of the same type and, of
// GPUs, of the same model; their numbers, which a scheduler deals out, may differ. `description`:
// Runtime::describe of `device`. Throws Error.
void check_same_device(const nlohmann::json& config, Device device, const std::string& description);

}  // namespace gestalt::tools
