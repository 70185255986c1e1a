#include "data/histogram.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "kernels/error.h"

namespace gestalt::data {
namespace {

// The inverse of a piecewise-linear cumulative histogram, with counts kept whole so that no rank is
// lost to rounding.
class InverseHistogram {
 public:
  InverseHistogram(std::span<const float> values, int bins)
      : edges_(bins + 1), cumulative_(bins + 1) {
    const auto [min, max] = std::minmax_element(values.begin(), values.end());
    const double first = *min, last = *max;
    const double step = (last - first) / bins;
    for (int i = 0; i <= bins; ++i) edges_[i] = i == bins ? last : first + i * step;
    for (const float value : values) {
      int bin = step > 0 ? static_cast<int>((value - first) / step) : 0;
      bin = std::min(bin, bins - 1);
      // The division rounds; the edges decide.
      if (value < edges_[bin]) --bin;
      if (bin < bins - 1 && value >= edges_[bin + 1]) ++bin;
      ++cumulative_[bin + 1];
    }
    std::partial_sum(cumulative_.begin(), cumulative_.end(), cumulative_.begin());
  }

  // The value below which `rank` of the `total` values lie, rank in (0, total].
  double value_at(double rank, double total) const {
    const double position = rank / total * static_cast<double>(cumulative_.back());
    const auto upper =
        std::lower_bound(cumulative_.begin() + 1, cumulative_.end() - 1, position,
                         [](int64_t count, double wanted) { return count < wanted; }) -
        cumulative_.begin();
    const double low = static_cast<double>(cumulative_[upper - 1]);
    const double count = static_cast<double>(cumulative_[upper]) - low;
    const double width = edges_[upper] - edges_[upper - 1];
    return edges_[upper - 1] + width * std::min((position - low) / count, 1.0);
  }

 private:
  std::vector<double> edges_;
  std::vector<int64_t> cumulative_;  // values below each edge
};

void match_channel(std::span<const float> source, std::span<const float> target,
                   std::span<float> matched, int bins) {
  const InverseHistogram inverse(target, bins);
  const size_t size = source.size();
  std::vector<std::pair<float, int64_t>> sorted(size);
  for (size_t i = 0; i < size; ++i) sorted[i] = {source[i], static_cast<int64_t>(i)};
  std::sort(sorted.begin(), sorted.end());
  for (size_t begin = 0, end; begin < size; begin = end) {
    for (end = begin + 1; end < size && sorted[end].first == sorted[begin].first;) ++end;
    const double rank = 0.5 * static_cast<double>(begin + 1 + end);  // mean of begin + 1 .. end
    const auto value = static_cast<float>(inverse.value_at(rank, static_cast<double>(size)));
    for (size_t i = begin; i < end; ++i) matched[sorted[i].second] = value;
  }
}

}  // namespace

void match_histogram(std::span<const float> source, std::span<const float> target,
                     std::span<float> matched, int channels, int bins) {
  GESTALT_CHECK(channels >= 1 && bins >= 1,
                "[match_histogram] expected one channel and one bin or more, got {} and {}",
                channels, bins);
  GESTALT_CHECK(source.size() == matched.size(),
                "[match_histogram] expected as many values in matched as in source, {}, got {}",
                source.size(), matched.size());
  GESTALT_CHECK(!source.empty() && !target.empty() && source.size() % channels == 0 &&
                    target.size() % channels == 0,
                "[match_histogram] expected values for each of {} channels, as many for each, got "
                "{} in source and {} in target",
                channels, source.size(), target.size());
  const auto finite = [](float value) { return std::isfinite(value); };
  GESTALT_CHECK(std::all_of(source.begin(), source.end(), finite) &&
                    std::all_of(target.begin(), target.end(), finite),
                "[match_histogram] a value is not finite");
  const size_t source_size = source.size() / channels, target_size = target.size() / channels;
  for (int c = 0; c < channels; ++c) {
    match_channel(source.subspan(c * source_size, source_size),
                  target.subspan(c * target_size, target_size),
                  matched.subspan(c * source_size, source_size), bins);
  }
}

}  // namespace gestalt::data
