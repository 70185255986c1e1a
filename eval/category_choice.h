#pragma once

// A network's decision among categories (Geirhos et al. 2019): softmax over all its classes, the
// mean of each category's classes, the category with the largest mean.

#include <vector>

#include "eval/categories.h"
#include "tensor/tensor.h"

namespace gestalt::eval {

// Throws Error, naming it, for a category with a class that a network of so many has not.
void check_classes(const Categories& categories, int64_t classes);

// logits [N, classes], any floating dtype; N indices into the categories, the first of equal ones.
// Computed in f64. Throws Error as check_classes does.
std::vector<size_t> choose_categories(const Tensor& logits, const Categories& categories);

}  // namespace gestalt::eval
