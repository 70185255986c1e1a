// softmax, log_softmax and the classification loss.

#include "kernels/cuda/device/softmax.cuh"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/reduce.h"
#include "kernels/dispatch.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

struct Rows {
  int64_t count, size;
};

Rows rows_of(const View& view) {
  const int64_t size = view.shape[-1];
  return {size == 0 ? 0 : view.numel() / size, size};
}

// Calls f(lanes) with the number of threads for a row of this size, as a type.
template <class F>
void dispatch_lanes(int64_t size, const F& f) {
  if (size <= 1024) {
    f(std::integral_constant<int, 32>{});
  } else {
    f(std::integral_constant<int, row_threads>{});
  }
}

LaunchConfig row_config(const Rows& rows, int lanes) {
  return {dim3(blocks_for(rows.count, row_threads / lanes)), dim3(row_threads),
          lanes > 32 ? shared_size<float>(lanes / 32) : 0};
}

template <bool logarithm>
void forward(Context& context, const char* name, const View& x, const View& y) {
  const Rows rows = rows_of(x);
  dispatch<DeviceFloatTypes>(name, x, [&]<class T>(std::type_identity<T>) {
    dispatch_lanes(rows.size, [&](auto lanes) {
      launch(context, name, softmax_kernel<lanes, logarithm, T>, row_config(rows, lanes),
             rows.count, rows.size, x.as<T>(), y.as<T>());
    });
  });
}

template <bool logarithm>
void backward(Context& context, const char* name, const View& dy, const View& y, const View& dx) {
  const Rows rows = rows_of(y);
  dispatch<DeviceFloatTypes>(name, y, [&]<class T>(std::type_identity<T>) {
    dispatch_lanes(rows.size, [&](auto lanes) {
      launch(context, name, softmax_backward_kernel<lanes, logarithm, T>, row_config(rows, lanes),
             rows.count, rows.size, dy.as<T>(), y.as<T>(), dx.as<T>());
    });
  });
}

}  // namespace

void softmax_forward(Context& context, const View& x, const View& y) {
  forward<false>(context, "softmax_forward", x, y);
}

void log_softmax_forward(Context& context, const View& x, const View& y) {
  forward<true>(context, "log_softmax_forward", x, y);
}

void softmax_backward(Context& context, const View& dy, const View& y, const View& dx) {
  backward<false>(context, "softmax_backward", dy, y, dx);
}

void log_softmax_backward(Context& context, const View& dy, const View& y, const View& dx) {
  backward<true>(context, "log_softmax_backward", dy, y, dx);
}

void nll_forward(Context& context, const View& log_probabilities, const View& target, double scale,
                 double label_smoothing, const View& loss) {
  constexpr const char* name = "nll_forward";
  const Rows rows = rows_of(log_probabilities);
  View row_losses{context.workspace(rows.count * sizeof(float)), DType::f32, loss.device,
                  Shape{rows.count}, Shape{1}};
  dispatch<DeviceFloatTypes>(name, log_probabilities, [&]<class T>(std::type_identity<T>) {
    launch(context, name, nll_rows_kernel<T>, row_config(rows, 32), rows.count, rows.size,
           static_cast<float>(label_smoothing), log_probabilities.as<T>(), target.as<int64_t>(),
           target.strides[0], row_losses.as<float>());
  });
  // One chunk: a second fold would take the workspace that the rows are in.
  reduce<float, float>(context, name, SumOf<float>{static_cast<float>(-scale)}, Chunks::one,
                       as_single(loss, row_losses), row_losses);
}

void cross_entropy_backward(Context& context, const View& dloss, const View& log_probabilities,
                            const View& target, double scale, double label_smoothing,
                            const View& dlogits) {
  constexpr const char* name = "cross_entropy_backward";
  const Rows rows = rows_of(log_probabilities);
  dispatch<DeviceFloatTypes>(name, log_probabilities, [&]<class T>(std::type_identity<T>) {
    launch(context, name, cross_entropy_backward_kernel<T>, row_config(rows, 32), rows.count,
           rows.size, static_cast<float>(scale), static_cast<float>(label_smoothing),
           dloss.as<float>(), log_probabilities.as<T>(), target.as<int64_t>(), target.strides[0],
           dlogits.as<T>());
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
