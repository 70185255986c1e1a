// Which algorithm a convolution takes: a rule of shapes, dtype and Context::exact() alone, so that
// a run repeats bit for bit.

#include "kernels/cpu/conv_plain.h"
#include "kernels/cpu/image.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/parallel.h"
#include "kernels/dispatch.h"

namespace gestalt::cpu {

void conv2d_forward(Context&, const View& x, const View& w, const View* bias, const View& y,
                    const Conv2dDesc& desc) {
  conv2d_forward_plain(x, w, bias, y, desc);
}

void conv2d_backward_data(Context&, const View& dy, const View& w, const View& dx,
                          const Conv2dDesc& desc) {
  conv2d_backward_data_plain(dy, w, dx, desc);
}

void conv2d_backward_weights(Context&, const View& dy, const View& x, const View& dw,
                             const Conv2dDesc& desc) {
  conv2d_backward_weights_plain(dy, x, dw, desc);
}

void conv2d_backward_bias(Context&, const View& dy_view, const View& db) {
  dispatch<FloatTypes>("conv2d_backward_bias", dy_view, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    const Image<T> dy(dy_view);
    parallel_for(dy.c, grain(dy.n * dy.plane_size()), [&](int64_t c0, int64_t c1) {
      for (int64_t c = c0; c < c1; ++c) {
        // Rows are summed first: long f32 sums keep their digits.
        Sum total = 0;
        for (int64_t n = 0; n < dy.n; ++n) {
          Sum plane = 0;
          for (int64_t h = 0; h < dy.h; ++h) {
            Sum row = 0;
            for (int64_t w = 0; w < dy.w; ++w) row += static_cast<Sum>(dy(n, c, h, w));
            plane += row;
          }
          total += plane;
        }
        db.as<T>()[c * db.strides[0]] = static_cast<T>(total);
      }
    });
  });
}

}  // namespace gestalt::cpu
