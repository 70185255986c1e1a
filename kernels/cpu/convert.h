#pragma once

// F32Copy: a view's values as contiguous f32 (in its own format), for kernels that compute in f32.

#include <memory>

#include "kernels/cpu/kernels.h"
#include "kernels/types.h"

namespace gestalt::cpu {

class F32Copy {
 public:
  explicit F32Copy(const View& like)
      : memory_(new float[static_cast<size_t>(like.numel())]), view_(like) {
    const Format format = like.is_contiguous() || !like.is_channels_last() ? Format::contiguous
                                                                           : Format::channels_last;
    view_.data = memory_.get();
    view_.dtype = DType::f32;
    view_.strides = strides_of(like.shape, format);
  }
  static F32Copy of(Context& context, const View& source) {
    F32Copy result(source);
    copy(context, source, result.view());
    return result;
  }

  const View& view() const { return view_; }

 private:
  std::unique_ptr<float[]> memory_;
  View view_;
};

inline bool is_half(DType dtype) {
  return dtype == DType::bf16 || dtype == DType::f16;
}

}  // namespace gestalt::cpu
