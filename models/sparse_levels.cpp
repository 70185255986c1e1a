#include "models/sparse_levels.h"

#include <charconv>
#include <cmath>
#include <vector>

#include "kernels/error.h"

namespace gestalt::models {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (size_t begin = 0;;) {
    const size_t end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end - begin));
    if (end == std::string::npos) return parts;
    begin = end + 1;
  }
}

template <class T>
std::vector<T> numbers(const std::string& list, const std::string& text,
                       const std::string& examples) {
  std::vector<T> values;
  for (const std::string& part : split(list, '-')) {
    T value{};
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    GESTALT_CHECK(error == std::errc() && end == part.data() + part.size(),
                  "'{}' in '{}' is no number; wanted is LEVELS_PERCENTS, such as {}", part, text,
                  examples);
    values.push_back(value);
  }
  return values;
}

}  // namespace

SparseLevels parse_sparse_levels(const std::string& text, const std::string& examples) {
  if (text == "none") return {};
  const std::vector<std::string> halves = split(text, '_');
  GESTALT_CHECK(halves.size() == 2, "'{}': wanted is LEVELS_PERCENTS, such as {}", text, examples);
  const auto levels = numbers<int64_t>(halves[0], text, examples);
  const auto percents = numbers<double>(halves[1], text, examples);
  GESTALT_CHECK(percents.size() == 1 || percents.size() == levels.size(),
                "'{}': {} levels and {} percentages; wanted is one percentage a level, or one for "
                "all",
                text, levels.size(), percents.size());
  SparseLevels result;
  for (size_t i = 0; i < levels.size(); ++i) {
    const double percent = percents.size() == 1 ? percents[0] : percents[i];
    GESTALT_CHECK(percent > 0 && percent <= 100,
                  "'{}': a percentage must be above 0 and at most 100, got {}", text, percent);
    // As the published programs compute it: percent / 100 is another double for 29 of 100.
    GESTALT_CHECK(result.emplace(levels[i], percent * 0.01).second, "'{}': level {} twice", text,
                  levels[i]);
  }
  return result;
}

std::string to_text(const SparseLevels& levels) {
  if (levels.empty()) return "none";
  std::string places, percents;
  for (const auto& [level, fraction] : levels) {
    const std::string dash = places.empty() ? "" : "-";
    places += format("{}{}", dash, level);
    percents +=
        format("{}{}", dash, std::round(1e11 * fraction) / 1e9);  // 57, not 57.00000000000001
  }
  return places + '_' + percents;
}

}  // namespace gestalt::models
