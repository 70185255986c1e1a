#include "tools/common/config.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "kernels/error.h"
#include "kernels/runtime.h"
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

nlohmann::json hashes_of(const std::vector<std::pair<std::string, fs::path>>& named) {
  std::vector<fs::path> files;
  for (const auto& [name, path] : named) files.push_back(path);
  const std::vector<std::string> hashes = sha256_of_files(files);
  nlohmann::json by_name = nlohmann::json::object();
  for (size_t i = 0; i < files.size(); ++i) {
    std::error_code ignored;
    nlohmann::json& entry = by_name[named[i].first];
    if (fs::exists(files[i], ignored)) entry = hashes[i];
  }
  return by_name;
}

// Both with the same values but for `free`. What `before` does not tell was as in `defaults`: a run
// from before the flag existed was made as the default makes it.
void compare_settings(const std::string& flag, const nlohmann::json& before,
                      const nlohmann::json& now, const nlohmann::json& defaults,
                      const std::vector<std::string>& free) {
  for (const auto& [key, value] : now.items()) {
    if (std::find(free.begin(), free.end(), key) != free.end()) continue;
    const nlohmann::json old =
        before.contains(key) ? before[key] : defaults.value(key, nlohmann::json());
    GESTALT_CHECK(old == value, "{}: {}{} was {}, is now {}", flag, key.size() == 1 ? "-" : "--",
                  key, old.dump(), value.dump());
  }
}

// What both have of settings[key], the same.
template <class Check>
void compare_entries(const nlohmann::json& before, const nlohmann::json& now, const char* key,
                     const Check& check) {
  if (!before.contains(key) || !now.contains(key)) return;
  for (const auto& [name, value] : now[key].items()) {
    if (before[key].contains(name)) check(name, before[key][name], value);
  }
}

// Hashes are empty in a build without OpenSSL. A file that is not there has null: that is told.
bool has_hash(const nlohmann::json& settings, const std::string& kind, const std::string& role) {
  if (!settings.contains(kind) || !settings[kind].contains(role)) return false;
  const nlohmann::json& entry = settings[kind][role];
  return entry.is_object() ? entry.value("hash", "") != "" : entry != "";
}

// Older versions noted an input under its path.
void note_by_role(nlohmann::json& settings, const InputPath& input) {
  const nlohmann::json& path = settings[input.setting];
  if (!path.is_string() || !settings.contains(input.kind)) return;
  nlohmann::json& entries = settings[input.kind];
  const auto by_path = entries.find(path.get<std::string>());
  if (by_path != entries.end() && !entries.contains(input.role)) entries[input.role] = *by_path;
}

// Paths to what is known by its hash in both are made the same; of lists the names stay.
void take_out_paths(nlohmann::json& before, nlohmann::json& now,
                    const std::vector<InputPath>& inputs) {
  for (const InputPath& input : inputs) {
    if (!before.contains(input.setting) || !now.contains(input.setting)) continue;
    note_by_role(before, input);
    const auto both_have = [&](const std::string& role) {
      return has_hash(before, input.kind, role) && has_hash(now, input.kind, role);
    };
    nlohmann::json &old = before[input.setting], &value = now[input.setting];
    if (!value.is_array()) {
      if (both_have(input.role)) old = value;
      continue;
    }
    for (nlohmann::json* list : {&old, &value}) {
      for (nlohmann::json& each : *list) {
        const std::string text = each, name = text.substr(0, text.find('='));
        if (both_have(name)) each = name;
      }
    }
  }
}

std::string description_of(Device device) {
  return context(device).runtime().describe(device.index);
}

// "NVIDIA H200" of "NVIDIA H200 (sm_90, ...".
std::string model_of(const std::string& description) {
  return description.substr(0, description.find(" (sm_"));
}

}  // namespace

void add_common(nlohmann::json& settings, const CommonOptions& common) {
  settings["device"] = common.device;
  settings["seed"] = common.seed;
  settings["threads"] = common.threads;
  settings["quiet"] = common.quiet;
}

nlohmann::json hashes_by_path(const std::set<fs::path>& paths) {
  std::vector<std::pair<std::string, fs::path>> named;
  for (const fs::path& path : paths) {
    if (!path.empty()) named.emplace_back(path.string(), path);
  }
  return hashes_of(named);
}

nlohmann::json hashes_by_role(const std::map<std::string, fs::path>& files) {
  std::vector<std::pair<std::string, fs::path>> named;
  for (const auto& [role, path] : files) {
    if (!path.empty()) named.emplace_back(role, path);
  }
  return hashes_of(named);
}

void write_config(const fs::path& folder, const std::string& tool, const nlohmann::json& settings) {
  nlohmann::json config;
  config["tool"] = tool;
  config["version"] = version_text();
  const Device device = default_device();
  config["device"] = to_string(device);
  if (device.is_cuda()) config["gpu"] = description_of(device);
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
  compare_settings(flag, read_config(flag, folder)["settings"], as_utf8_json(settings), defaults,
                   free);
}

void check_can_resume(const fs::path& folder, const std::string& tool,
                      const nlohmann::json& settings, const nlohmann::json& defaults,
                      std::vector<std::string> free, const std::vector<InputPath>& inputs) {
  using nlohmann::json;
  const json config = read_config("--resume", folder);
  const json other = config.value("tool", json(tool));
  GESTALT_CHECK(other == tool, "--resume: the run in '{}' is of {}", folder.string(), other.dump());
  json before = config["settings"], now = as_utf8_json(settings);
  take_out_paths(before, now, inputs);
  free.insert(free.end(), {"device", "threads", "quiet", "output", "files", "images"});
  compare_settings("--resume", before, now, defaults, free);
  check_same_device(config, default_device(), description_of(default_device()));
  // What the user knows it by: its path where its role is but the setting's name.
  const auto name_of = [&](const std::string& role) -> std::string {
    for (const InputPath& input : inputs) {
      if (input.role == role && input.setting == role) return now[input.setting];
    }
    return role;
  };
  compare_entries(before, now, "files",
                  [&](const std::string& name, const json& old_hash, const json& hash) {
                    GESTALT_CHECK(!hash.is_null(), "--resume: '{}' is missing", name_of(name));
                    GESTALT_CHECK(old_hash == hash,
                                  "--resume: '{}' has changed since the run began", name_of(name));
                  });
  compare_entries(before, now, "images",
                  [&](const std::string& name, const json& old_set, const json& set_now) {
                    const std::string set = name_of(name);
                    const auto count = [](const json& of) { return of.value("count", int64_t{0}); };
                    GESTALT_CHECK(count(old_set) == count(set_now),
                                  "--resume: '{}' had {} when the run began, has {} now", set,
                                  counted(count(old_set), "image"), count(set_now));
                    GESTALT_CHECK(old_set == set_now,
                                  "--resume: images of '{}' have changed since the run began", set);
                  });
}

void check_same_device(const nlohmann::json& config, Device device,
                       const std::string& description) {
  const std::string now = to_string(device), old = config.value("device", now);
  const auto type_of = [](const std::string& name) { return name.substr(0, name.find(':')); };
  GESTALT_CHECK(type_of(old) == type_of(now), "--resume: the run was on {}, is now on {}", old,
                now);
  if (!device.is_cuda() || !config.contains("gpu")) return;
  const std::string old_model = model_of(config["gpu"]), model = model_of(description);
  GESTALT_CHECK(old_model == model, "--resume: the run was on {}, is now on {}", old_model, model);
}

}  // namespace gestalt::tools
