#include "tools/common/config.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kernels/error.h"
#include "tensor/context.h"
#include "tensor/counted.h"
#include "tools/common/file_hash.h"
#include "tools/common/json_file.h"
#include "tools/common/output.h"
#include "tools/common/tool.h"
#include "tools/common/utf8.h"
#include "tools/common/version.h"

namespace gestalt::tools {

namespace fs = std::filesystem;

namespace {

bool has_settings(const nlohmann::json& config) {
  return config.is_object() && config.contains("settings") && config["settings"].is_object();
}

nlohmann::json read_config(const std::string& flag, const fs::path& folder) {
  const fs::path path = folder / "config.json";
  nlohmann::json config = read_json(path);
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

bool has_foreign_config(const fs::path& folder) {
  const nlohmann::json config = read_json(folder / "config.json");
  const bool is_of_a_tool =
      has_settings(config) && config.contains("tool") && config["tool"].is_string();
  return !config.is_null() && !is_of_a_tool;
}

std::string tool_of_config(const fs::path& folder) {
  const nlohmann::json config = read_json(folder / "config.json");
  const bool names_it = config.is_object() && config.contains("tool") && config["tool"].is_string();
  return names_it ? config["tool"].get<std::string>() : std::string();
}

nlohmann::json settings_of_config(const fs::path& folder, const std::string& tool) {
  const nlohmann::json config = read_json(folder / "config.json");
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

}  // namespace gestalt::tools
