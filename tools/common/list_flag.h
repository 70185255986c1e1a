#pragma once

// Flags of several values: one argument, A,B, or the flag comes again. CLI11's own delimiter passes
// over empty values, and takes the flag behind for a value where all are empty.

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace gestalt::tools {

// The values of the arguments that a flag was given, as text. Throws CLI::ValidationError, naming
// the flag, for an empty one between commas and for what `check` refuses.
std::vector<std::string> list_values(const std::string& flag,
                                     const std::vector<std::string>& arguments,
                                     const CLI::Validator& check);

// Whether `text` is a T; what it is then is in `value`.
template <class T>
bool read_value(const std::string& text, T& value) {
  return CLI::detail::lexical_cast(text, value);
}

// `values` has the default, which --help shows behind `description`; `check` is of each value.
template <class T>
CLI::Option* add_list(CLI::App& app, const std::string& flags, std::vector<T>& values,
                      const std::string& description, const CLI::Validator& check = {}) {
  const auto take = [&values, check, flag = flags.substr(0, flags.find(','))](
                        const std::vector<std::string>& arguments) {
    values.clear();
    for (const std::string& text : list_values(flag, arguments, check)) {
      if (!read_value(text, values.emplace_back())) throw CLI::ConversionError(text, flag);
    }
  };
  return app
      .add_option_function<std::vector<std::string>>(flags, take, description + "; comma-separated")
      ->allow_extra_args(false)
      ->type_name("A,B")
      ->default_str(CLI::detail::join(values, ","));
}

}  // namespace gestalt::tools
