#pragma once

// --csv, --categories, --stimuli: what summarize, plot and report read.

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "eval/summary.h"

namespace gestalt::tools {

struct InputSettings {
  std::vector<std::string> csv;  // files and folders
  std::string categories;        // JSON file; empty: the sixteen
  eval::StimulusSet stimuli = eval::StimulusSet::all;
};

void add_input_flags(CLI::App& app, InputSettings& settings);

// Usage error where writing `output` would replace one of the files that are read.
void check_not_input(const std::string& output, const InputSettings& settings);

eval::Categories load_categories(const std::string& path);

// Files that were left out, and warnings about what the numbers mean, go to stderr.
struct Input {
  eval::Categories categories;
  eval::Observations observations;
  eval::Summary summary;
};
Input read_input(const InputSettings& settings);

}  // namespace gestalt::tools
