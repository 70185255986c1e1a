#pragma once

// Reads tests/fixtures/optim/*.txt: cases, each a line of words and options and lines of numbers.

#include <cmath>
#include <fstream>
#include <map>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "kernels/error.h"
#include "tensor/tensor.h"
#include "tests/source_folder.h"

namespace gestalt::optim {

struct FixtureCase {
  std::string name;
  std::vector<std::string> words;              // between the name and the options
  std::map<std::string, std::string> options;  // key=value

  std::vector<std::string> labels;  // the first word of a line where that is no number, else empty
  std::vector<std::vector<double>> lines;

  friend void PrintTo(const FixtureCase& fixture, std::ostream* out) { *out << fixture.name; }

  double option(const std::string& key, double otherwise) const {
    const auto found = options.find(key);
    return found == options.end() ? otherwise : std::stod(found->second);
  }
};

inline std::vector<FixtureCase> read_fixture(const std::string& file) {
  const std::string path = tests::source_folder() / "tests/fixtures/optim" / file;
  std::ifstream in(path);
  GESTALT_CHECK(in.good(), "can't read {}", path);
  std::vector<FixtureCase> cases;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "case") {
      FixtureCase& added = cases.emplace_back();
      words >> added.name;
      while (words >> word) {
        const size_t equals = word.find('=');
        if (equals == std::string::npos) {
          added.words.push_back(word);
        } else {
          added.options[word.substr(0, equals)] = word.substr(equals + 1);
        }
      }
      continue;
    }
    FixtureCase& current = cases.back();
    const bool labelled = word == "start" || word == "end";
    current.labels.push_back(labelled ? word : "");
    std::vector<double>& numbers = current.lines.emplace_back();
    if (!labelled) numbers.push_back(std::stod(word));
    while (words >> word) numbers.push_back(std::stod(word));
  }
  return cases;
}

// |got - expected| <= tolerance * scale; NaN equals NaN, inf equals inf.
inline bool is_close(double got, double expected, double tolerance, double scale) {
  if (std::isnan(expected)) return std::isnan(got);
  return got == expected || std::abs(got - expected) <= tolerance * scale;
}

inline Tensor vector(const std::vector<double>& values) {
  return Tensor::from_vector(values, {static_cast<int64_t>(values.size())}, {.device = Device{}});
}

// As one gets it from a file: other memory.
inline StateDict copied(const StateDict& state) {
  StateDict copy;
  for (const NamedTensor& entry : state) copy.push_back({entry.name, entry.tensor.clone()});
  return copy;
}

}  // namespace gestalt::optim
