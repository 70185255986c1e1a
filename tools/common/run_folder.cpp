#include "tools/common/run_folder.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>

#include "kernels/error.h"
#include "tensor/io/checkpoint.h"
#include "tools/common/output.h"

namespace gestalt::tools {

namespace fs = std::filesystem;

namespace {

constexpr const char* checkpoint_file = "checkpoint.safetensors";

}  // namespace

bool is_name(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-';
  });
}

void add_run_flags(CLI::App& app, std::string& name, std::string& output, bool& resume) {
  const auto check = [](const std::string& text) -> std::string {
    if (is_name(text)) return {};
    return format("must be of letters, digits, '_' and '-', got '{}'", text);
  };
  app.add_option("--name", name, "name of the run; its folder is OUTPUT/NAME")
      ->check(CLI::Validator(check, ""))
      ->group(run_group);
  app.add_option("-o,--output", output, "folder of the runs")->group(run_group);
  CLI::Option* always =
      app.add_flag("--resume", resume, "go on with an interrupted run, to the same bits")
          ->group(run_group);
  CLI::Option* if_any = app.add_flag("--resume_if_any")
                            ->description("--resume where the run has a checkpoint")
                            ->group(run_group)
                            ->excludes(always);
  app.final_callback([&name, &output, &resume, if_any] {
    std::error_code ignored;  // what can't be looked at is no run to go on with
    if (if_any->count() > 0)
      resume = fs::exists(fs::path(output) / name / checkpoint_file, ignored);
  });
}

void RunFolder::check_resume(const nlohmann::json& settings, const nlohmann::json& defaults,
                             const std::vector<std::string>& free,
                             const std::vector<InputPath>& inputs) {
  check_can_resume(path_, tool_, settings, defaults, free, inputs);
  GESTALT_CHECK(fs::exists(checkpoint_path()), "--resume: no checkpoint in '{}'", path_.string());
  lock();  // before the checkpoint is read
}

fs::path RunFolder::checkpoint_path() const {
  return path_ / checkpoint_file;
}

void RunFolder::lock() {
  if (!lock_) lock_ = std::make_unique<FolderLock>(path_);
}

std::vector<fs::path> RunFolder::files_of_earlier_run() const {
  std::vector<fs::path> files = {checkpoint_path()};
  const nlohmann::json settings = settings_of_config(path_, tool_);
  if (settings.is_null()) return files;  // what else is here is somebody else's
  std::regex own;
  try {
    own = std::regex(outputs_(settings) + R"(|events\.out\.tfevents\.[0-9]+\.gestalt\.[0-9]+)");
  } catch (const std::exception& error) {
    throw Error(format("'{}' is damaged: {}", (path_ / "config.json").string(), error.what()));
  }
  const auto options = fs::directory_options::skip_permission_denied;
  for (auto each = fs::recursive_directory_iterator(path_, options); each != fs::end(each);
       ++each) {
    if (each.depth() == 1) each.disable_recursion_pending();  // runs have no deeper folders
    const fs::path& file = each->path();
    if (each->is_regular_file() &&
        std::regex_match(file.lexically_relative(path_).generic_string(), own)) {
      files.push_back(file);
    }
  }
  return files;
}

void RunFolder::check_keeps(const std::string& flag, const fs::path& input) const {
  std::error_code ignored;
  for (const fs::path& file : files_of_earlier_run()) {
    if (!fs::equivalent(file, input, ignored)) continue;
    throw UsageError(format(
        "{} '{}' is of the earlier run in '{}', which this one replaces: give another --name", flag,
        input.string(), path_.string()));
  }
}

Logger RunFolder::start(const nlohmann::json& settings, const CommonOptions& common, bool resume,
                        const std::vector<std::string>& subfolders) {
  prepare_output_folder(path_, tool_);
  lock();
  for (const std::string& name : subfolders) make_folder(path_ / name);
  std::vector<fs::path> earlier;
  if (!resume) earlier = files_of_earlier_run();
  Logger logger = begin_log(path_, common, resume, [&] {
    for (const fs::path& file : earlier) fs::remove(file);
  });
  write_config(path_, tool_, settings);
  if (!lock_->warning().empty()) logger->warn(lock_->warning());
  return logger;
}

void RunFolder::save_checkpoint(const StateDict& state, const Metadata& metadata) const {
  write_safetensors(checkpoint_path().string(), state, metadata);
}

StateDict RunFolder::load_checkpoint() const {
  return read_checkpoint(checkpoint_path().string()).tensors;
}

}  // namespace gestalt::tools
