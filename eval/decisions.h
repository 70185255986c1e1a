#pragma once

// The decisions of observers, networks or people, in the CSV files of model-vs-human (Geirhos et
// al. 2021, "Partial success in closing the gap between human and machine vision"):
//   subj,session,trial,rt,object_response,category,condition,imagename
// A response is a category, or "na" where there was none. `category` is the shape.

#include <filesystem>
#include <string>
#include <vector>

#include "eval/categories.h"
#include "eval/stimulus.h"

namespace gestalt::eval {

inline constexpr const char* no_response = "na";

// One row; what is not interpreted stays the text that it was.
struct Decision {
  std::string subject, session = "1", trial;
  std::string reaction_time = "NaN";  // seconds; NaN for networks
  std::string response, category;
  std::string condition = "NaN";
  std::string image_name;
  Stimulus stimulus;
};

// Columns in any order, others passed over; quotes and CRLF are understood. Throws Error with the
// file, the line and the reason: missing columns, too few fields, an unknown response or category,
// a name that is no stimulus, a stimulus that stands there twice, no rows.
std::vector<Decision> read_decisions(const std::filesystem::path& path,
                                     const Categories& categories);

// As published for networks: lines end in CRLF. Whole or not at all.
void write_decisions(const std::filesystem::path& path, const std::vector<Decision>& decisions);

}  // namespace gestalt::eval
