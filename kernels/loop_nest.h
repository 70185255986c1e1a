#pragma once

// LoopNest: how to walk some views of one shape together, in the fewest loops. ReductionNest: the
// same for a fold of views into one that has size 1 where it folds (internal to kernels/).

#include <array>
#include <cstdint>
#include <utility>

#include "kernels/types.h"

namespace gestalt {

// The loop nest of some views of one shape: dimensions of size 1 dropped, neighbours that lie as
// one in every view merged, the innermost (last) the one with the smallest strides of the first
// view.
template <int views>
struct LoopNest {
  int rank = 0;
  std::array<int64_t, Shape::max_rank> sizes{};
  std::array<std::array<int64_t, views>, Shape::max_rank> strides{};
  int64_t numel = 1;
};

template <int views>
LoopNest<views> make_loop_nest(const std::array<const View*, views>& list) {
  LoopNest<views> nest;
  const Shape& shape = list[0]->shape;
  std::array<int, Shape::max_rank> order{};
  int count = 0;
  for (int dim = 0; dim < shape.rank(); ++dim) {
    nest.numel *= shape[dim];
    if (shape[dim] != 1) order[count++] = dim;
  }
  // Insertion sort, stable: outermost (largest stride of the output) first.
  for (int i = 1; i < count; ++i) {
    for (int j = i; j > 0 && list[0]->strides[order[j - 1]] < list[0]->strides[order[j]]; --j) {
      std::swap(order[j - 1], order[j]);
    }
  }
  for (int i = 0; i < count; ++i) {
    const int dim = order[i];
    bool merges = nest.rank > 0;
    for (int v = 0; v < views && merges; ++v) {
      merges = nest.strides[nest.rank - 1][v] == list[v]->strides[dim] * shape[dim];
    }
    if (merges) {
      nest.sizes[nest.rank - 1] *= shape[dim];
    } else {
      nest.sizes[nest.rank++] = shape[dim];
    }
    for (int v = 0; v < views; ++v) nest.strides[nest.rank - 1][v] = list[v]->strides[dim];
  }
  if (nest.rank == 0) nest.sizes[nest.rank++] = 1;
  return nest;
}

// Goes through the outermost `dims` dimensions of a nest in loop order, from place `index` on,
// without a division a step.
template <int views>
class NestWalk {
 public:
  NestWalk(const LoopNest<views>& nest, int dims, int64_t index) : nest_(nest), dims_(dims) {
    for (int dim = dims - 1; dim >= 0; --dim) {
      index_[dim] = index % nest.sizes[dim];
      index /= nest.sizes[dim];
      for (int v = 0; v < views; ++v) offset_[v] += index_[dim] * nest.strides[dim][v];
    }
  }
  const std::array<int64_t, views>& offset() const { return offset_; }  // in each view
  void next() {
    for (int dim = dims_ - 1; dim >= 0; --dim) {
      for (int v = 0; v < views; ++v) offset_[v] += nest_.strides[dim][v];
      if (++index_[dim] < nest_.sizes[dim]) return;
      for (int v = 0; v < views; ++v) offset_[v] -= nest_.sizes[dim] * nest_.strides[dim][v];
      index_[dim] = 0;
    }
  }

 private:
  const LoopNest<views>& nest_;
  int dims_;
  std::array<int64_t, Shape::max_rank> index_{};
  std::array<int64_t, views> offset_{};
};

template <int inputs>
struct ReductionNest {
  LoopNest<inputs> folded;    // strides of the inputs
  LoopNest<inputs + 1> kept;  // strides of the inputs, then of y
};

template <class... Views>
auto make_reduction_nest(const View& y, const Views&... x) {
  constexpr int inputs = sizeof...(Views);
  const std::array<const View*, inputs> list{&x...};
  std::array<View, inputs> folded, kept;
  View output;
  for (int dim = 0; dim < list[0]->rank(); ++dim) {
    const int64_t size = list[0]->shape[dim];
    const bool is_folded = y.shape[dim] == 1;
    for (int v = 0; v < inputs; ++v) {
      View& to = is_folded ? folded[v] : kept[v];
      to.shape.push_back(size);
      to.strides.push_back(list[v]->strides[dim]);
    }
    if (!is_folded) {
      output.shape.push_back(size);
      output.strides.push_back(y.strides[dim]);
    }
  }
  return [&]<size_t... I>(std::index_sequence<I...>) {
    return ReductionNest<inputs>{make_loop_nest<inputs>({&folded[I]...}),
                                 make_loop_nest<inputs + 1>({&kept[I]..., &output})};
  }
  (std::make_index_sequence<inputs>{});
}

// A view of `y`, of one element, with x's rank: for reductions over everything.
inline View as_single(const View& y, const View& x) {
  View single = y;
  single.shape = Shape::filled(x.rank(), 1);
  single.strides = Shape::filled(x.rank(), 1);
  return single;
}

}  // namespace gestalt
