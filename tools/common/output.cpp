#include "tools/common/output.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "data/image_source.h"
#include "kernels/error.h"
#include "tensor/context.h"
#include "tensor/counted.h"
#include "tensor/io/atomic_file.h"
#include "tools/common/file_hash.h"
#include "tools/common/utf8.h"
#include "tools/common/version.h"

namespace gestalt::tools {

namespace fs = std::filesystem;

namespace {

// Null where there is no such file, of a kind of its own where it is damaged.
nlohmann::json parse_config(const fs::path& folder) {
  std::ifstream file(folder / "config.json");
  return file.is_open() ? nlohmann::json::parse(file, nullptr, false) : nlohmann::json();
}

// A training's folder is more than its files: it can be resumed.
void check_no_training_of_another_tool(const fs::path& folder, const std::string& tool) {
  const nlohmann::json config = parse_config(folder);
  if (!config.is_object() || !config.contains("tool") || !config["tool"].is_string()) return;
  const std::string before = config["tool"];
  if (before == tool || !before.starts_with("train_")) return;
  throw UsageError(
      format("'{}' is the folder of a run of {}, which {} would write over: give "
             "another",
             folder.string(), before, tool));
}

}  // namespace

void prepare_output_folder(const fs::path& folder, const std::string& tool) {
  check_no_training_of_another_tool(folder, tool);
  std::error_code error;
  fs::create_directories(folder, error);
  GESTALT_CHECK(!error, "cannot make the output folder '{}': {}", folder.string(), error.message());
  check_can_write(folder / "config.json");
}

void check_not_input(const fs::path& output, const fs::path& input) {
  std::error_code error;  // where one of them is not there, they differ
  if (fs::equivalent(output, input, error)) {
    throw UsageError(
        format("'{}' would overwrite its own input '{}'", output.string(), input.string()));
  }
}

void check_not_input(const fs::path& output, const data::ImageSource& images) {
  check_not_input(output, images.location());
  std::error_code error;
  if (!fs::exists(output, error)) return;
  for (int64_t i = 0; i < images.size(); ++i) {
    check_not_input(output, fs::path(images.location()) / images.name(i));
  }
}

bool is_within(const fs::path& path, const fs::path& folder) {
  std::error_code error;  // a path that is none is found out later
  const fs::path relative =
      fs::weakly_canonical(path, error).lexically_relative(fs::weakly_canonical(folder, error));
  return !error && !relative.empty() && *relative.begin() != "..";
}

void check_outside(const fs::path& output, const fs::path& images) {
  std::error_code ignored;
  if (!fs::is_directory(images, ignored) || !is_within(output, images)) return;
  throw UsageError(
      format("the output '{}' lies in the folder '{}', whose images are taken: give one outside",
             output.string(), images.string()));
}

std::string stem_with_extension(const fs::path& path) {
  const std::string extension = path.extension().string();
  return path.stem().string() + (extension.empty() ? "" : "_" + extension.substr(1));
}

std::string flat_stem(const fs::path& name, Extension extension) {
  const bool keeps = extension == Extension::kept;
  const std::string stem = keeps ? stem_with_extension(name) : name.stem().string();
  std::string text = (name.parent_path() / stem).string();
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

void write_text(const fs::path& path, const std::string& text) {
  write_file_atomically(path, text.data(), text.size());
}

void add_common(nlohmann::json& settings, const CommonOptions& common) {
  settings["device"] = common.device;
  settings["seed"] = common.seed;
  settings["threads"] = common.threads;
  settings["quiet"] = common.quiet;
}

nlohmann::json hashes_by_path(const std::set<fs::path>& paths) {
  std::vector<fs::path> files;
  for (const fs::path& path : paths) {
    if (!path.empty()) files.push_back(path);
  }
  const std::vector<std::string> hashes = sha256_of_files(files);
  nlohmann::json by_path = nlohmann::json::object();
  for (size_t i = 0; i < files.size(); ++i) {
    std::error_code ignored;
    nlohmann::json& entry = by_path[files[i].string()];
    if (fs::exists(files[i], ignored)) entry = hashes[i];
  }
  return by_path;
}

void write_config(const fs::path& folder, const std::string& tool, const nlohmann::json& settings) {
  nlohmann::json config;
  config["tool"] = tool;
  config["version"] = version_text();
  config["device"] = to_string(default_device());
  config["settings"] = as_utf8_json(settings);
  write_text(folder / "config.json", config.dump(2) + "\n");
}

namespace {

bool has_settings(const nlohmann::json& config) {
  return config.is_object() && config.contains("settings") && config["settings"].is_object();
}

nlohmann::json read_config(const std::string& flag, const fs::path& folder) {
  const fs::path path = folder / "config.json";
  nlohmann::json config = parse_config(folder);
  GESTALT_CHECK(!config.is_null(), "{}: no run to go on with in '{}'", flag, folder.string());
  GESTALT_CHECK(has_settings(config), "'{}' is damaged", path.string());
  return config;
}

// What both have of settings[key], the same.
template <class Check>
void compare_entries(const nlohmann::json& before, const nlohmann::json& now, const char* key,
                     const Check& check) {
  if (!before.contains(key) || !now.contains(key)) return;
  const nlohmann::json entries = as_utf8_json(now[key]);
  for (const auto& [name, value] : entries.items()) {
    if (before[key].contains(name)) check(name, before[key][name], value);
  }
}

}  // namespace

nlohmann::json settings_of_config(const fs::path& folder, const std::string& tool) {
  const nlohmann::json config = parse_config(folder);
  if (!has_settings(config) || config.value("tool", nlohmann::json()) != tool) return {};
  return config["settings"];
}

void check_same_config(const std::string& flag, const fs::path& folder,
                       const nlohmann::json& settings, const nlohmann::json& defaults,
                       const std::vector<std::string>& free) {
  const nlohmann::json before = read_config(flag, folder)["settings"];
  const nlohmann::json now = as_utf8_json(settings);
  for (const auto& [key, value] : now.items()) {
    if (std::find(free.begin(), free.end(), key) != free.end()) continue;
    // A run from before the flag existed was made as the default makes it.
    const nlohmann::json old =
        before.contains(key) ? before[key] : defaults.value(key, nlohmann::json());
    GESTALT_CHECK(old == value, "{}: {}{} was {}, is now {}", flag, key.size() == 1 ? "-" : "--",
                  key, old.dump(), value.dump());
  }
}

void check_can_resume(const fs::path& folder, const std::string& tool,
                      const nlohmann::json& settings, const nlohmann::json& defaults,
                      std::vector<std::string> free) {
  const nlohmann::json before = read_config("--resume", folder);
  const nlohmann::json other = before.value("tool", nlohmann::json(tool));
  GESTALT_CHECK(other == tool, "--resume: the run in '{}' is of {}", folder.string(), other.dump());
  free.insert(free.end(), {"device", "threads", "quiet", "output", "files", "images"});
  check_same_config("--resume", folder, settings, defaults, free);
  const std::string device = to_string(default_device()), old = before.value("device", device);
  GESTALT_CHECK(old == device, "--resume: the run was on {}, is now on {}", old, device);
  using nlohmann::json;
  compare_entries(before["settings"], settings, "files",
                  [](const std::string& path, const json& old_hash, const json& hash) {
                    GESTALT_CHECK(!hash.is_null(), "--resume: '{}' is missing", path);
                    GESTALT_CHECK(old_hash == hash,
                                  "--resume: '{}' has changed since the run began", path);
                  });
  compare_entries(before["settings"], settings, "images",
                  [](const std::string& set, const json& old_set, const json& set_now) {
                    const auto count = [](const json& of) { return of.value("count", int64_t{0}); };
                    GESTALT_CHECK(count(old_set) == count(set_now),
                                  "--resume: '{}' had {} when the run began, has {} now", set,
                                  counted(count(old_set), "image"), count(set_now));
                    GESTALT_CHECK(old_set == set_now,
                                  "--resume: images of '{}' have changed since the run began", set);
                  });
}

namespace {

// The last that is not blank; gnuplot says there where it stopped and why.
std::string last_line(FILE* file) {
  if (file == nullptr) return "";
  std::rewind(file);
  std::string last;
  char line[512];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    std::string text = line;
    text.erase(text.find_last_not_of(" \n") + 1);
    if (!text.empty()) last = text;
  }
  return last;
}

// Of the child, where gnuplot was not begun.
constexpr int no_program = 127, no_folder = 126;

// How it ended, for the user; empty where it succeeded.
std::string failure_of(pid_t child, FILE* messages, const fs::path& folder) {
  if (child < 0) return format("cannot be started: {}", std::strerror(errno));
  int status = 0;
  if (waitpid(child, &status, 0) != child) return format("was lost: {}", std::strerror(errno));
  if (WIFSIGNALED(status)) return format("ended by signal {}", WTERMSIG(status));
  switch (WEXITSTATUS(status)) {
    case 0:
      return "";
    case no_program:
      return "is missing";
    case no_folder:
      return format("cannot run in '{}'", folder.string());
  }
  const std::string said = last_line(messages);
  return "failed" + (said.empty() ? "" : ": " + said);
}

}  // namespace

bool run_gnuplot(const fs::path& script_path, const std::string& script, const fs::path& folder) {
  write_text(script_path, script);
  const fs::path absolute = fs::absolute(script_path);
  const fs::path where = folder.empty() ? absolute.parent_path() : folder;
  // Its warnings are not the user's: they are kept in a file without a name, shown where it fails.
  // Where there is no such file, they go to stderr.
  FILE* messages = std::tmpfile();
  const pid_t child = fork();
  if (child == 0) {
    if (chdir(where.c_str()) != 0) _exit(no_folder);
    if (messages != nullptr) dup2(fileno(messages), STDERR_FILENO);
    execlp("gnuplot", "gnuplot", absolute.c_str(), static_cast<char*>(nullptr));
    _exit(no_program);
  }
  const std::string failure = failure_of(child, messages, where);
  if (messages != nullptr) std::fclose(messages);
  if (failure.empty()) return true;
  std::fprintf(stderr, "no plot: gnuplot %s; the script is %s\n", failure.c_str(),
               script_path.c_str());
  return false;
}

}  // namespace gestalt::tools
