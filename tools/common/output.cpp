#include "tools/common/output.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/error.h"
#include "tensor/context.h"
#include "tensor/io/atomic_file.h"
#include "tools/common/version.h"

namespace gestalt::tools {

namespace fs = std::filesystem;

void prepare_output_folder(const fs::path& folder) {
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

void write_text(const fs::path& path, const std::string& text) {
  write_file_atomically(path, text.data(), text.size());
}

void add_common(nlohmann::json& settings, const CommonOptions& common) {
  settings["device"] = common.device;
  settings["seed"] = common.seed;
  settings["threads"] = common.threads;
  settings["quiet"] = common.quiet;
}

void write_config(const fs::path& folder, const std::string& tool, const nlohmann::json& settings) {
  nlohmann::json config;
  config["tool"] = tool;
  config["version"] = version_text();
  config["device"] = to_string(default_device());
  config["settings"] = settings;
  // The names of files are any bytes; JSON is UTF-8.
  const auto replace = nlohmann::json::error_handler_t::replace;
  write_text(folder / "config.json", config.dump(2, ' ', false, replace) + "\n");
}

namespace {

nlohmann::json read_config(const std::string& flag, const fs::path& folder) {
  const fs::path path = folder / "config.json";
  std::ifstream file(path);
  GESTALT_CHECK(file.is_open(), "{}: no run to go on with in '{}'", flag, folder.string());
  nlohmann::json config = nlohmann::json::parse(file, nullptr, false);
  const bool is_whole =
      config.is_object() && config.contains("settings") && config["settings"].is_object();
  GESTALT_CHECK(is_whole, "'{}' is damaged", path.string());
  return config;
}

}  // namespace

void check_same_config(const std::string& flag, const fs::path& folder,
                       const nlohmann::json& settings, const std::vector<std::string>& free) {
  const nlohmann::json before = read_config(flag, folder)["settings"];
  for (const auto& [key, value] : settings.items()) {
    if (std::find(free.begin(), free.end(), key) != free.end()) continue;
    const nlohmann::json old = before.value(key, nlohmann::json());
    GESTALT_CHECK(old == value, "{}: {}{} was {}, is now {}", flag, key.size() == 1 ? "-" : "--",
                  key, old.dump(), value.dump());
  }
}

void check_can_resume(const fs::path& folder, const nlohmann::json& settings,
                      std::vector<std::string> free) {
  free.insert(free.end(), {"device", "threads", "quiet", "output", "files"});
  check_same_config("--resume", folder, settings, free);
  const nlohmann::json before = read_config("--resume", folder);
  const std::string device = to_string(default_device()), old = before.value("device", device);
  GESTALT_CHECK(old == device, "--resume: the run was on {}, is now on {}", old, device);
  if (!settings.contains("files")) return;
  const nlohmann::json files = before["settings"].value("files", nlohmann::json::object());
  for (const auto& [path, hash] : settings["files"].items()) {
    GESTALT_CHECK(files.value(path, hash) == hash, "--resume: '{}' has changed since the run began",
                  path);
  }
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

}  // namespace

bool run_gnuplot(const fs::path& script_path, const std::string& script, const fs::path& folder) {
  write_text(script_path, script);
  const fs::path absolute = fs::absolute(script_path);
  const fs::path where = folder.empty() ? absolute.parent_path() : folder;
  // Its warnings are not the user's: they are kept in a file without a name, shown where it fails.
  const std::unique_ptr<FILE, int (*)(FILE*)> messages(std::tmpfile(), std::fclose);
  const pid_t child = messages != nullptr ? fork() : -1;
  if (child == 0) {
    if (chdir(where.c_str()) != 0) _exit(127);
    dup2(fileno(messages.get()), STDERR_FILENO);
    execlp("gnuplot", "gnuplot", absolute.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  int status = 0;
  const bool ended = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status);
  if (ended && WEXITSTATUS(status) == 0) return true;
  const std::string reason =
      ended && WEXITSTATUS(status) == 127 ? "is missing" : "failed: " + last_line(messages.get());
  std::fprintf(stderr, "no plot: gnuplot %s; the script is %s\n", reason.c_str(),
               script_path.c_str());
  return false;
}

}  // namespace gestalt::tools
