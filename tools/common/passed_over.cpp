#include "tools/common/passed_over.h"

#include <algorithm>
#include <cstdio>

#include "kernels/error.h"
#include "tensor/counted.h"

namespace gestalt::tools {

namespace {

std::string line_of(const data::ImageSource& source) {
  constexpr size_t most_named = 3;
  const std::vector<std::string>& files = source.index().passed_over;
  std::string names;
  for (size_t i = 0; i < std::min(files.size(), most_named); ++i) {
    names += (i == 0 ? "'" : ", '") + files[i] + "'";
  }
  if (files.size() > most_named) names += " ...";
  return format("'{}': {} of a kind that is not read, passed over: {} (convert to PNG or JPEG)",
                source.location(), counted(static_cast<int64_t>(files.size()), "image"), names);
}

}  // namespace

std::vector<std::string> passed_over(const std::vector<const data::ImageSource*>& sources) {
  std::vector<std::string> lines;
  for (const data::ImageSource* source : sources) {
    if (source == nullptr || source->index().passed_over.empty()) continue;
    std::string line = line_of(*source);
    if (std::find(lines.begin(), lines.end(), line) == lines.end())
      lines.push_back(std::move(line));
  }
  return lines;
}

void print_passed_over(const std::vector<const data::ImageSource*>& sources) {
  for (const std::string& line : passed_over(sources)) std::fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace gestalt::tools
