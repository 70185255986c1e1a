#include "tools/common/output.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/error.h"
#include "tensor/io/atomic_file.h"
#include "tools/common/tool.h"

namespace gestalt::tools {

namespace fs = std::filesystem;

void prepare_output_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  GESTALT_CHECK(!error, "cannot make the output folder '{}': {}", folder.string(), error.message());
  check_can_write(folder / "config.json");
}

void check_can_write(const fs::path& path) {
  std::error_code error;
  GESTALT_CHECK(!fs::is_directory(path, error), "'{}' is a folder, not a file", path.string());
  fs::path probe = path;
  probe += ".write_test." + std::to_string(::getpid());  // no file of the user's
  write_text(probe, "");
  fs::remove(probe, error);
}

void write_text(const fs::path& path, const std::string& text) {
  write_file_atomically(path, text.data(), text.size());
}

void write_config(const fs::path& folder, const std::string& tool, const nlohmann::json& settings) {
  nlohmann::json config;
  config["tool"] = tool;
  config["version"] = version_text();
  config["settings"] = settings;
  write_text(folder / "config.json", config.dump(2) + "\n");
}

void check_same_config(const std::string& flag, const fs::path& folder,
                       const nlohmann::json& settings, const std::vector<std::string>& free) {
  const fs::path path = folder / "config.json";
  std::ifstream file(path);
  GESTALT_CHECK(file.is_open(), "{}: no run to go on with in '{}'", flag, folder.string());
  const nlohmann::json before = nlohmann::json::parse(file, nullptr, false);
  GESTALT_CHECK(before.is_object() && before.contains("settings"), "'{}' is damaged",
                path.string());
  for (const auto& [key, value] : settings.items()) {
    if (std::find(free.begin(), free.end(), key) != free.end()) continue;
    const nlohmann::json old = before["settings"].value(key, nlohmann::json());
    GESTALT_CHECK(old == value, "{}: --{} was {}, is now {}", flag, key, old.dump(), value.dump());
  }
}

bool run_gnuplot(const fs::path& script_path, const std::string& script, const fs::path& folder) {
  write_text(script_path, script);
  const fs::path absolute = fs::absolute(script_path);
  const fs::path where = folder.empty() ? absolute.parent_path() : folder;
  const pid_t child = fork();
  if (child == 0) {
    if (chdir(where.c_str()) != 0) _exit(127);
    execlp("gnuplot", "gnuplot", absolute.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  int status = 0;
  if (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
      WEXITSTATUS(status) == 0) {
    return true;
  }
  std::fprintf(stderr, "no plot: gnuplot is missing or failed; the script is %s\n",
               script_path.c_str());
  return false;
}

}  // namespace gestalt::tools
