#pragma once

// The Frechet distance between Gaussians fitted to two sets of features; FID where the features are
// Inception-v3's (Heusel et al. 2017):
//   |mean1 - mean2|^2 + tr S1 + tr S2 - 2 tr sqrt(S1 S2), covariances unbiased.
//
// All in f64 and on the CPU, wherever the features are. tr sqrt(S1 S2) is never a matrix square
// root, so it is never complex: with A [n,d] and B [m,d] the centred features, it is the nuclear
// norm (sum of singular values) of A B^T / sqrt((n - 1) (m - 1)), with A and B replaced by their
// triangular factors where they have more rows than columns, unless one of them has few. Where only
// mean and covariance are known, S = V diag(e) V^T by the eigenvalues of a symmetric matrix, and
// diag(sqrt(e)) V^T takes A's place: that is the sum of the roots of the eigenvalues of
// sqrt(S1) S2 sqrt(S1).
// Never below zero, and zero where no more than rounding (1e-12 of the terms) is left.
//
// Errors: fewer than two features, different dimensions, values that are not finite; a covariance
// that is not symmetric (1e-5 of its largest value), or has an eigenvalue below zero (1e-4 of its
// largest one).

#include "tensor/tensor.h"

namespace gestalt::eval {

// A Gaussian by a factor of its covariance: S = factor^T factor / (samples - 1). The centred
// features where they have at most d rows, else their triangular factor, which costs n d^2; of a
// covariance, a row for each eigenvalue above rounding.
struct GaussianFactor {
  Tensor mean;          // f64 [d]
  Tensor factor;        // f64 [r,d], r <= d
  int64_t samples = 0;  // 2 of a covariance: the factor is that of S itself
};

// features: [n,d] of any floating dtype, n >= 2.
GaussianFactor factor_gaussian(const Tensor& features);
// mean: [d], covariance: [d,d], of any floating dtype, d >= 1. It costs about 10 d^3.
GaussianFactor factor_gaussian(const Tensor& mean, const Tensor& covariance);
// S, f64 [d,d], symmetric to the bit.
Tensor covariance_of(const GaussianFactor& gaussian);

// Whether a distance of n1 and n2 features of d dimensions is had from factors; else one set is so
// small that features give it sooner.
bool is_by_factors(int64_t n1, int64_t n2, int64_t d);

double frechet_distance(const Tensor& features1, const Tensor& features2);
double frechet_distance(const GaussianFactor& factor1, const GaussianFactor& factor2);

}  // namespace gestalt::eval
