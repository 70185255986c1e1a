// gram_forward, and what its gradient leaves to us (library/gram.cpp).

#include <algorithm>

#include "kernels/cuda/device/gram.cuh"
#include "kernels/cuda/gram.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.h"
#include "kernels/dispatch.h"
#include "kernels/rounding.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

// How many steps of `step` cover `size`, at most what a grid has in its second and third dimension.
unsigned blocks(const char* name, int64_t size, int64_t step) {
  const int64_t count = ceil_div(size, step);
  GESTALT_CHECK(count <= 65535, "[{}] a size of {} is too large", name, size);
  return static_cast<unsigned>(count);
}

// Tiles on and above the diagonal.
unsigned tiles_of(const char* name, int64_t rows, int64_t tile) {
  const unsigned tile_rows = blocks(name, rows, tile);
  return tile_rows * (tile_rows + 1) / 2;
}

// How much of L a block sums: as short as it takes for some 500 blocks (four of 64 threads on each
// of an H100's multiprocessors), but no less than four steps, below which writing and adding up the
// tiles takes longer than the sums. A function of the shape alone, for the same bits everywhere.
int64_t chunk_length(int64_t length, int64_t tiles) {
  const int64_t chunks = ceil_div(int64_t{512}, tiles);
  const int64_t even = ceil_div(length, chunks);
  return std::clamp<int64_t>(round_up(even, gram_step), 4 * gram_step, gram_longest_chunk);
}

// How many threads share a sum over chunks: a thread has eight loads under way at once.
int finish_strands(int64_t chunks) {
  int strands = 1;
  while (strands < gram_most_finish_strands && strands * 8 < chunks) strands *= 2;
  return strands;
}

// Every row begins at 16 bytes.
bool rows_are_aligned(const View& x) {
  const auto row_bytes = static_cast<uint64_t>(x.shape[2] * size_of(x.dtype));
  return (reinterpret_cast<uintptr_t>(x.data) | row_bytes) % 16 == 0;
}

}  // namespace

void gram_forward(Context& context, const View& x, double scale, const View& y) {
  if (y.numel() == 0) return;
  constexpr const char* name = "gram_forward";
  const int64_t batch = x.shape[0], rows = x.shape[1], length = x.shape[2];
  const unsigned tiles = tiles_of(name, rows, gram_tile);
  const int64_t chunk = chunk_length(length, batch * tiles);
  const unsigned chunks = blocks(name, length, chunk);
  const unsigned images = blocks(name, batch, 1);
  const int strands = finish_strands(chunks);
  auto* partial = static_cast<float*>(
      context.workspace(sizeof(float) * batch * tiles * chunks * gram_tile * gram_tile));
  dispatch<DeviceFloatTypes>(name, x, [&]<class T>(std::type_identity<T>) {
    launch(context, name, rows_are_aligned(x) ? gram_partial<T, true> : gram_partial<T, false>,
           {dim3(tiles, chunks, images), dim3(gram_threads), gram_shared_bytes()}, x.as<const T>(),
           static_cast<int>(rows), length, chunk, partial);
    launch(context, name, gram_finish<T>,
           {dim3(tiles, static_cast<unsigned>(gram_tile / gram_finish_rows(strands)), images),
            dim3(gram_finish_threads), gram_finish_shared_bytes()},
           partial, static_cast<int>(rows), static_cast<int64_t>(chunks), strands, scale,
           y.strides[0], y.strides[1], y.strides[2], y.as<T>());
  });
}

void gram_symmetrize(Context& context, const View& dy, const View& y) {
  constexpr const char* name = "gram_backward";
  const int64_t rows = dy.shape[1];
  dispatch<DeviceFloatTypes>(name, dy, [&]<class T>(std::type_identity<T>) {
    launch(context, name, symmetrize<T>,
           {dim3(tiles_of(name, rows, symmetrize_tile), blocks(name, dy.shape[0], 1)),
            dim3(symmetrize_threads), symmetrize_shared_bytes()},
           dy.as<const T>(), dy.strides[0], dy.strides[1], dy.strides[2], static_cast<int>(rows),
           y.as<T>());
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
