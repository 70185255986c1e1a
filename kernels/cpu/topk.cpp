// topk_forward and topk_backward: rows in parallel, each one selected and written while it is in
// the cache. The floor is one read and one write of the tensor; channels last, one more read.

#include <memory>
#include <vector>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/topk_tiles.h"
#include "kernels/dispatch.h"
#include "kernels/parallel.h"

namespace gestalt::cpu {
namespace {

template <class T>
void forward_rows(const View& x, const View& y, const View* mask, const TopKDesc& desc) {
  const int64_t length = x.shape[2] * x.shape[3];
  const int64_t bytes = mask_bytes(length);
  const bool select_only = desc.tau == 1.0f;
  const bool stream = y.numel() * size_of(y.dtype) >= stream_bytes;
  parallel_for(x.shape[0] * x.shape[1], 1 + 16384 / length, [&](int64_t begin, int64_t end) {
    TopKRowWorker<T> worker(length);
    const std::unique_ptr<uint8_t[]> own_mask(new uint8_t[static_cast<size_t>(bytes)]);
    for (int64_t row = begin; row < end; ++row) {
      const T* in = x.as<T>() + row * length;
      T* out = y.as<T>() + row * length;
      uint8_t* bits = mask != nullptr ? mask->as<uint8_t>() + row * bytes : nullptr;
      if (select_only) {
        worker.select(in, desc, stream, out, bits);
      } else {
        if (bits == nullptr) bits = own_mask.get();
        worker.select(in, desc, false, nullptr, bits);
        blend_row(in, bits, length, desc.tau, out);
      }
    }
  });
}

template <class T>
void forward_channels_last(const View& x, const View& y, const View* mask, const TopKDesc& desc) {
  std::vector<uint8_t> own;
  if (mask == nullptr) own.resize(x.shape[0] * x.shape[1] * mask_bytes(x.shape[2] * x.shape[3]));
  uint8_t* masks = mask == nullptr ? own.data() : mask->as<uint8_t>();
  select_channels_last<T>(x, desc, Identity<T>{}, masks);
  write_channels_last<T>(x, masks, desc.tau, Identity<T>{}, y);
}

template <class T>
void backward_rows(const View& dy, const View& mask, const View& dx, float tau) {
  const TopKRows<T>& rows = topk_rows<T>();
  const int64_t length = dy.shape[2] * dy.shape[3];
  const int64_t bytes = mask_bytes(length);
  const bool stream = dx.numel() * size_of(dx.dtype) >= stream_bytes;
  parallel_for(dy.shape[0] * dy.shape[1], 1 + 65536 / length, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const T* in = dy.as<T>() + row * length;
      const uint8_t* bits = mask.as<uint8_t>() + row * bytes;
      T* out = dx.as<T>() + row * length;
      if (tau == 1.0f) {
        rows.apply(in, bits, length, stream, out);
      } else {
        blend_row(in, bits, length, tau, out);
      }
    }
  });
}

}  // namespace

void topk_forward(Context&, const View& x, const View& y, const View* mask, const TopKDesc& desc) {
  if (x.numel() == 0) return;
  dispatch<FloatTypes>("topk_forward", x, [&]<class T>(std::type_identity<T>) {
    if (x.is_contiguous()) {
      forward_rows<T>(x, y, mask, desc);
    } else {
      forward_channels_last<T>(x, y, mask, desc);
    }
  });
}

void topk_backward(Context&, const View& dy, const View& mask, const View& dx,
                   const TopKDesc& desc) {
  if (dy.numel() == 0) return;
  dispatch<FloatTypes>("topk_backward", dy, [&]<class T>(std::type_identity<T>) {
    if (dy.is_contiguous()) {
      backward_rows<T>(dy, mask, dx, desc.tau);
    } else {
      write_channels_last<T>(dy, mask.as<uint8_t>(), desc.tau, Identity<T>{}, dx);
    }
  });
}

}  // namespace gestalt::cpu
