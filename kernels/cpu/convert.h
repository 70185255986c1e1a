#pragma once

// F32Copy: a view's values as contiguous f32 (in its own format), for kernels that compute in f32.

#include <utility>

#include "kernels/context.h"
#include "kernels/cpu/f32_blocks.h"
#include "kernels/cpu/kernels.h"
#include "kernels/types.h"

namespace gestalt::cpu {

class F32Copy {
 public:
  // Of `like`'s shape; holds anything. The context keeps its memory for the next copy.
  F32Copy(Context& context, const View& like)
      : blocks_(&context.state<F32Blocks>()),
        block_(blocks_->take(static_cast<size_t>(like.numel()))),
        view_(like) {
    const Format format = like.is_contiguous() || !like.is_channels_last() ? Format::contiguous
                                                                           : Format::channels_last;
    view_.data = block_.memory.get();
    view_.dtype = DType::f32;
    view_.strides = strides_of(like.shape, format);
  }
  F32Copy(F32Copy&&) = default;
  F32Copy& operator=(F32Copy&&) = delete;
  ~F32Copy() {
    if (block_.memory) blocks_->give(std::move(block_));
  }
  static F32Copy of(Context& context, const View& source) {
    F32Copy result(context, source);
    copy(context, source, result.view());
    return result;
  }

  const View& view() const { return view_; }

 private:
  F32Blocks* blocks_;
  F32Blocks::Block block_;
  View view_;
};

inline bool is_half(DType dtype) {
  return dtype == DType::bf16 || dtype == DType::f16;
}

}  // namespace gestalt::cpu
