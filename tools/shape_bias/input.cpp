#include "tools/shape_bias/input.h"

#include <cstdio>
#include <filesystem>

#include "tools/common/choice.h"
#include "tools/common/output.h"

namespace gestalt::tools {

namespace fs = std::filesystem;

const Names<eval::StimulusSet> stimulus_set_names = {{"all", eval::StimulusSet::all},
                                                     {"common", eval::StimulusSet::common}};

void add_input_flags(CLI::App& app, InputSettings& settings) {
  app.add_option("--csv", settings.csv,
                 "decisions in model-vs-human's CSV: files, or folders of them")
      ->default_str("")
      ->required();
  app.add_option("--categories", settings.categories,
                 "JSON, {\"category\": [class, ...], ...}; without, the 16 of Geirhos et al. 2019")
      ->type_name("FILE");
  add_choice(app, "--stimuli", settings.stimuli, stimulus_set_names,
             "all: observers that lack some are left out; common: count only those that "
             "every observer saw");
}

void check_not_input(const std::string& output, const InputSettings& settings) {
  if (output.empty() || !fs::exists(output)) return;
  if (!settings.categories.empty()) check_not_input(output, fs::path(settings.categories));
  for (const fs::path path : settings.csv) {
    if (!fs::is_directory(path)) {
      check_not_input(output, path);
      continue;
    }
    for (const fs::directory_entry& file : fs::directory_iterator(path)) {
      if (file.path().extension() == ".csv") check_not_input(output, file.path());
    }
  }
}

eval::Categories load_categories(const std::string& path) {
  return path.empty() ? eval::sixteen_categories() : eval::read_categories(path);
}

Input read_input(const InputSettings& settings) {
  const eval::Categories categories = load_categories(settings.categories);
  eval::Observations observations = eval::read_observations(
      {settings.csv.begin(), settings.csv.end()}, categories, settings.stimuli);
  for (const eval::LeftOut& file : observations.left_out) {
    std::fprintf(stderr, "left out: %s\n", file.reason.c_str());
  }
  eval::Summary summary = eval::summarize(observations, categories);
  for (const std::string& line : eval::warnings(summary)) {
    std::fprintf(stderr, "warning: %s\n", line.c_str());
  }
  return {categories, std::move(observations), std::move(summary)};
}

}  // namespace gestalt::tools
