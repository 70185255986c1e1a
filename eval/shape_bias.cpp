#include "eval/shape_bias.h"

#include "eval/statistics.h"

namespace gestalt::eval {

CueCounts& CueCounts::operator+=(const CueCounts& other) {
  n += other.n;
  shape += other.shape;
  texture += other.texture;
  return *this;
}

ShapeBias& ShapeBias::operator+=(const ShapeBias& other) {
  total += other.total;
  per_category.resize(other.per_category.size());
  for (size_t i = 0; i < per_category.size(); ++i) per_category[i] += other.per_category[i];
  correct += other.correct;
  decisions += other.decisions;
  return *this;
}

ShapeBias count_shape_bias(std::span<const Decision> decisions, const Categories& categories) {
  ShapeBias bias;
  bias.per_category.resize(categories.size());
  for (const Decision& decision : decisions) {
    const Stimulus& stimulus = decision.stimulus;
    ++bias.decisions;
    if (decision.response == stimulus.shape) ++bias.correct;
    if (!stimulus.has_conflict()) continue;
    CueCounts& counts = bias.per_category[categories.index_of(stimulus.shape)];
    ++counts.n;
    if (decision.response == stimulus.shape) ++counts.shape;
    if (decision.response == stimulus.texture) ++counts.texture;
  }
  for (const CueCounts& counts : bias.per_category) bias.total += counts;
  return bias;
}

double chance_hit_rate(const Categories& categories) {
  return 2.0 / static_cast<double>(categories.size());
}

bool is_near_chance(const CueCounts& counts, const Categories& categories) {
  return ratio(counts.hits(), counts.n) < 2 * chance_hit_rate(categories);
}

double mean_over_categories(const ShapeBias& bias) {
  double sum = 0;
  int64_t count = 0;
  for (const CueCounts& counts : bias.per_category) {
    if (counts.hits() == 0) continue;
    sum += ratio(counts.shape, counts.hits());
    ++count;
  }
  return count == 0 ? ratio(0, 0) : sum / static_cast<double>(count);
}

}  // namespace gestalt::eval
