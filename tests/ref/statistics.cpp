#include "tests/ref/statistics.h"

#include <algorithm>
#include <cmath>

namespace gestalt::cases {

Array gram_reference(const Array& x, int64_t batch, int64_t rows, double scale) {
  const int64_t length = x.shape.numel() / (batch * rows);
  Array y(Shape{batch, rows, rows});
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < rows; ++j) {
        double sum = 0;
        for (int64_t l = 0; l < length; ++l) {
          sum += x.values[(b * rows + i) * length + l] * x.values[(b * rows + j) * length + l];
        }
        y.values[(b * rows + i) * rows + j] = scale * sum;
      }
    }
  }
  return y;
}

ChannelStatsReference channel_stats_reference(const Array& x, double epsilon) {
  const int64_t rows = x.shape[0] * x.shape[1], length = x.shape[2] * x.shape[3];
  ChannelStatsReference stats{Array(Shape{x.shape[0], x.shape[1]}),
                              Array(Shape{x.shape[0], x.shape[1]})};
  for (int64_t r = 0; r < rows; ++r) {
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < length; ++i) sum += x.values[r * length + i];
    const double mean = sum / static_cast<double>(length);
    for (int64_t i = 0; i < length; ++i) {
      const double difference = x.values[r * length + i] - mean;
      squares += difference * difference;
    }
    stats.mean.values[r] = mean;
    stats.deviation.values[r] = std::sqrt(squares / static_cast<double>(length - 1) + epsilon);
  }
  return stats;
}

Array adain_reference(const Array& x, const Array& style_mean, const Array& style_deviation,
                      double epsilon) {
  const ChannelStatsReference stats = channel_stats_reference(x, epsilon);
  const int64_t length = x.shape[2] * x.shape[3];
  Array y(x.shape);
  for (size_t i = 0; i < y.values.size(); ++i) {
    const size_t r = i / length;
    y.values[i] = (x.values[i] - stats.mean.values[r]) / stats.deviation.values[r] *
                      style_deviation.values[r] +
                  style_mean.values[r];
  }
  return y;
}

Array log_softmax_reference(const Array& x) {
  const int64_t classes = x.shape[1];
  Array y(x.shape);
  for (int64_t n = 0; n < x.shape[0]; ++n) {
    const double* row = x.values.data() + n * classes;
    const double most = *std::max_element(row, row + classes);
    double sum = 0;
    for (int64_t c = 0; c < classes; ++c) sum += std::exp(row[c] - most);
    for (int64_t c = 0; c < classes; ++c) {
      y.values[n * classes + c] = row[c] - most - std::log(sum);
    }
  }
  return y;
}

double cross_entropy_reference(const Array& logits, const Array& target, double scale,
                               double label_smoothing) {
  const int64_t classes = logits.shape[1];
  const Array log_probabilities = log_softmax_reference(logits);
  double loss = 0;
  for (int64_t n = 0; n < logits.shape[0]; ++n) {
    for (int64_t c = 0; c < classes; ++c) {
      const double wanted =
          (c == static_cast<int64_t>(target.values[n]) ? 1 - label_smoothing : 0) +
          label_smoothing / static_cast<double>(classes);
      loss -= wanted * log_probabilities.values[n * classes + c];
    }
  }
  return scale * loss;
}

}  // namespace gestalt::cases
