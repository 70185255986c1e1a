#include "kernels/error.h"

#include <cstdio>

namespace gestalt {

FormatArg::FormatArg(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.6g", value);
  text_ = buffer;
}

std::string format_args(std::string_view pattern, std::initializer_list<FormatArg> args) {
  std::string out;
  auto arg = args.begin();
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern.substr(i, 2) == "{}" && arg != args.end()) {
      out += (arg++)->text();
      ++i;
    } else {
      out += pattern[i];
    }
  }
  return out;
}

}  // namespace gestalt
