#include "eval/categories.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kernels/error.h"
#include "tensor/io/bytes.h"

namespace gestalt::eval {
namespace {

struct Range {
  int64_t first, last;
};

Category from_ranges(std::string name, std::initializer_list<Range> ranges) {
  Category category{std::move(name), {}};
  for (const Range& range : ranges) {
    for (int64_t i = range.first; i <= range.last; ++i) category.classes.push_back(i);
  }
  return category;
}

bool by_name(const Category& a, const Category& b) {
  return a.name < b.name;
}

}  // namespace

Categories::Categories(std::vector<Category> categories) : categories_(std::move(categories)) {
  GESTALT_CHECK(!categories_.empty(), "there are no categories");
  std::sort(categories_.begin(), categories_.end(), by_name);
  for (size_t i = 0; i < categories_.size(); ++i) {
    const Category& category = categories_[i];
    GESTALT_CHECK(!category.name.empty(), "a category has no name");
    GESTALT_CHECK(i == 0 || categories_[i - 1].name != category.name,
                  "category '{}' stands there twice", category.name);
    GESTALT_CHECK(!category.classes.empty(), "category '{}' has no classes", category.name);
    for (const int64_t index : category.classes) {
      GESTALT_CHECK(index >= 0, "category '{}' has class {}", category.name, index);
    }
  }
}

bool Categories::contains(std::string_view name) const {
  return std::any_of(categories_.begin(), categories_.end(),
                     [&](const Category& category) { return category.name == name; });
}

size_t Categories::index_of(std::string_view name) const {
  for (size_t i = 0; i < categories_.size(); ++i) {
    if (categories_[i].name == name) return i;
  }
  throw Error(format("unknown category '{}'", name));
}

const Categories& sixteen_categories() {
  static const Categories categories({
      from_ranges("airplane", {{404, 404}}),
      from_ranges("bear", {{294, 297}}),
      from_ranges("bicycle", {{444, 444}, {671, 671}}),
      from_ranges("bird", {{8, 8},
                           {10, 16},
                           {18, 20},
                           {22, 24},
                           {80, 83},
                           {87, 96},
                           {98, 100},
                           {127, 133},
                           {135, 145}}),
      from_ranges("boat", {{472, 472}, {554, 554}, {625, 625}, {814, 814}, {914, 914}}),
      from_ranges("bottle",
                  {{440, 440}, {720, 720}, {737, 737}, {898, 899}, {901, 901}, {907, 907}}),
      from_ranges("car", {{436, 436}, {511, 511}, {817, 817}}),
      from_ranges("cat", {{281, 286}}),
      from_ranges("chair", {{423, 423}, {559, 559}, {765, 765}, {857, 857}}),
      from_ranges("clock", {{409, 409}, {530, 530}, {892, 892}}),
      from_ranges("dog", {{152, 191},
                          {193, 203},
                          {205, 226},
                          {228, 241},
                          {243, 250},
                          {252, 257},
                          {259, 259},
                          {261, 263},
                          {265, 268}}),
      from_ranges("elephant", {{385, 386}}),
      from_ranges("keyboard", {{508, 508}, {878, 878}}),
      from_ranges("knife", {{499, 499}}),
      from_ranges("oven", {{766, 766}}),
      from_ranges("truck", {{555, 555},
                            {569, 569},
                            {656, 656},
                            {675, 675},
                            {717, 717},
                            {734, 734},
                            {864, 864},
                            {867, 867}}),
  });
  return categories;
}

Categories read_categories(const std::filesystem::path& path) {
  try {
    const auto json = nlohmann::json::parse(map_file(path.string()).text());
    GESTALT_CHECK(json.is_object(), "expected {\"category\": [class, ...], ...}");
    std::vector<Category> categories;
    for (const auto& [name, classes] : json.items()) {
      const bool fits = classes.is_array() &&
                        std::all_of(classes.begin(), classes.end(), [](const nlohmann::json& each) {
                          return each.is_number_integer();
                        });
      GESTALT_CHECK(fits, "'{}' wants a list of class numbers, got {}", name, classes.dump());
      categories.push_back({name, classes.get<std::vector<int64_t>>()});
    }
    return Categories(std::move(categories));
  } catch (const std::exception& error) {
    throw Error(format("cannot read '{}': {}", path.string(), error.what()));
  }
}

}  // namespace gestalt::eval
