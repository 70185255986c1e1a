// channel_stats and adain, forward and backward.

#include "kernels/cuda/groups.h"
#include "kernels/cuda/kernels.h"
#include "kernels/dispatch.h"

namespace GESTALT_CUDA_NAMESPACE {

void channel_stats_forward(Context& context, const View& x, double epsilon, const View& mean,
                           const View& deviation) {
  const Groups groups(x, false);
  dispatch<DeviceFloatTypes>("channel_stats_forward", x, [&]<class T>(std::type_identity<T>) {
    const size_t bytes = fold_bytes(groups);
    fold<T>(context, "channel_stats_forward", groups,
            bytes == 0 ? nullptr : context.workspace(bytes),
            ChannelStats<T>{{x.as<const T>()},
                            static_cast<double>(groups.count),
                            epsilon,
                            statistic(mean),
                            statistic(deviation)},
            x.as<const T>());
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

void adain_forward(Context& context, const View& x, const View& mean, const View& deviation,
                   const View& style_mean, const View& style_deviation, const View& y) {
  dispatch<DeviceFloatTypes>("adain_forward", x, [&]<class T>(std::type_identity<T>) {
    map_affine<T>(
        context, "adain_forward", Groups(x, false), x, mean,
        AdainSlope{statistic(deviation), statistic(style_mean), statistic(style_deviation)}, y);
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
