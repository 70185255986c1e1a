#include "tools/common/passed_over.h"

#include <algorithm>
#include <cstdio>

#include "kernels/error.h"
#include "tensor/counted.h"

namespace gestalt::tools {

std::optional<std::string> passed_over(const data::ImageSource& source) {
  constexpr size_t most_named = 3;
  const std::vector<std::string>& files = source.index().passed_over;
  if (files.empty()) return {};
  std::string names;
  for (size_t i = 0; i < std::min(files.size(), most_named); ++i) {
    names += (i == 0 ? "'" : ", '") + files[i] + "'";
  }
  if (files.size() > most_named) names += " ...";
  return format("'{}': {} of a kind that is not read, passed over: {} (convert to PNG or JPEG)",
                source.location(), counted(static_cast<int64_t>(files.size()), "image"), names);
}

void print_passed_over(const data::ImageSource& source) {
  if (const auto line = passed_over(source)) std::fprintf(stderr, "%s\n", line->c_str());
}

}  // namespace gestalt::tools
