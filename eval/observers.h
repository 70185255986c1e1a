#pragma once

// Observers, networks and people, gathered from files of decisions.

#include <filesystem>
#include <string>
#include <vector>

#include "eval/categories.h"
#include "eval/decisions.h"

namespace gestalt::eval {

// Under one subject name, from any number of files (sessions).
struct Observer {
  std::string name;
  std::vector<std::filesystem::path> files;
  std::vector<Decision> decisions;  // every stimulus at most once
};

// Observers that are counted together: all people ("subject-01", ...) are "humans"; every other
// observer is a group of its own.
struct ObserverGroup {
  std::string name;
  std::vector<Observer> members;
};

inline constexpr const char* humans = "humans";

struct LeftOut {
  std::string path;    // the file, or the observer of several
  std::string reason;  // one line that names the file
};

struct Observations {
  std::vector<ObserverGroup> groups;  // in the order in which they are met
  std::vector<LeftOut> left_out;
  size_t stimuli = 0;  // that every observer saw

  const ObserverGroup* find(const std::string& name) const;
};

enum class StimulusSet {
  all,     // observers that lack stimuli which others saw are left out
  common,  // observers are counted on the stimuli that every one of them saw
};

// Paths are CSV files or folders of them (*.csv, sorted by name). What is missing or cannot be read
// is left out; throws Error, with the first reason, where nothing is left.
Observations read_observations(const std::vector<std::filesystem::path>& paths,
                               const Categories& categories,
                               StimulusSet stimuli = StimulusSet::all);

}  // namespace gestalt::eval
