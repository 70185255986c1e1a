#pragma once

// The Frechet distance between Gaussians fitted to two sets of features; FID where the features are
// Inception-v3's (Heusel et al. 2017):
//   |mean1 - mean2|^2 + tr S1 + tr S2 - 2 tr sqrt(S1 S2), covariances unbiased.
//
// All in f64 and on the CPU, wherever the features are. tr sqrt(S1 S2) is never a matrix square
// root, so it is never complex: with A [n,d] and B [m,d] the centred features, it is the nuclear
// norm (sum of singular values) of A B^T / sqrt((n - 1) (m - 1)), with A and B replaced by their
// triangular factors where they have more rows than columns, unless one of them has few.
// Never below zero, and zero where no more than rounding (1e-12 of the terms) is left.
//
// Errors: fewer than two features, different dimensions, values that are not finite.

#include "tensor/tensor.h"

namespace gestalt::eval {

// A Gaussian by a factor of its covariance: S = factor^T factor / (samples - 1). The centred
// features where they have at most d rows, else their triangular factor, which costs n d^2.
struct GaussianFactor {
  Tensor mean;    // f64 [d]
  Tensor factor;  // f64 [min(n,d),d]
  int64_t samples = 0;
};

// features: [n,d] of any floating dtype, n >= 2.
GaussianFactor factor_gaussian(const Tensor& features);
// Whether a distance of n1 and n2 features of d dimensions is had from factors; else one set is so
// small that features give it sooner.
bool is_by_factors(int64_t n1, int64_t n2, int64_t d);

double frechet_distance(const Tensor& features1, const Tensor& features2);
double frechet_distance(const GaussianFactor& factor1, const GaussianFactor& factor2);

}  // namespace gestalt::eval
