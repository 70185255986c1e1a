#include "nn/sequential.h"

namespace gestalt::nn {

Tensor Sequential::forward(const Tensor& x) {
  Tensor y = x;
  for (const Child& child : children()) y = (*child.module)(y);
  return y;
}

}  // namespace gestalt::nn
