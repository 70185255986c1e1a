#include "tools/common/numbers.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "kernels/error.h"

namespace gestalt::tools {
namespace {

// `words` say what T's values are.
template <class T>
CLI::Validator number_check(const std::string& words) {
  const auto check = [words](const std::string& text) -> std::string {
    T value{};
    if (read_number(text, value)) return {};
    return "must be a " + words + ", got " + text;
  };
  return CLI::Validator(check, "");  // --help has the type already
}

// What came too often; empty where no flag did.
std::string repeated_flag(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    const auto most = static_cast<size_t>(std::max(option->get_items_expected_max(), 1));
    const bool limited = option->get_multi_option_policy() == CLI::MultiOptionPolicy::Throw;
    if (!limited || option->results().size() <= most) continue;
    std::string values;
    for (const std::string& value : option->results()) {
      values += (values.empty() ? "" : ", ") + value;
    }
    return format("{}: takes {}, got {}", option->get_name(),
                  most == 1 ? "one value" : format("{} values", most), values);
  }
  for (const CLI::App* subcommand : app.get_subcommands({})) {
    if (const std::string text = repeated_flag(*subcommand); !text.empty()) return text;
  }
  return {};
}

// What a value of `option` should be where T cannot hold it; else empty.
template <class T>
std::string beyond(const CLI::Option& option) {
  for (const std::string& text : option.results()) {
    T value{};
    if (read_number(text, value)) continue;
    return format("{}: must be a whole number from {} to {}, got {}", option.get_name(),
                  std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), text);
  }
  return {};
}

// The same for the flag that a ConversionError names. Its numbers passed the check, which is of 64
// bits, since an option does not tell how many its variable has: they are fewer then.
std::string number_too_large(const CLI::App& app, const std::string& error) {
  for (const CLI::Option* option : app.get_options()) {
    if (error.find(" " + option->get_name() + " ") == std::string::npos) continue;
    const std::string type = option->get_type_name();
    if (type.starts_with("INT")) return beyond<int32_t>(*option);
    if (type.starts_with("UINT")) return beyond<uint32_t>(*option);
  }
  for (const CLI::App* subcommand : app.get_subcommands({})) {
    if (const std::string text = number_too_large(*subcommand, error); !text.empty()) return text;
  }
  return {};
}

// CLI11 takes a number with a zero in front for octal. What is no number stays as it is.
std::string without_leading_zeros(const std::string& text) {
  const size_t sign = text.find_first_of("+-") == 0 ? 1 : 0;
  const size_t first = std::min(text.find_first_not_of('0', sign), text.size());
  if (first == sign || text.find_first_not_of("0123456789", first) != std::string::npos) {
    return text;
  }
  return text.substr(0, sign) + text.substr(first == text.size() ? first - 1 : first);
}

}  // namespace

void check_numbers(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    const std::string type = option->get_type_name();  // with the texts of its checks after it
    if (type.starts_with("INT") || type.starts_with("UINT")) {
      option->transform(without_leading_zeros);  // in front of all checks
    }
    if (type.starts_with("INT")) {
      option->check(number_check<int64_t>("whole number"));
    } else if (type.starts_with("UINT")) {
      // Too large a number would silently become the largest.
      option->check(number_check<uint64_t>("whole number from 0 to 18446744073709551615"));
    } else if (type.starts_with("FLOAT")) {
      option->check(number_check<double>("number"));
    }
  }
  for (CLI::App* subcommand : app.get_subcommands({})) check_numbers(*subcommand);
}

std::string parse_error_text(const CLI::App& app, const CLI::Error& error) {
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    if (const std::string text = repeated_flag(app); !text.empty()) return text;
  }
  if (dynamic_cast<const CLI::ConversionError*>(&error) != nullptr) {
    const std::string text = number_too_large(app, error.what());
    if (!text.empty()) return text;
  }
  return error.what();
}

}  // namespace gestalt::tools
