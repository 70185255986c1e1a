// gram_forward, gram_backward.

#include <algorithm>

#include "kernels/cuda/device/gram.cuh"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.h"
#include "kernels/dispatch.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

// How many steps of `step` cover `size`, at most what a grid has in its second and third dimension.
unsigned blocks(const char* name, int64_t size, int64_t step) {
  const int64_t count = (size + step - 1) / step;
  GESTALT_CHECK(count <= 65535, "[{}] a size of {} is too large", name, size);
  return static_cast<unsigned>(count);
}

// How much of L a block sums: as short as it takes for some 500 blocks (four of 64 threads on each
// of an H100's multiprocessors), but no less than four steps, below which writing and adding up the
// tiles takes longer than the sums. A function of the shape alone, for the same bits everywhere.
int64_t chunk_length(int64_t length, int64_t tiles) {
  const int64_t chunks = (512 + tiles - 1) / tiles;
  const int64_t even = (length + chunks - 1) / chunks;
  const int64_t steps = (even + gram_step - 1) / gram_step;
  return std::clamp<int64_t>(steps * gram_step, 4 * gram_step, gram_longest_chunk);
}

}  // namespace

void gram_forward(Context& context, const View& x, double scale, const View& y) {
  if (y.numel() == 0) return;
  const int64_t batch = x.shape[0], rows = x.shape[1], length = x.shape[2];
  const unsigned tile_rows = blocks("gram_forward", rows, gram_tile);
  const unsigned tiles = tile_rows * (tile_rows + 1) / 2;
  const int64_t chunk = chunk_length(length, batch * tiles);
  const unsigned chunks = blocks("gram_forward", length, chunk);
  const unsigned images = blocks("gram_forward", batch, 1);
  auto* partial = static_cast<float*>(
      context.workspace(sizeof(float) * batch * tiles * chunks * gram_tile * gram_tile));
  dispatch<DeviceFloatTypes>("gram_forward", x, [&]<class T>(std::type_identity<T>) {
    launch(context, "gram_forward", gram_partial<T>,
           {dim3(tiles, chunks, images), dim3(gram_threads), gram_shared_bytes()}, x.as<const T>(),
           static_cast<int>(rows), length, chunk, partial);
    launch(context, "gram_forward", gram_finish<T>,
           {dim3(tiles, 1, images), dim3(gram_finish_threads)}, partial, static_cast<int>(rows),
           static_cast<int64_t>(chunks), scale, y.strides[0], y.strides[1], y.strides[2],
           y.as<T>());
  });
}

void gram_backward(Context& context, const View& dy, const View& x, double scale, const View& dx) {
  const int64_t batch = x.shape[0], rows = x.shape[1], length = x.shape[2];
  dispatch<DeviceFloatTypes>("gram_backward", x, [&]<class T>(std::type_identity<T>) {
    launch(context, "gram_backward", gram_gradient<T>,
           {dim3(static_cast<unsigned>((length + gram_tile - 1) / gram_tile),
                 blocks("gram_backward", rows, gram_tile), blocks("gram_backward", batch, 1)),
            dim3(gram_threads), gram_shared_bytes()},
           dy.as<const T>(), dy.strides[0], dy.strides[1], dy.strides[2], x.as<const T>(),
           static_cast<int>(rows), length, static_cast<float>(scale), dx.as<T>());
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
