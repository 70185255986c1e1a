#pragma once

// A network's decision among categories (Geirhos et al. 2019): softmax over all its classes, the
// mean of each category's classes, the category with the largest mean.

#include <vector>

#include "eval/categories.h"
#include "tensor/tensor.h"

namespace gestalt::eval {

// logits [N, classes], any floating dtype; N indices into the categories, the first of equal ones.
// Computed in f64. Throws Error for a category with a class that the network has not.
std::vector<size_t> choose_categories(const Tensor& logits, const Categories& categories);

}  // namespace gestalt::eval
