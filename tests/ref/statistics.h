#pragma once

// Naive references in double for Gram matrices, channel statistics and classification.

#include "tests/cases/op_case.h"

namespace gestalt::cases {

// A_b A_b^T * scale of x seen as [batch, rows, length].
Array gram_reference(const Array& x, int64_t batch, int64_t rows, double scale);

struct ChannelStatsReference {
  Array mean, deviation;  // [N,C]
};
ChannelStatsReference channel_stats_reference(const Array& x, double epsilon);
Array adain_reference(const Array& x, const Array& style_mean, const Array& style_deviation,
                      double epsilon);

// Of rows [N,C].
Array log_softmax_reference(const Array& x);
double cross_entropy_reference(const Array& logits, const Array& target, double scale,
                               double label_smoothing);

}  // namespace gestalt::cases
