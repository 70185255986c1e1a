#pragma once

// The shapes of layers' weights, once their options are checked (internal to nn/).

#include "kernels/error.h"
#include "kernels/types.h"

namespace gestalt::nn {

// [first, second/groups, kh, kw]: `first` is out_channels for a convolution, in_channels for a
// transposed one. Throws Error, which names the layer, where the options make no sense.
template <class Options>
Shape conv_weight_shape(const char* layer, const Options& options, int64_t first, int64_t second) {
  const int64_t groups = options.desc.groups;
  GESTALT_CHECK(options.in_channels > 0 && options.out_channels > 0,
                "[{}] in_channels and out_channels must be positive, got {} and {}", layer,
                options.in_channels, options.out_channels);
  GESTALT_CHECK(
      groups > 0 && options.in_channels % groups == 0 && options.out_channels % groups == 0,
      "[{}] {} groups do not divide {} input and {} output channels", layer, groups,
      options.in_channels, options.out_channels);
  GESTALT_CHECK(options.kernel[0] > 0 && options.kernel[1] > 0,
                "[{}] the kernel must be positive, got {} x {}", layer, options.kernel[0],
                options.kernel[1]);
  return {first, second / groups, options.kernel[0], options.kernel[1]};
}

// [out_features, in_features]
inline Shape linear_weight_shape(const char* layer, int64_t in_features, int64_t out_features) {
  GESTALT_CHECK(in_features > 0 && out_features > 0,
                "[{}] in_features and out_features must be positive, got {} and {}", layer,
                in_features, out_features);
  return {out_features, in_features};
}

}  // namespace gestalt::nn
