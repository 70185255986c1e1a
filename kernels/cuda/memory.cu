// Copies, conversions and constants.

#include "kernels/cuda/device/transpose.cuh"
#include "kernels/cuda/element_size.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/kernels.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

struct Same {
  template <class T>
  __device__ T operator()(T x) const {
    return x;
  }
};

template <class To>
struct Convert {
  template <class From>
  __device__ To operator()(From x) const {
    return convert<To>(x);
  }
};

template <class T>
struct Constant {
  T value;
  __device__ T operator()() const { return value; }
};

// Copies by tiles where x and y are dense along two different dimensions, both long enough to fill
// lines; false, and nothing is done, elsewhere.
template <class T>
bool transpose(Context& context, const View& x, const View& y) {
  constexpr int64_t least = 8;
  LoopNest<2> nest = make_loop_nest<2>({&y, &x});
  const int inner = nest.rank - 1;
  if (nest.strides[inner][0] != 1 || nest.sizes[inner] < least) return false;
  int row = 0;
  while (row < inner && (nest.strides[row][1] != 1 || nest.sizes[row] < least)) ++row;
  if (row == inner) return false;

  TransposeShape shape{.rows = nest.sizes[row],
                       .columns = nest.sizes[inner],
                       .x_column_stride = nest.strides[inner][1],
                       .y_row_stride = nest.strides[row][0],
                       .row_tiles = blocks_for(nest.sizes[row], transpose_tile),
                       .column_tiles = blocks_for(nest.sizes[inner], transpose_tile)};
  LoopNest<2> matrices;  // of the other dimensions
  for (int dim = 0; dim < inner; ++dim) {
    if (dim == row) continue;
    matrices.sizes[matrices.rank] = nest.sizes[dim];
    matrices.strides[matrices.rank++] = nest.strides[dim];
    matrices.numel *= nest.sizes[dim];
  }
  if (matrices.rank == 0) matrices.sizes[matrices.rank++] = 1;
  launch(context, "copy", transpose_kernel<T>,
         {dim3(static_cast<unsigned>(matrices.numel * shape.row_tiles * shape.column_tiles)),
          dim3(transpose_tile, transpose_rows), shared_size<T>(transpose_shared)},
         shape, to_index(matrices), x.as<T>(), y.as<T>());
  return true;
}

}  // namespace

void copy(Context& context, const View& x, const View& y) {
  if (x.dtype == y.dtype) {
    dispatch_size(x.dtype, [&]<class T>(std::type_identity<T>) {
      if (!transpose<T>(context, x, y)) elementwise<T, T>(context, "copy", Same{}, y, x);
    });
    return;
  }
  dispatch<AllTypes>("copy", x, [&]<class From>(std::type_identity<From>) {
    dispatch<AllTypes>("copy", y, [&]<class To>(std::type_identity<To>) {
      if constexpr (!std::is_same_v<From, To>) {
        elementwise<To, From>(context, "copy", Convert<To>{}, y, x);
      }
    });
  });
}

void fill(Context& context, double value, const View& y) {
  const uint64_t bits = bits_of(value, y.dtype);
  dispatch_size(y.dtype, [&]<class T>(std::type_identity<T>) {
    elementwise<T>(context, "fill", Constant<T>{static_cast<T>(bits)}, y);
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
