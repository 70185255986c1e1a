#pragma once

#include "kernels/context.h"
#include "kernels/cuda/namespace.h"
#include "kernels/descriptors.h"

namespace GESTALT_CUDA_NAMESPACE {

// y[N,C,H,W] (dense) = activation(y + bias[C]), in place; bias may be null.
void add_bias_and_activate(Context& context, const View* bias, Activation activation,
                           const View& y);

}  // namespace GESTALT_CUDA_NAMESPACE
