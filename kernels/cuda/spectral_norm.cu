// spectral_norm_forward and spectral_norm_backward: four launches and two.

#include <algorithm>

#include "kernels/cuda/device/spectral_norm.cuh"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.h"
#include "kernels/dispatch_rounded.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

constexpr size_t spectral_shared_bytes = shared_size<float>(spectral_warps);

struct Matrix {
  int64_t rows;
  SpectralColumns columns;

  explicit Matrix(const View& w)
      : rows(w.shape[0]),
        columns{w.numel() / std::max<int64_t>(rows, 1), w.is_contiguous() ? 1 : w.shape[1]} {}
};

LaunchConfig block_a_row(const Matrix& m) {
  return {dim3(static_cast<unsigned>(m.rows)), dim3(spectral_threads), spectral_shared_bytes};
}

}  // namespace

void spectral_norm_forward(Context& context, const View& w, const View& u, const View& v,
                           int iterations, double epsilon, const View& left, const View& right,
                           const View& sigma, const View& y) {
  constexpr const char* name = "spectral_norm_forward";
  const Matrix m(w);
  const int64_t columns = m.columns.count;
  if (w.numel() == 0) return;
  const unsigned blocks = blocks_for(columns, spectral_threads);
  const unsigned runs = blocks_for(m.rows, spectral_run);
  GESTALT_CHECK(runs <= 65535, "[{}] {} rows are too many", name, m.rows);  // gridDim.y
  const int64_t partials = iterations > 0 ? runs * columns : 0;
  auto* raw = static_cast<float*>(
      context.workspace((columns + blocks + m.rows + partials) * sizeof(float)));
  float *squares = raw + columns, *image = squares + blocks, *partial = image + m.rows;
  const int parts = iterations > 0 ? static_cast<int>(blocks) : 0;
  const auto small = static_cast<float>(epsilon);
  dispatch_rounded<DeviceFloatTypes>(
      name, w, y, [&]<class T, class Y>(std::type_identity<T>, std::type_identity<Y>) {
        const auto multiply = [&] {
          launch(context, name, spectral_rows<T>, block_a_row(m), columns, w.as<const T>(), raw,
                 squares, parts, small, image);
        };
        for (int step = 0; step < iterations; ++step) {
          // From the second step on u's length is not 1, which scaling to length 1 takes out again.
          launch(context, name, spectral_columns<T>, {dim3(blocks, runs), dim3(spectral_threads)},
                 m.rows, columns, w.as<const T>(), step == 0 ? u.as<float>() : image, partial);
          launch(context, name, spectral_right<spectral_threads>,
                 {dim3(blocks), dim3(spectral_threads), spectral_shared_bytes}, columns,
                 static_cast<int>(runs), partial, raw, squares);
          multiply();
        }
        if (iterations == 0) {
          launch(context, name, spectral_gather<spectral_threads>,
                 {dim3(blocks), dim3(spectral_threads)}, m.columns, v.as<float>(), raw);
          multiply();
        }
        const SpectralVectors vectors{.image = image,
                                      .raw = raw,
                                      .squares = squares,
                                      .parts = parts,
                                      .u = u.as<float>(),
                                      .v = v.as<float>(),
                                      .left = left.as<float>(),
                                      .right = right.as<float>(),
                                      .sigma = sigma.as<float>()};
        launch(context, name, spectral_divide<T, Y>, block_a_row(m), m.rows, m.columns, small,
               vectors, w.as<const T>(), y.as<Y>());
      });
}

void spectral_norm_backward(Context& context, const View& dy, const View& y, const View& left,
                            const View& right, const View& sigma, const View& dw) {
  constexpr const char* name = "spectral_norm_backward";
  const Matrix m(dy);
  const int64_t numel = dy.numel();
  if (numel == 0) return;
  // At least sixteen elements a thread; no more parts than four a thread adds up.
  const int64_t part = std::max<int64_t>(16 * spectral_threads, (numel + 1023) / 1024);
  const unsigned parts = blocks_for(numel, part);
  auto* partial = static_cast<float*>(context.workspace(parts * sizeof(float)));
  dispatch_rounded<DeviceFloatTypes>(
      name, dw, dy, [&]<class T, class Y>(std::type_identity<T>, std::type_identity<Y>) {
        launch(context, name, spectral_along<Y>,
               {dim3(parts), dim3(spectral_threads), spectral_shared_bytes}, numel, part,
               dy.as<const Y>(), y.as<const Y>(), partial);
        launch(context, name, spectral_gradient<T, Y>, block_a_row(m), m.columns.count, partial,
               static_cast<int>(parts), dy.as<const Y>(), left.as<float>(), right.as<float>(),
               sigma.as<float>(), dw.as<T>());
      });
}

}  // namespace GESTALT_CUDA_NAMESPACE
