#pragma once

// Error consistency (Geirhos, Meding, Wichmann 2020, "Beyond accuracy: quantifying trial-by-trial
// behaviour of CNNs and humans by measuring error consistency"): do two observers err on the same
// stimuli, more than their accuracies alone would make them? Cohen's kappa of being correct.

#include <cstdint>
#include <span>

#include "eval/decisions.h"

namespace gestalt::eval {

struct ErrorConsistency {
  int64_t n = 0;        // stimuli that both saw
  double observed = 0;  // share of these on which both are correct or both wrong
  double expected = 0;  // p q + (1 - p)(1 - q), p and q their accuracies
  // (observed - expected) / (1 - expected); 1 where observed is, NaN where n is 0.
  double kappa = 0;
};

// Matched by the stimulus's name; correct is who answers its shape. Every stimulus at most once in
// each.
ErrorConsistency error_consistency(std::span<const Decision> a, std::span<const Decision> b);

}  // namespace gestalt::eval
