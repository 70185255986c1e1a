#pragma once

// What observers decided, in numbers: a table for the terminal, JSON for programs.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "eval/categories.h"
#include "eval/observers.h"
#include "eval/shape_bias.h"

namespace gestalt::eval {

struct MemberSummary {
  std::string name;
  ShapeBias bias;
};

struct GroupSummary {
  std::string name;
  std::vector<std::string> files;
  std::vector<MemberSummary> members;
  ShapeBias bias;  // pooled over the members
};

struct PairConsistency {
  std::string a, b;  // members
  int64_t n = 0;
  double observed = 0, expected = 0, kappa = 0;  // eval/error_consistency.h
};

struct Summary {
  Categories categories;
  size_t stimuli = 0;
  std::vector<GroupSummary> groups;
  std::vector<PairConsistency> pairs;  // every two members of any groups
  // [group][group]: mean kappa over pairs of different members; NaN where there is none.
  std::vector<std::vector<double>> group_kappa;
  std::vector<LeftOut> left_out;
};

Summary summarize(const Observations& observations, const Categories& categories);

// docs/shape_bias.md describes both.
nlohmann::json to_json(const Summary& summary);
std::string to_table(const Summary& summary);

// A line for each group whose hit rate is near chance.
std::vector<std::string> warnings(const Summary& summary);

}  // namespace gestalt::eval
