#pragma once

// The folder of a training that --resume can go on with: config.json, log.txt and
// checkpoint.safetensors, the state from which every later bit follows.

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tensor/io/safetensors.h"
#include "tensor/state_dict.h"
#include "tools/common/config.h"
#include "tools/common/folder_lock.h"
#include "tools/common/log.h"

namespace gestalt::tools {

// Of runs and of evaluation sets: letters, digits, '_' and '-'.
bool is_name(const std::string& text);

// --name, --output, --resume and --resume_if_any, which every training has, in the group of --help
// that its other flags of runs join. The last one sets `resume` where the run has a checkpoint: one
// command for a job that may be stopped and queued again.
inline constexpr const char* run_group = "Run";
void add_run_flags(CLI::App& app, std::string& name, std::string& output, bool& resume);

class RunFolder {
 public:
  // The files that a run of these settings leaves there besides, as a regular expression over their
  // paths within the folder. It should match no name that a user might give a file of his own.
  using Outputs = std::function<std::string(const nlohmann::json& settings)>;
  RunFolder(std::filesystem::path path, std::string tool, Outputs outputs)
      : path_(std::move(path)), tool_(std::move(tool)), outputs_(std::move(outputs)) {}
  // Of a tool whose files have the same names whatever the settings.
  RunFolder(std::filesystem::path path, std::string tool, const std::string& outputs)
      : RunFolder(std::move(path), std::move(tool),
                  Outputs([outputs](const nlohmann::json&) { return outputs; })) {}

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

  // Whether there is a run to go on with that has these settings, but for `free`, which change no
  // result, and paths to the same `inputs`: check_can_resume of config.h. From then on the folder
  // is this run's. Throws Error, also where another process is running there.
  void check_resume(const nlohmann::json& settings, const nlohmann::json& defaults,
                    const std::vector<std::string>& free,
                    const std::vector<InputPath>& inputs = {});
  // Throws UsageError where a new run takes this file, which `flag` names, away with those of the
  // earlier run.
  void check_keeps(const std::string& flag, const std::filesystem::path& input) const;

  // Makes the folder with its config.json and `subfolders`, and opens the log. Throws Error, before
  // it changes a thing, where another process is running there; none may begin there as long as
  // this object is around (FolderLock). A new run takes the files of an earlier one of the same
  // tool away, as that one's settings name them, and no others, so that they are not taken for its
  // own; last, and whatever else can fail should come before: a bad start leaves an earlier run as
  // it is.
  Logger start(const nlohmann::json& settings, const CommonOptions& common, bool resume,
               const std::vector<std::string>& subfolders = {});

  std::filesystem::path checkpoint_path() const;
  // Whole or not at all.
  void save_checkpoint(const StateDict& state, const Metadata& metadata = {}) const;
  StateDict load_checkpoint() const;  // throws Error

 private:
  std::vector<std::filesystem::path> files_of_earlier_run() const;
  void lock();

  std::filesystem::path path_;
  std::string tool_;
  Outputs outputs_;
  std::unique_ptr<FolderLock> lock_;
};

}  // namespace gestalt::tools
