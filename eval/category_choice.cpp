#include "eval/category_choice.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "kernels/error.h"

namespace gestalt::eval {
namespace {

// The softmax's denominator is the same for all categories, so it needs no dividing by.
size_t choose(std::span<const double> logits, const Categories& categories) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  size_t best = 0;
  double best_mean = -1;
  for (size_t i = 0; i < categories.size(); ++i) {
    const std::vector<int64_t>& classes = categories.all()[i].classes;
    double sum = 0;
    for (const int64_t index : classes)
      sum += std::exp(logits[static_cast<size_t>(index)] - largest);
    const double mean = sum / static_cast<double>(classes.size());
    if (mean <= best_mean) continue;
    best = i;
    best_mean = mean;
  }
  return best;
}

}  // namespace

void check_classes(const Categories& categories, int64_t classes) {
  for (const Category& category : categories.all()) {
    const int64_t most = *std::max_element(category.classes.begin(), category.classes.end());
    GESTALT_CHECK(most < classes, "category '{}' has class {}, the network has {} classes",
                  category.name, most, classes);
  }
}

std::vector<size_t> choose_categories(const Tensor& logits, const Categories& categories) {
  GESTALT_CHECK(logits.rank() == 2, "[choose_categories] expects logits [N, classes], got {}",
                logits);
  check_classes(categories, logits.size(1));
  const std::vector<double> values = logits.to_vector<double>();
  const auto classes = static_cast<size_t>(logits.size(1));
  std::vector<size_t> choices;
  for (size_t begin = 0; begin < values.size(); begin += classes) {
    const std::span row(values.data() + begin, classes);
    for (const double value : row) {
      GESTALT_CHECK(std::isfinite(value), "the network gives logits that are not finite");
    }
    choices.push_back(choose(row, categories));
  }
  return choices;
}

}  // namespace gestalt::eval
