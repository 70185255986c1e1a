// channel_stats and adain, forward and backward.

#include <algorithm>

#include "kernels/cuda/device/adain.cuh"
#include "kernels/cuda/groups.h"
#include "kernels/cuda/kernels.h"
#include "kernels/dispatch.h"

namespace GESTALT_CUDA_NAMESPACE {

namespace {

template <class T>
ChannelStats<T> channel_stats_of(const Groups& groups, const T* x, double epsilon, const View& mean,
                                 const View& deviation) {
  return {{x}, static_cast<double>(groups.count), epsilon, statistic(mean), statistic(deviation)};
}

}  // namespace

void channel_stats_forward(Context& context, const View& x, double epsilon, const View& mean,
                           const View& deviation) {
  constexpr const char* name = "channel_stats_forward";
  const Groups groups(x, false);
  dispatch<DeviceFloatTypes>(name, x, [&]<class T>(std::type_identity<T>) {
    const T* array = x.as<const T>();
    const ChannelStats<T> stats = channel_stats_of(groups, array, epsilon, mean, deviation);
    if (holds_groups(groups, adain_threads)) {
      return with_packs<T>(groups, [&](auto size) {
        launch(context, name, channel_stats_held<size(), T>,
               {dim3(static_cast<unsigned>(groups.groups)), held_block(groups.count),
                shared_size<double>(2 * warp_lanes)},
               ImageRows{groups.count}, all_aligned(array), stats);
      });
    }
    const size_t bytes = fold_bytes(groups);
    fold<T>(context, name, groups, bytes == 0 ? nullptr : context.workspace(bytes), stats, array);
  });
}

void channel_stats_backward(Context& context, const View* dmean, const View* ddeviation,
                            const View& x, const View& mean, const View& deviation,
                            const View& dx) {
  const Groups groups(x, false);
  dispatch<DeviceFloatTypes>("channel_stats_backward", x, [&]<class T>(std::type_identity<T>) {
    map_affine<T>(context, "channel_stats_backward", groups, x, mean,
                  ChannelStatsSlope{statistic(dmean), statistic(ddeviation), statistic(deviation),
                                    static_cast<float>(groups.count)},
                  dx);
  });
}

void adain_forward(Context& context, const View& x, const View* style, double epsilon,
                   const View& mean, const View& deviation, const View& style_mean,
                   const View& style_deviation, const View& y) {
  constexpr const char* name = "adain_forward";
  const Groups groups(x, false), of_style(style == nullptr ? x : *style, false);
  dispatch<DeviceFloatTypes>(name, x, [&]<class T>(std::type_identity<T>) {
    // A style that one block would read for long has its statistics found by more.
    const bool is_one_launch =
        holds_groups(groups, adain_threads) &&
        (style == nullptr || (style->dtype == x.dtype && holds_groups(of_style, adain_threads)));
    if (!is_one_launch) {
      if (style != nullptr) {
        channel_stats_forward(context, *style, epsilon, style_mean, style_deviation);
      }
      channel_stats_forward(context, x, epsilon, mean, deviation);
      return map_affine<T>(
          context, name, groups, x, mean,
          AdainSlope{statistic(deviation), statistic(style_mean), statistic(style_deviation)}, y);
    }
    const T* array = style == nullptr ? nullptr : style->as<const T>();
    const AdainStyle<T> of{{of_style.count},
                           channel_stats_of(of_style, array, epsilon, style_mean, style_deviation),
                           has_packs<T>(of_style),
                           all_aligned(array)};
    with_packs<T>(groups, [&](auto size) {
      launch(context, name, adain_held<size(), T>,
             {dim3(static_cast<unsigned>(groups.groups)),
              held_block(std::max(groups.count, of_style.count)),
              2 * shared_size<double>(2 * warp_lanes) + shared_size<float>(3)},
             ImageRows{groups.count}, all_aligned(x.as<const T>(), y.as<T>()),
             channel_stats_of(groups, x.as<const T>(), epsilon, mean, deviation), of, y.as<T>());
    });
  });
}

void adain_backward(Context& context, const View& dy, const View& x, const View& mean,
                    const View& deviation, const View& style_deviation, const View* dx,
                    const View* dstyle_mean, const View* dstyle_deviation) {
  const Groups groups(x, false);
  dispatch<DeviceFloatTypes>("adain_backward", x, [&]<class T>(std::type_identity<T>) {
    normalized_backward<T>(
        context, "adain_backward", groups,
        {dy.as<const T>(), nullptr, x.as<const T>(), statistic(mean), statistic(deviation), false},
        style_deviation, static_cast<double>(groups.count - 1), dx, dstyle_mean, dstyle_deviation);
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
