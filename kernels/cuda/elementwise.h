#pragma once

// What launchers of elementwise kernels share: elementwise<Out, In...>(context, name, op, y, x...)
// for ops on elements, elementwise_floating(context, name, f, y, x...) for functions of f32 on
// views of one floating type.

#include <array>
#include <cstdint>

#include "kernels/cuda/device/elementwise.cuh"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/launch.h"
#include "kernels/dispatch.h"
#include "kernels/loop_nest.h"

namespace GESTALT_CUDA_NAMESPACE {

template <class Out, class... In, class Op, class... Views>
void elementwise(Context& context, const char* name, const Op& op, const View& y,
                 const Views&... x) {
  constexpr int views = 1 + sizeof...(In), pack = elementwise_pack<Out, In...>;
  const LoopNest<views> nest = make_loop_nest<views>({&y, &x...});
  const auto is_aligned = [](const View& view, size_t size) {
    return reinterpret_cast<uintptr_t>(view.data) % (pack * size) == 0;
  };
  bool packed = nest.rank == 1 && (is_aligned(y, sizeof(Out)) && ... && is_aligned(x, sizeof(In)));
  for (int v = 0; v < views; ++v) packed = packed && nest.strides[0][v] == 1;
  const dim3 block(elementwise_threads);
  if (packed) {
    launch(context, name, elementwise_packed<Op, Out, In...>,
           {dim3(blocks_for(nest.numel, elementwise_threads * pack)), block}, nest.numel, op,
           y.as<Out>(), x.template as<In>()...);
  } else {
    launch(context, name, elementwise_strided<Op, Out, In...>,
           {dim3(blocks_for(nest.numel, elementwise_threads)), block}, to_index(nest), op,
           y.as<Out>(), x.template as<In>()...);
  }
}

namespace detail {

template <class T, size_t>
using Repeat = T;

template <class T, class F, size_t... I, class... Views>
void elementwise_of(Context& context, const char* name, const F& f, std::index_sequence<I...>,
                    const View& y, const Views&... x) {
  elementwise<T, Repeat<T, I>...>(context, name, Floating<T, F>{f}, y, x...);
}

}  // namespace detail

template <class F, class... Views>
void elementwise_floating(Context& context, const char* name, const F& f, const View& y,
                          const Views&... x) {
  dispatch<DeviceFloatTypes>(name, y, [&]<class T>(std::type_identity<T>) {
    detail::elementwise_of<T>(context, name, f, std::index_sequence_for<Views...>{}, y, x...);
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
