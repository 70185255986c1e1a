#include "eval/error_consistency.h"

#include <limits>
#include <string_view>
#include <unordered_map>

#include "eval/statistics.h"

namespace gestalt::eval {
namespace {

bool is_correct(const Decision& decision) {
  return decision.response == decision.stimulus.shape;
}

}  // namespace

ErrorConsistency error_consistency(std::span<const Decision> a, std::span<const Decision> b) {
  std::unordered_map<std::string_view, bool> correct_a;
  for (const Decision& decision : a) correct_a[decision.stimulus.name] = is_correct(decision);

  int64_t n = 0, same = 0, count_a = 0, count_b = 0;
  for (const Decision& decision : b) {
    const auto found = correct_a.find(decision.stimulus.name);
    if (found == correct_a.end()) continue;
    const bool correct_b = is_correct(decision);
    ++n;
    same += found->second == correct_b;
    count_a += found->second;
    count_b += correct_b;
  }
  const double p = ratio(count_a, n), q = ratio(count_b, n);
  ErrorConsistency result{n, ratio(same, n), p * q + (1 - p) * (1 - q), 0};
  // Where both are always right, or always wrong, 0 / 0: 1 as in model-vs-human.
  result.kappa = n == 0      ? std::numeric_limits<double>::quiet_NaN()
                 : same == n ? 1
                             : (result.observed - result.expected) / (1 - result.expected);
  return result;
}

}  // namespace gestalt::eval
