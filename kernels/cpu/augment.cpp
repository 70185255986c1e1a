// Augmentation of images on the device: colours, translation, cutout.

#include <algorithm>
#include <vector>

#include "kernels/cpu/image.h"
#include "kernels/cpu/kernels.h"
#include "kernels/dispatch.h"
#include "kernels/parallel.h"

namespace gestalt::cpu {
namespace {

template <class T>
T element(const View& view, int64_t i, int64_t j) {
  return view.as<const T>()[i * view.strides[0] + (view.rank() > 1 ? j * view.strides[1] : 0)];
}

// y[n,c,h,w] = x[n,c,h + sign * offsets[n,0],w + sign * offsets[n,1]], 0 outside of x.
void shift(const char* kernel, const View& x, const View& offsets, int64_t sign, const View& y) {
  dispatch<FloatTypes>(kernel, x, [&]<class T>(std::type_identity<T>) {
    const Image<T> in(x), out(y);
    parallel_for(out.planes(), grain(out.plane_size()), [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        const int64_t n = p / out.c, c = p % out.c;
        // Beyond these nothing of x is left.
        const int64_t down = std::clamp(sign * element<int64_t>(offsets, n, 0), -out.h, in.h);
        const int64_t right = std::clamp(sign * element<int64_t>(offsets, n, 1), -out.w, in.w);
        const int64_t first = std::max<int64_t>(-right, 0);
        const int64_t last = std::clamp(in.w - right, first, out.w);
        for (int64_t h = 0; h < out.h; ++h) {
          T* to = out.row(n, c, h);
          const bool inside = h + down >= 0 && h + down < in.h;
          const int64_t copied_from = inside ? first : out.w, copied_to = inside ? last : out.w;
          for (int64_t w = 0; w < copied_from; ++w) to[w * out.stride_w] = T(0);
          if (inside) {
            const T* from = in.row(n, c, h + down);
            for (int64_t w = first; w < last; ++w) {
              to[w * out.stride_w] = from[(w + right) * in.stride_w];
            }
          }
          for (int64_t w = copied_to; w < out.w; ++w) to[w * out.stride_w] = T(0);
        }
      }
    });
  });
}

}  // namespace

void adjust_color(Context&, const View& x_view, const View* brightness, const View& saturation,
                  const View& contrast, const View& mean, const View& y_view) {
  dispatch<FloatTypes>("adjust_color", x_view, [&]<class T>(std::type_identity<T>) {
    using Stat = accumulate_t<T>;
    const Image<T> x(x_view), y(y_view);
    parallel_for(x.n * x.h, grain(3 * x.c * x.w), [&](int64_t begin, int64_t end) {
      std::vector<Stat> shared(x.w);
      for (int64_t row = begin; row < end; ++row) {
        const int64_t n = row / x.h, h = row % x.h;
        const Stat saturate = element<Stat>(saturation, n, 0);
        const Stat strength = element<Stat>(contrast, n, 0);
        const Stat own = strength * saturate;
        const Stat of_pixel = strength * (1 - saturate) / static_cast<Stat>(x.c);
        const Stat of_image = (1 - strength) * static_cast<Stat>(element<T>(mean, n, 0)) +
                              (brightness != nullptr ? element<Stat>(*brightness, n, 0) : 0);
        std::fill(shared.begin(), shared.end(), Stat(0));
        for (int64_t c = 0; c < x.c; ++c) {
          const T* in = x.row(n, c, h);
          for (int64_t w = 0; w < x.w; ++w) shared[w] += static_cast<Stat>(in[w * x.stride_w]);
        }
        for (Stat& value : shared) value = of_pixel * value + of_image;
        for (int64_t c = 0; c < x.c; ++c) {
          const T* in = x.row(n, c, h);
          T* out = y.row(n, c, h);
          for (int64_t w = 0; w < x.w; ++w) {
            out[w * y.stride_w] = T(own * static_cast<Stat>(in[w * x.stride_w]) + shared[w]);
          }
        }
      }
    });
  });
}

void translate_forward(Context&, const View& x, const View& offsets, const View& y) {
  shift("translate_forward", x, offsets, 1, y);
}

void translate_backward(Context&, const View& dy, const View& offsets, const View& dx) {
  shift("translate_backward", dy, offsets, -1, dx);
}

void cutout(Context&, const View& x_view, const View& corners, const Pair& size,
            const View& y_view) {
  dispatch<FloatTypes>("cutout", x_view, [&]<class T>(std::type_identity<T>) {
    const Image<T> x(x_view), y(y_view);
    parallel_for(x.planes(), grain(x.plane_size()), [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        const int64_t n = p / x.c, c = p % x.c;
        const int64_t top = element<int64_t>(corners, n, 0), left = element<int64_t>(corners, n, 1);
        for (int64_t h = 0; h < x.h; ++h) {
          const T* in = x.row(n, c, h);
          T* out = y.row(n, c, h);
          const bool cut = h >= top && h - top < size[0];
          for (int64_t w = 0; w < x.w; ++w) {
            const bool hidden = cut && w >= left && w - left < size[1];
            out[w * y.stride_w] = hidden ? T(0) : in[w * x.stride_w];
          }
        }
      }
    });
  });
}

}  // namespace gestalt::cpu
