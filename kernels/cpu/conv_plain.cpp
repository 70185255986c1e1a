#include "kernels/cpu/conv_plain.h"

#include <vector>

#include "kernels/cpu/image.h"
#include "kernels/dispatch.h"
#include "kernels/parallel.h"
#include "kernels/rounding.h"

namespace gestalt::cpu {
namespace {

// The outputs [begin, end) whose input `out * stride + offset` lies in [0, size).
struct Span {
  int64_t begin, end;
};
Span valid_outputs(int64_t offset, int64_t stride, int64_t size, int64_t outputs) {
  return {std::clamp<int64_t>(ceil_div(-offset, stride), 0, outputs),
          std::clamp<int64_t>(ceil_div(size - offset, stride), 0, outputs)};
}

}  // namespace

void conv2d_forward_plain(const View& x_view, const View& w_view, const View* bias,
                          const View& y_view, const Conv2dDesc& desc) {
  dispatch<FloatTypes>("conv2d_forward", x_view, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    const Image<T> x(x_view), w(w_view), y(y_view);
    const int64_t outputs_per_group = y.c / desc.groups;
    parallel_for(y.planes(), grain(y.plane_size() * w.c * w.h * w.w), [&](int64_t p0, int64_t p1) {
      std::vector<Sum> sums(y.w);
      for (int64_t p = p0; p < p1; ++p) {
        const int64_t n = p / y.c, o = p % y.c;
        const int64_t first_channel = o / outputs_per_group * w.c;
        const Sum start = bias ? static_cast<Sum>(bias->as<T>()[o * bias->strides[0]]) : Sum(0);
        for (int64_t oh = 0; oh < y.h; ++oh) {
          std::fill(sums.begin(), sums.end(), start);
          for (int64_t c = 0; c < w.c; ++c) {
            for (int64_t kh = 0; kh < w.h; ++kh) {
              const int64_t ih = oh * desc.stride[0] - desc.padding[0] + kh * desc.dilation[0];
              if (ih < 0 || ih >= x.h) continue;
              for (int64_t kw = 0; kw < w.w; ++kw) {
                const int64_t offset = kw * desc.dilation[1] - desc.padding[1];
                const Span valid = valid_outputs(offset, desc.stride[1], x.w, y.w);
                const Sum weight = static_cast<Sum>(w(o, c, kh, kw));
                const T* row = x.row(n, first_channel + c, ih);
                for (int64_t ow = valid.begin; ow < valid.end; ++ow) {
                  sums[ow] +=
                      weight * static_cast<Sum>(row[(ow * desc.stride[1] + offset) * x.stride_w]);
                }
              }
            }
          }
          for (int64_t ow = 0; ow < y.w; ++ow) {
            const bool cut = desc.activation == Activation::relu && sums[ow] < 0;
            y(n, o, oh, ow) = static_cast<T>(cut ? Sum(0) : sums[ow]);
          }
        }
      }
    });
  });
}

void conv2d_backward_data_plain(const View& dy_view, const View& w_view, const View& dx_view,
                                const Conv2dDesc& desc) {
  dispatch<FloatTypes>("conv2d_backward_data", dy_view, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    const Image<T> dy(dy_view), w(w_view), dx(dx_view);
    const int64_t outputs_per_group = dy.c / desc.groups;
    const int64_t cost = dx.plane_size() * outputs_per_group * w.h * w.w;
    parallel_for(dx.planes(), grain(cost), [&](int64_t p0, int64_t p1) {
      std::vector<Sum> sums(dx.w);
      for (int64_t p = p0; p < p1; ++p) {
        const int64_t n = p / dx.c, channel = p % dx.c;
        const int64_t group = channel / w.c, c = channel % w.c;
        for (int64_t ih = 0; ih < dx.h; ++ih) {
          std::fill(sums.begin(), sums.end(), Sum(0));
          for (int64_t o = group * outputs_per_group; o < (group + 1) * outputs_per_group; ++o) {
            for (int64_t kh = 0; kh < w.h; ++kh) {
              const int64_t reached = ih + desc.padding[0] - kh * desc.dilation[0];
              if (reached < 0 || reached % desc.stride[0] != 0) continue;
              const int64_t oh = reached / desc.stride[0];
              if (oh >= dy.h) continue;
              for (int64_t kw = 0; kw < w.w; ++kw) {
                const int64_t offset = kw * desc.dilation[1] - desc.padding[1];
                const Span valid = valid_outputs(offset, desc.stride[1], dx.w, dy.w);
                const Sum weight = static_cast<Sum>(w(o, c, kh, kw));
                const T* row = dy.row(n, o, oh);
                for (int64_t ow = valid.begin; ow < valid.end; ++ow) {
                  sums[ow * desc.stride[1] + offset] +=
                      weight * static_cast<Sum>(row[ow * dy.stride_w]);
                }
              }
            }
          }
          for (int64_t iw = 0; iw < dx.w; ++iw) dx(n, channel, ih, iw) = static_cast<T>(sums[iw]);
        }
      }
    });
  });
}

void conv2d_backward_weights_plain(const View& dy_view, const View& x_view, const View& dw_view,
                                   const Conv2dDesc& desc) {
  dispatch<FloatTypes>("conv2d_backward_weights", dy_view, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    const Image<T> dy(dy_view), x(x_view), dw(dw_view);
    const int64_t outputs_per_group = dy.c / desc.groups;
    const int64_t cost = dw.plane_size() * dy.n * dy.plane_size();
    parallel_for(dw.planes(), grain(cost), [&](int64_t p0, int64_t p1) {
      for (int64_t p = p0; p < p1; ++p) {
        const int64_t o = p / dw.c, c = p % dw.c;
        const int64_t channel = o / outputs_per_group * dw.c + c;
        for (int64_t kh = 0; kh < dw.h; ++kh) {
          for (int64_t kw = 0; kw < dw.w; ++kw) {
            const int64_t offset_h = kh * desc.dilation[0] - desc.padding[0];
            const int64_t offset_w = kw * desc.dilation[1] - desc.padding[1];
            const Span rows = valid_outputs(offset_h, desc.stride[0], x.h, dy.h);
            const Span columns = valid_outputs(offset_w, desc.stride[1], x.w, dy.w);
            Sum sum = 0;
            for (int64_t n = 0; n < dy.n; ++n) {
              for (int64_t oh = rows.begin; oh < rows.end; ++oh) {
                const T* dy_row = dy.row(n, o, oh);
                const T* x_row = x.row(n, channel, oh * desc.stride[0] + offset_h);
                for (int64_t ow = columns.begin; ow < columns.end; ++ow) {
                  sum += static_cast<Sum>(dy_row[ow * dy.stride_w]) *
                         static_cast<Sum>(x_row[(ow * desc.stride[1] + offset_w) * x.stride_w]);
                }
              }
            }
            dw(o, c, kh, kw) = static_cast<T>(sum);
          }
        }
      }
    });
  });
}

}  // namespace gestalt::cpu
