#pragma once

// reduce<Out, In...>(context, name, reduction, y, x...): folds views of one shape into y, which has
// their rank and size 1 at the folded dimensions. Any strides. Uses the workspace, unless told to
// fold in one chunk.

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "kernels/cuda/device/reduce.cuh"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/launch.h"
#include "kernels/loop_nest.h"
#include "kernels/rounding.h"

namespace GESTALT_CUDA_NAMESPACE {

enum class Chunks { many, one };

namespace detail {

// How a fold of `folded` elements into each of `outputs` is shared out; a function of the shapes
// alone, so that the result does not depend on the GPU.
inline ReduceShape reduce_shape(int64_t folded, int64_t outputs, bool columns, Chunks chunks) {
  constexpr int64_t most_chunks = 65535;  // gridDim.y
  constexpr int64_t enough_blocks = 1024;
  ReduceShape shape{.lanes = columns ? 8 : (folded > 1024 ? 256 : 32),
                    .columns = columns,
                    .chunk_size = std::max<int64_t>(folded, 1)};
  const int64_t blocks = blocks_for(outputs, reduce_threads / shape.lanes);
  const int64_t least = int64_t{64} * shape.lanes;  // elements that are worth a block
  const int64_t wanted =
      std::min({most_chunks, folded / least, std::max<int64_t>(enough_blocks / blocks, 1)});
  if (chunks == Chunks::many && wanted > 1) {
    shape.chunk_size = ceil_div(folded, wanted);
  }
  return shape;
}

}  // namespace detail

template <class Out, class... In, class R, class... Views>
void reduce(Context& context, const char* name, const R& reduction, Chunks allowed, const View& y,
            const Views&... x) {
  using Value = typename R::Value;
  constexpr int inputs = sizeof...(In);
  const ReductionNest<inputs> nest = make_reduction_nest(y, x...);
  const int64_t outputs = nest.kept.numel, folded = nest.folded.numel;
  if (outputs == 0) return;
  const int64_t kept_step = nest.kept.strides[nest.kept.rank - 1][0];
  const int64_t folded_step = nest.folded.strides[nest.folded.rank - 1][0];
  const bool columns = folded > 1 && outputs > 1 && std::abs(kept_step) < std::abs(folded_step);
  const ReduceShape shape = detail::reduce_shape(folded, outputs, columns, allowed);
  const int64_t chunks = std::max<int64_t>(1, ceil_div(folded, shape.chunk_size));

  const auto kept = to_index(nest.kept);
  const dim3 block(reduce_threads);
  const size_t shared_bytes = shared_size<Value>(reduce_threads);
  Value* partial = nullptr;
  if (chunks > 1) {
    partial = static_cast<Value*>(context.workspace(outputs * chunks * sizeof(Value)));
  }
  launch(context, name, reduce_kernel<R, Out, In...>,
         {dim3(blocks_for(outputs, reduce_threads / shape.lanes), static_cast<unsigned>(chunks)),
          block, shared_bytes},
         reduction, shape, to_index(nest.folded), kept, partial, y.as<Out>(),
         x.template as<In>()...);
  if (chunks == 1) return;
  const ReduceShape second{
      .lanes = chunks > 256 ? 256 : 32, .columns = false, .chunk_size = chunks};
  launch(context, name, reduce_partials<R, Out, inputs + 1>,
         {dim3(blocks_for(outputs, reduce_threads / second.lanes)), block, shared_bytes}, reduction,
         second, kept, partial, chunks, y.as<Out>());
}

template <class Out, class... In, class R, class... Views>
void reduce(Context& context, const char* name, const R& reduction, const View& y,
            const Views&... x) {
  reduce<Out, In...>(context, name, reduction, Chunks::many, y, x...);
}

}  // namespace GESTALT_CUDA_NAMESPACE
