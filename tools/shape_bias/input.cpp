#include "tools/shape_bias/input.h"

#include <cstdio>

namespace gestalt::tools {

void add_input_flags(CLI::App& app, InputSettings& settings) {
  app.add_option("--csv", settings.csv,
                 "decisions in model-vs-human's CSV: files, or folders of them")
      ->required();
  app.add_option("--categories", settings.categories,
                 "JSON, {\"category\": [class, ...], ...}; the 16 of Geirhos et al. 2019 without")
      ->type_name("FILE");
  app.add_option("--stimuli", settings.stimuli,
                 "all: observers that lack some are left out; common: count on those that every "
                 "observer saw")
      ->check(CLI::IsMember({"all", "common"}));
}

eval::Categories load_categories(const std::string& path) {
  return path.empty() ? eval::sixteen_categories() : eval::read_categories(path);
}

Input read_input(const InputSettings& settings) {
  const eval::Categories categories = load_categories(settings.categories);
  const auto set =
      settings.stimuli == "common" ? eval::StimulusSet::common : eval::StimulusSet::all;
  eval::Observations observations =
      eval::read_observations({settings.csv.begin(), settings.csv.end()}, categories, set);
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
