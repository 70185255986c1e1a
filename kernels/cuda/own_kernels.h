#pragma once

// The table entries with launchers and device code of our own: the files kernels/cuda/*.cu. Both
// kernels/cuda/table.cpp and tests/simt/table.cpp are filled from this list, so that every kernel
// named here also runs under the SIMT executor. Entries that call cuDNN or cuBLAS have a list of
// their own.

// clang-format off
#define GESTALT_OWN_CUDA_KERNELS(X) \
  /* memory.cu */ \
  X(copy) X(fill) \
  /* arithmetic.cu */ \
  X(add) X(subtract) X(multiply) X(divide) X(add_scaled) X(add_scalar) X(multiply_scalar) \
  X(power_scalar) X(power_scalar_backward) \
  /* unary.cu */ \
  X(exp) X(log) X(sqrt) X(sqrt_backward) X(abs) X(abs_backward) X(sigmoid) X(sigmoid_backward) \
  X(tanh) X(tanh_backward) X(relu) X(relu_backward) X(leaky_relu) X(leaky_relu_backward) X(clamp) \
  X(clamp_backward) \
  /* compare.cu */ \
  X(compare) X(maximum) X(minimum) X(maximum_backward) X(where) \
  /* glu.cu */ \
  X(glu_forward) X(glu_backward) \
  /* random.cu */ \
  X(uniform) X(normal) \
  /* reduce.cu */ \
  X(sum) X(max) X(min) X(argmax) X(dot) X(absolute_norm) X(sum_channels) \
  /* losses.cu */ \
  X(squared_error) X(squared_error_backward) X(absolute_error) X(absolute_error_backward) \
  X(binary_cross_entropy_forward) X(binary_cross_entropy_backward) \
  /* index_select.cu */ \
  X(index_select_forward) X(index_select_backward) \
  /* pool.cu */ \
  X(max_pool2d_forward) X(max_pool2d_backward) X(avg_pool2d_forward) X(avg_pool2d_backward) \
  X(adaptive_avg_pool2d_forward) X(adaptive_avg_pool2d_backward) \
  /* resize.cu */ \
  X(reflection_pad2d_forward) X(reflection_pad2d_backward) X(resize_nearest_forward) \
  X(resize_nearest_backward) X(resize_bilinear_forward) X(resize_bilinear_backward) \
  /* augment.cu */ \
  X(adjust_color) X(translate_forward) X(translate_backward) X(cutout) \
  /* softmax.cu */ \
  X(softmax_forward) X(softmax_backward) X(log_softmax_forward) X(log_softmax_backward) \
  X(nll_forward) X(cross_entropy_backward) \
  /* optimizers.cu */ \
  X(sgd_step) X(adam_step) X(average_step) \
  /* spectral_norm.cu */ \
  X(spectral_norm_forward) X(spectral_norm_backward) \
  /* topk.cu, topk_mean_replace.cu */ \
  X(topk_forward) X(topk_backward) X(relu_topk_forward) \
  X(topk_mean_replace_forward) X(topk_mean_replace_backward) \
  /* gram.cu */ \
  X(gram_forward) \
  /* adain.cu */ \
  X(channel_stats_forward) X(channel_stats_backward) X(adain_forward) X(adain_backward) \
  /* unit_distance.cu */ \
  X(unit_distance_forward) X(unit_distance_backward) \
  /* batch_norm.cu */ \
  X(batch_norm_training) X(batch_norm_inference) X(batch_norm_backward)

#define GESTALT_LIBRARY_CUDA_KERNELS(X) \
  /* library/conv2d.cpp */ \
  X(conv2d_forward) X(conv2d_backward_data) X(conv2d_backward_weights) \
  /* library/matmul.cpp, library/gram.cpp */ \
  X(matmul) X(gram_backward)
// clang-format on
