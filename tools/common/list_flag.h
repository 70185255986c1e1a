#pragma once

// Flags of several values: one argument, A,B, or the flag comes again. CLI11's own delimiter passes
// over empty values, and takes the flag after it for a value where all are empty.

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "kernels/error.h"
#include "tools/common/numbers.h"

namespace gestalt::tools {

// The values of the arguments that a flag was given, as text. Throws CLI::ValidationError, naming
// the flag, for an empty one between commas and for what `check` refuses.
std::vector<std::string> list_values(const std::string& flag,
                                     const std::vector<std::string>& arguments,
                                     const CLI::Validator& check);

inline void read_value(const std::string&, const std::string& text, std::string& value) {
  value = text;
}
inline void read_value(const std::string& flag, const std::string& text, double& value) {
  if (!read_number(text, value)) {
    throw CLI::ValidationError(flag, "must be a number, got " + text);
  }
}

// `values`, strings or doubles, has the default, which --help shows after `description`; `check`
// is of each value.
template <class T>
CLI::Option* add_list(CLI::App& app, const std::string& flags, std::vector<T>& values,
                      const std::string& description, const CLI::Validator& check = {}) {
  const auto take = [&values, check, flag = flags.substr(0, flags.find(','))](
                        const std::vector<std::string>& arguments) {
    values.clear();
    for (const std::string& text : list_values(flag, arguments, check)) {
      read_value(flag, text, values.emplace_back());
    }
  };
  std::string defaults;
  for (const T& value : values) defaults += format("{}{}", defaults.empty() ? "" : ",", value);
  return app
      .add_option_function<std::vector<std::string>>(flags, take, description + "; comma-separated")
      ->allow_extra_args(false)
      ->type_name(check.get_description().empty() ? "A,B" : "A,B:" + check.get_description())
      ->default_str(defaults);
}

}  // namespace gestalt::tools
