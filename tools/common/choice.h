#pragma once

// Flags whose value is one of some names, each of which stands for a value in the program.

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

#include "kernels/types.h"

namespace gestalt::tools {

// In the order of --help. No name and no value comes twice.
template <class T>
using Names = std::vector<std::pair<std::string, T>>;

// As config.json has it. `value` must be among them.
template <class T>
const std::string& name_of(const Names<T>& names, const T& value) {
  size_t i = 0;
  while (names.at(i).second != value) ++i;
  return names[i].first;
}

// `value` has the default. The names are the flag's, and no numbers as CLI::CheckedTransformer
// takes them.
template <class T>
CLI::Option* add_choice(CLI::App& app, const std::string& flags, T& value, const Names<T>& names,
                        const std::string& description) {
  const auto take = [&value, names](const std::string& given) {
    for (const auto& [name, each] : names) {
      if (name == given) value = each;
    }
  };
  std::vector<std::string> known;
  for (const auto& [name, each] : names) known.push_back(name);
  return app.add_option_function<std::string>(flags, take, description)
      ->check(CLI::IsMember(known))
      ->default_str(name_of(names, value));
}

// Where f32 may be given up for speed.
inline const Names<DType> training_dtype_names = {{"f32", DType::f32}, {"bf16", DType::bf16}};

// What a run can do where that pays by itself.
enum class Choice { automatic, on, off };
inline const Names<Choice> choice_names = {
    {"auto", Choice::automatic}, {"on", Choice::on}, {"off", Choice::off}};

// `automatic`: whether it pays.
constexpr bool is_on(Choice choice, bool automatic) {
  return choice == Choice::on || (choice == Choice::automatic && automatic);
}

}  // namespace gestalt::tools
