#pragma once

// The launcher of Top-K's selection kernels (topk_select.h). They take the compiler minutes, so
// each key and element type has a file of its own, topk_KEY_TYPE.cu, which makes it by
// GESTALT_TOPK_SELECT.

#include "kernels/cuda/device_limits.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/topk_plan.h"
#include "kernels/cuda/topk_select.h"
#include "kernels/rounding.h"

namespace GESTALT_CUDA_NAMESPACE {

// The rows of one launch.
template <class T>
struct TopKRows {
  TopKInput<T> input;
  int64_t count;
  int length;
  uint32_t k;
  TopKOutput<T> output;

  // x and y, to 16 bytes.
  bool is_aligned() const {
    return (reinterpret_cast<uintptr_t>(input.x) | reinterpret_cast<uintptr_t>(output.y)) % 16 == 0;
  }

  // `rows` of them, from number `first` on.
  TopKRows part(int64_t first, int64_t rows) const {
    TopKRows result = *this;
    result.input.x += first * length;
    result.input.prologue.first_row += first;
    result.count = rows;
    if (output.y != nullptr) result.output.y += first * length;
    if (output.mask != nullptr) result.output.mask += first * ceil_div(length, 32);
    return result;
  }
};

// Elements that are read or written at once where memory allows it.
template <class T>
inline constexpr int topk_wide = static_cast<int>(16 / sizeof(ElementBits<T>));

// f(std::integral_constant<int, n>{}) for the one of the numbers that equals `wanted`.
template <int... numbers, class F>
void with_constant(int wanted, std::integer_sequence<int, numbers...>, const F& f) {
  const bool found =
      ((wanted == numbers && (f(std::integral_constant<int, numbers>{}), true)) || ...);
  GESTALT_CHECK(found, "[topk] expected a number of words that a kernel is compiled for, got {}",
                wanted);
}

template <class T>
using TopKThreadWords = std::integer_sequence<int, topk_thread_elements[0] / topk_per_word<T>,
                                              topk_thread_elements[1] / topk_per_word<T>,
                                              topk_thread_elements[2] / topk_per_word<T>>;

template <class Key, class T>
void launch_topk_threads(Context& context, const char* name, const TopKRows<T>& rows,
                         const TopKPlan& plan) {
  const int stride = rows.is_aligned() ? topk_thread_stride(rows.length, topk_per_word<T>) : 0;
  const int row_words = std::max(rows.length / topk_per_word<T>, 1);
  with_constant(plan.words, TopKThreadWords<T>{}, [&](auto words) {
    launch(context, name, topk_thread_rows<Key, T, words>,
           {dim3(plan.grid), dim3(static_cast<unsigned>(plan.threads)), plan.shared_bytes, 1, true},
           rows.input, rows.count, rows.length, stride, Divisor(static_cast<uint32_t>(row_words)),
           rows.k, rows.output);
  });
}

template <class Key, class T, class Team, bool overflows, int... sizes>
void launch_topk_team(Context& context, const char* name, const TopKRows<T>& rows,
                      const TopKPlan& plan) {
  with_constant(plan.words, std::integer_sequence<int, sizes...>{}, [&](auto words) {
    launch(context, name, topk_team_rows<Key, T, words, Team, overflows>,
           {dim3(plan.grid), dim3(static_cast<unsigned>(plan.threads)), plan.shared_bytes,
            plan.blocks, overflows},
           rows.input, rows.count, rows.length, rows.k, rows.output);
  });
}

// What the kernels of long rows leave to each other.
struct TopKLongScratch {
  size_t histograms, searches, ties;  // bytes

  TopKLongScratch(int length, const TopKPlan& plan)
      : histograms(static_cast<size_t>(plan.rows_at_once) * topk_bins * sizeof(uint32_t)),
        searches(round_up(static_cast<size_t>(plan.rows_at_once) * sizeof(TopKSearch), 256)),
        ties(static_cast<size_t>(plan.rows_at_once) *
             static_cast<size_t>(ceil_div(length, plan.chunk)) * sizeof(uint32_t)) {}
  size_t bytes() const { return histograms + searches + ties; }
};

// scratch: TopKLongScratch::bytes() on the device.
template <class Key, class T>
void launch_topk_long(Context& context, const char* name, const TopKRows<T>& all,
                      const TopKPlan& plan, void* scratch) {
  const int chunks = ceil_div(all.length, plan.chunk);
  const TopKLongScratch sizes(all.length, plan);
  auto* memory = static_cast<char*>(scratch);
  const TopKLongRows shared{reinterpret_cast<TopKSearch*>(memory + sizes.histograms),
                            reinterpret_cast<uint32_t*>(memory),
                            reinterpret_cast<uint32_t*>(memory + sizes.histograms + sizes.searches),
                            all.length,
                            chunks,
                            plan.chunk,
                            all.k};
  const dim3 block(static_cast<unsigned>(plan.threads));
  for (int64_t first = 0; first < all.count; first += plan.rows_at_once) {
    const TopKRows<T> rows = all.part(first, std::min(plan.rows_at_once, all.count - first));
    const dim3 of_rows(static_cast<unsigned>(rows.count));
    const dim3 of_parts(static_cast<unsigned>(rows.count * chunks));
    launch(context, name, topk_long_begin<Key>, {of_rows, block}, shared);
    for (int from = Key::bits; from > 0; from = TopKDigit::below(from).shift) {
      const TopKDigit digit = TopKDigit::below(from);
      launch(context, name, topk_long_count<Key, T>, {of_parts, block, plan.shared_bytes},
             rows.input, shared, digit);
      launch(context, name, topk_long_narrow<Key>, {of_rows, block, plan.shared_bytes}, shared,
             digit);
    }
    launch(context, name, topk_long_ties<Key, T>, {of_parts, block, plan.shared_bytes}, rows.input,
           shared);
    launch(context, name, topk_long_write<Key, T>, {of_parts, block, plan.shared_bytes}, rows.input,
           shared, rows.output);
  }
}

inline TopKDevice topk_device(Context& context, int most_blocks) {
  return {multiprocessors(context), max_shared_bytes(context), most_blocks, l2_bytes(context)};
}

// Without clusters where the device has them but no room for one of the size that the rows ask for
// (a slice of a GPU, or a share).
template <class Key, class T>
TopKPlan topk_rows_plan(Context& context, int64_t rows, int length) {
  TopKDevice device = topk_device(context, 1);
  const TopKPlan alone = topk_plan<ElementBits<T>>(rows, length, device);
  if (alone.kernel != TopKKernel::long_rows) return alone;
  constexpr auto of_clusters = topk_team_rows<Key, T, topk_overflow_words, TopKClusterTeam, true>;
  device.most_blocks = max_cluster_size(context, of_clusters);
  if (device.most_blocks == 1) return alone;
  const TopKPlan plan = topk_plan<ElementBits<T>>(rows, length, device);
  if (plan.kernel == TopKKernel::long_rows) return plan;
  const bool fits =
      has_room_for_cluster(context, of_clusters, plan.blocks, plan.threads, plan.shared_bytes);
  return fits ? plan : alone;
}

// As launch_topk. scratch: for long rows.
template <class Key, class T>
bool launch_topk_rows(Context& context, const char* name, TopKRows<T> rows, const TopKPlan& plan,
                      void* scratch) {
  rows.input.ahead = plan.ahead;
  switch (plan.kernel) {
    case TopKKernel::thread:
      launch_topk_threads<Key>(context, name, rows, plan);
      return true;
    case TopKKernel::warp:
      if (plan.lanes == 8) {
        launch_topk_team<Key, T, TopKWarpTeam<8>, false, 16>(context, name, rows, plan);
      } else if (plan.lanes == 16) {
        launch_topk_team<Key, T, TopKWarpTeam<16>, false, 16>(context, name, rows, plan);
      } else {
        launch_topk_team<Key, T, TopKWarpTeam<32>, false, 16, topk_most_words>(context, name, rows,
                                                                               plan);
      }
      return true;
    case TopKKernel::block:
      if (plan.overflow > 0) {
        launch_topk_team<Key, T, TopKBlockTeam, true, topk_overflow_words>(context, name, rows,
                                                                           plan);
      } else {
        launch_topk_team<Key, T, TopKBlockTeam, false, 16, topk_most_words>(context, name, rows,
                                                                            plan);
      }
      return true;
    case TopKKernel::cluster:
      launch_topk_team<Key, T, TopKClusterTeam, true, topk_overflow_words>(context, name, rows,
                                                                           plan);
      return true;
    case TopKKernel::long_rows:
      if (Key::replaces_by_mean) rows.output.y = nullptr;
      launch_topk_long<Key>(context, name, rows, plan, scratch);
      return !Key::replaces_by_mean;
  }
  return false;
}

inline size_t topk_scratch_bytes(const TopKPlan& plan, int length) {
  return plan.kernel == TopKKernel::long_rows ? TopKLongScratch(length, plan).bytes() : 0;
}

template <class Key, class T>
void launch_topk_thread_channels(Context& context, const char* name, const TopKRows<T>& rows,
                                 int channels, const TopKTilePlan& plan) {
  const int64_t tiles = ceil_div(channels, topk_thread_block);
  with_constant(plan.words, TopKThreadWords<T>{}, [&](auto words) {
    const auto kernel = [&] {
      if constexpr (topk_per_word<T> == 1) {
        GESTALT_CHECK(channels <= (1 << 26), "[{}] {} channels are too many", name, channels);
        return topk_lane_channels<Key, T, words>;
      } else {
        constexpr int wide = topk_wide<T>;
        const bool packs = rows.is_aligned() && channels % wide == 0;
        return packs ? topk_thread_channels<Key, T, words, wide>
                     : topk_thread_channels<Key, T, words, 1>;
      }
    }();
    launch(context, name, kernel,
           {dim3(static_cast<unsigned>(rows.count / channels * tiles)), dim3(topk_thread_block),
            plan.shared_bytes, 1, plan.shared_bytes > 0},
           rows.input, channels, rows.length, rows.k, rows.output);
  });
}

// The kernel of a plan, of 16 bytes of channels at once or of one.
template <class Key, class T, int pack>
auto topk_tile_kernel(const TopKTilePlan& plan) {
  if (plan.kernel == TopKTileKernel::column) {
    return plan.width_bits == topk_tile_width_bits
               ? topk_columns<Key, T, topk_tile_width_bits, pack>
               : topk_columns<Key, T, 3, pack>;
  }
  if constexpr (topk_per_word<T> == 2) {
    if (plan.lanes == 8) return topk_tile_rows<Key, T, 16, 8, pack>;
  }
  if (plan.lanes == 16) return topk_tile_rows<Key, T, 16, 16, pack>;
  return plan.words == 16 ? topk_tile_rows<Key, T, 16, 32, pack>
                          : topk_tile_rows<Key, T, topk_most_words, 32, pack>;
}

template <class Key, class T>
void launch_topk_tiles(Context& context, const char* name, TopKRows<T> rows, int channels,
                       const TopKTilePlan& plan) {
  rows.input.ahead = plan.ahead;
  constexpr int wide = topk_wide<T>;
  const bool packs = rows.is_aligned() && channels % wide == 0;
  const int64_t width = topk_per_word<T> << plan.width_bits;
  const int64_t tiles = ceil_div<int64_t>(channels, width);
  launch(context, name,
         packs ? topk_tile_kernel<Key, T, wide>(plan) : topk_tile_kernel<Key, T, 1>(plan),
         {dim3(static_cast<unsigned>(rows.count / channels * tiles)),
          dim3(static_cast<unsigned>(plan.threads)), plan.shared_bytes, 1, true},
         rows.input, channels, rows.length, rows.k, rows.output);
}

// Rows that no tile holds: through a contiguous copy, three reads and writes, where digits of the
// rows as they lie would read x four times more, a few bytes of each line at a time.
template <class Key, class T>
bool launch_topk_transposed(Context& context, const char* name, const View& x, TopKRows<T> rows) {
  const TopKPlan plan = topk_rows_plan<Key, T>(context, rows.count, rows.length);
  const size_t copy_bytes = round_up(static_cast<size_t>(x.numel()) * sizeof(ElementBits<T>), 256);
  auto* memory =
      static_cast<char*>(context.workspace(copy_bytes + topk_scratch_bytes(plan, rows.length)));
  const View contiguous{memory, x.dtype, x.device, x.shape,
                        strides_of(x.shape, Format::contiguous)};
  View y = x;
  y.data = rows.output.y;
  copy(context, x, contiguous);
  rows.input.x = contiguous.as<const ElementBits<T>>();
  rows.output.y = contiguous.as<ElementBits<T>>();
  if (!launch_topk_rows<Key, T>(context, name, rows, plan, memory + copy_bytes)) return false;
  copy(context, contiguous, y);
  return true;
}

template <class Key, class T>
bool launch_topk(Context& context, const char* name, const View& x, int64_t k,
                 const TopKOutput<T>& output, const TopKPrologue<T>& prologue) {
  const int64_t length = x.shape[2] * x.shape[3];
  GESTALT_CHECK(length < (int64_t{1} << 31) - (1 << 16), "[{}] rows of {} elements are too long",
                name, length);
  const auto channels = static_cast<int>(x.shape[1]);
  const TopKRows<T> rows{{x.as<const ElementBits<T>>(), prologue},
                         x.shape[0] * channels,
                         static_cast<int>(length),
                         static_cast<uint32_t>(k),
                         output};
  if (x.is_contiguous()) {
    const TopKPlan plan = topk_rows_plan<Key, T>(context, rows.count, rows.length);
    const size_t bytes = topk_scratch_bytes(plan, rows.length);
    return launch_topk_rows<Key, T>(context, name, rows, plan,
                                    bytes == 0 ? nullptr : context.workspace(bytes));
  }
  const TopKTilePlan plan = topk_tile_plan<ElementBits<T>>(rows.length, topk_device(context, 1));
  switch (plan.kernel) {
    case TopKTileKernel::thread:
      launch_topk_thread_channels<Key, T>(context, name, rows, channels, plan);
      return true;
    case TopKTileKernel::registers:
    case TopKTileKernel::column:
      launch_topk_tiles<Key, T>(context, name, rows, channels, plan);
      return true;
    case TopKTileKernel::transposed:
      return launch_topk_transposed<Key, T>(context, name, x, rows);
  }
  return false;
}

template <class Key, class T>
bool topk_takes_workspace(Context& context, const View& x) {
  const auto length = static_cast<int>(x.shape[2] * x.shape[3]);
  if (x.is_contiguous()) {
    return topk_rows_plan<Key, T>(context, x.shape[0] * x.shape[1], length).kernel ==
           TopKKernel::long_rows;
  }
  return topk_tile_plan<ElementBits<T>>(length, topk_device(context, 1)).kernel ==
         TopKTileKernel::transposed;
}

#define GESTALT_TOPK_SELECT(Key, T)                                                   \
  template bool launch_topk<Key<T>, T>(Context&, const char*, const View&, int64_t,   \
                                       const TopKOutput<T>&, const TopKPrologue<T>&); \
  template bool topk_takes_workspace<Key<T>, T>(Context&, const View&);

}  // namespace GESTALT_CUDA_NAMESPACE
