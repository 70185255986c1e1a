#include "tools/common/list_flag.h"

namespace gestalt::tools {

std::vector<std::string> list_values(const std::string& flag,
                                     const std::vector<std::string>& arguments,
                                     const CLI::Validator& check) {
  std::vector<std::string> values;
  for (const std::string& argument : arguments) {
    for (size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
      end = argument.find(',', begin);
      std::string value = argument.substr(begin, end - begin);
      if (value.empty() && argument.find(',') != std::string::npos) {
        throw CLI::ValidationError(flag, "an empty value in '" + argument + "'");
      }
      const std::string error = check(value);
      if (!error.empty()) throw CLI::ValidationError(flag, error);
      values.push_back(value);
    }
  }
  return values;
}

}  // namespace gestalt::tools
