#include "eval/stimulus.h"

#include "kernels/error.h"

namespace gestalt::eval {
namespace {

std::string_view without_digits_at_end(std::string_view text) {
  const size_t last = text.find_last_not_of("0123456789");
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

// The longest category that `text` ends with, as a whole word: "_" may stand before it.
std::string_view category_at_end(std::string_view text, const Categories& categories) {
  std::string_view longest;
  for (const Category& category : categories.all()) {
    const std::string_view name = category.name;
    const bool whole = text.size() == name.size() ||
                       (text.size() > name.size() && text[text.size() - name.size() - 1] == '_');
    if (text.ends_with(name) && whole && name.size() > longest.size()) longest = name;
  }
  return longest;
}

}  // namespace

Stimulus parse_stimulus(std::string_view image_name, const Categories& categories) {
  const size_t dot = image_name.rfind('.');
  const std::string_view stem = image_name.substr(0, dot);
  const size_t dash = stem.rfind('-');
  GESTALT_CHECK(dash != std::string_view::npos, "image name '{}' is not {shape}{i}-{texture}{j}",
                image_name);

  const std::string_view texture = without_digits_at_end(stem.substr(dash + 1));
  GESTALT_CHECK(categories.contains(texture), "image name '{}': unknown texture category '{}'",
                image_name, texture);
  const std::string_view before = without_digits_at_end(stem.substr(0, dash));
  const std::string_view shape = category_at_end(before, categories);
  GESTALT_CHECK(!shape.empty(), "image name '{}': unknown shape category '{}'", image_name, before);

  const size_t begin = before.size() - shape.size();
  return {std::string(stem.substr(begin)), std::string(shape), std::string(texture)};
}

}  // namespace gestalt::eval
