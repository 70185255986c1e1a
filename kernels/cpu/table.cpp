#include "kernels/cpu/table.h"

#include "kernels/cpu/kernels.h"

namespace gestalt {
namespace {

KernelTable make_table() {
  KernelTable table;
#define GESTALT_ENTRY(name) table.name.function = cpu::name
  // memory.cpp
  GESTALT_ENTRY(copy);
  GESTALT_ENTRY(fill);
  // arithmetic.cpp
  GESTALT_ENTRY(add);
  GESTALT_ENTRY(subtract);
  GESTALT_ENTRY(multiply);
  GESTALT_ENTRY(divide);
  GESTALT_ENTRY(add_scaled);
  GESTALT_ENTRY(add_scalar);
  GESTALT_ENTRY(multiply_scalar);
  GESTALT_ENTRY(power_scalar);
  GESTALT_ENTRY(power_scalar_backward);
  // unary.cpp
  GESTALT_ENTRY(exp);
  GESTALT_ENTRY(log);
  GESTALT_ENTRY(sqrt);
  GESTALT_ENTRY(sqrt_backward);
  GESTALT_ENTRY(abs);
  GESTALT_ENTRY(abs_backward);
  GESTALT_ENTRY(sigmoid);
  GESTALT_ENTRY(sigmoid_backward);
  GESTALT_ENTRY(tanh);
  GESTALT_ENTRY(tanh_backward);
  GESTALT_ENTRY(relu);
  GESTALT_ENTRY(relu_backward);
  GESTALT_ENTRY(leaky_relu);
  GESTALT_ENTRY(leaky_relu_backward);
  GESTALT_ENTRY(clamp);
  GESTALT_ENTRY(clamp_backward);
  // compare.cpp
  GESTALT_ENTRY(compare);
  GESTALT_ENTRY(where);
  // glu.cpp
  GESTALT_ENTRY(glu_forward);
  GESTALT_ENTRY(glu_backward);
  // random.cpp
  GESTALT_ENTRY(uniform);
  GESTALT_ENTRY(normal);
  // reduce.cpp
  GESTALT_ENTRY(sum);
  GESTALT_ENTRY(max);
  GESTALT_ENTRY(min);
  GESTALT_ENTRY(argmax);
  GESTALT_ENTRY(dot);
  GESTALT_ENTRY(absolute_norm);
  // losses.cpp
  GESTALT_ENTRY(squared_error);
  GESTALT_ENTRY(squared_error_backward);
  GESTALT_ENTRY(absolute_error);
  GESTALT_ENTRY(absolute_error_backward);
  GESTALT_ENTRY(binary_cross_entropy_forward);
  GESTALT_ENTRY(binary_cross_entropy_backward);
  // index_select.cpp
  GESTALT_ENTRY(index_select_forward);
  GESTALT_ENTRY(index_select_backward);
  // topk.cpp, topk_mean_replace.cpp
  GESTALT_ENTRY(topk_forward);
  GESTALT_ENTRY(topk_backward);
  GESTALT_ENTRY(topk_mean_replace_forward);
  GESTALT_ENTRY(topk_mean_replace_backward);
  // relu_topk.cpp
  GESTALT_ENTRY(relu_topk_forward);
  // gram.cpp
  GESTALT_ENTRY(gram_forward);
  GESTALT_ENTRY(gram_backward);
  // adain.cpp
  GESTALT_ENTRY(channel_stats_forward);
  GESTALT_ENTRY(channel_stats_backward);
  GESTALT_ENTRY(adain_forward);
  GESTALT_ENTRY(adain_backward);
  // unit_distance.cpp
  GESTALT_ENTRY(unit_distance_forward);
  GESTALT_ENTRY(unit_distance_backward);
  // augment.cpp
  GESTALT_ENTRY(adjust_color);
  GESTALT_ENTRY(translate_forward);
  GESTALT_ENTRY(translate_backward);
  GESTALT_ENTRY(cutout);
  // softmax.cpp
  GESTALT_ENTRY(softmax_forward);
  GESTALT_ENTRY(softmax_backward);
  GESTALT_ENTRY(log_softmax_forward);
  GESTALT_ENTRY(log_softmax_backward);
  GESTALT_ENTRY(nll_forward);
  GESTALT_ENTRY(cross_entropy_backward);
  // optimizers.cpp
  GESTALT_ENTRY(sgd_step);
  GESTALT_ENTRY(adam_step);
  GESTALT_ENTRY(average_step);
  // spectral_norm.cpp
  GESTALT_ENTRY(spectral_norm_forward);
  GESTALT_ENTRY(spectral_norm_backward);
  // conv.cpp
  GESTALT_ENTRY(conv2d_forward);
  GESTALT_ENTRY(conv2d_backward_data);
  GESTALT_ENTRY(conv2d_backward_weights);
  GESTALT_ENTRY(conv2d_backward_bias);
  // matmul.cpp
  GESTALT_ENTRY(matmul);
  // pool.cpp
  GESTALT_ENTRY(max_pool2d_forward);
  GESTALT_ENTRY(max_pool2d_backward);
  GESTALT_ENTRY(avg_pool2d_forward);
  GESTALT_ENTRY(avg_pool2d_backward);
  GESTALT_ENTRY(adaptive_avg_pool2d_forward);
  GESTALT_ENTRY(adaptive_avg_pool2d_backward);
  // resize.cpp
  GESTALT_ENTRY(reflection_pad2d_forward);
  GESTALT_ENTRY(reflection_pad2d_backward);
  GESTALT_ENTRY(resize_nearest_forward);
  GESTALT_ENTRY(resize_nearest_backward);
  GESTALT_ENTRY(resize_bilinear_forward);
  GESTALT_ENTRY(resize_bilinear_backward);
  // batch_norm.cpp
  GESTALT_ENTRY(batch_norm_training);
  GESTALT_ENTRY(batch_norm_inference);
  GESTALT_ENTRY(batch_norm_backward);
#undef GESTALT_ENTRY
  return table;
}

}  // namespace

const KernelTable cpu_kernels = make_table();

}  // namespace gestalt
