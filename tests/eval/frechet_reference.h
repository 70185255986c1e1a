#pragma once

// An oracle for eval/frechet.h that goes the other way: from the covariances, with plain loops and
// no LAPACK.

#include "tensor/tensor.h"

namespace gestalt::tests {

// |mean1 - mean2|^2 + tr S1 + tr S2 - 2 tr sqrt(S1 S2) of two sets of features [n,d]. The last
// trace is the sum of the roots of the eigenvalues of R S2 R, R the symmetric root of S1, so that
// nothing is complex where samples are fewer than dimensions.
double frechet_by_covariances(const Tensor& features1, const Tensor& features2);

}  // namespace gestalt::tests
