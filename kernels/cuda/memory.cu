// Copies, conversions and constants.

#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/kernels.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

struct Same {
  template <class T>
  __device__ T operator()(T x) const {
    return x;
  }
};

template <class To>
struct Convert {
  template <class From>
  __device__ To operator()(From x) const {
    return convert<To>(x);
  }
};

template <class T>
struct Constant {
  T value;
  __device__ T operator()() const { return value; }
};

// Calls f with the unsigned integer of the elements' size: copies move bits.
template <class F>
void dispatch_size(DType dtype, const F& f) {
  switch (size_of(dtype)) {
    case 1:
      return f(std::type_identity<uint8_t>{});
    case 2:
      return f(std::type_identity<uint16_t>{});
    case 4:
      return f(std::type_identity<uint32_t>{});
    default:
      return f(std::type_identity<uint64_t>{});
  }
}

// The bits of `value` as an element of `dtype`.
uint64_t bits_of(double value, DType dtype) {
  switch (dtype) {
    case DType::f32:
      return std::bit_cast<uint32_t>(static_cast<float>(value));
    case DType::bf16:
      return bfloat16(static_cast<float>(value)).bits;
    case DType::f16:
      return float16(static_cast<float>(value)).bits;
    case DType::f64:
      return std::bit_cast<uint64_t>(value);
    case DType::i64:
      return static_cast<uint64_t>(static_cast<int64_t>(value));
    default:
      return static_cast<uint8_t>(value);
  }
}

}  // namespace

void copy(Context& context, const View& x, const View& y) {
  if (x.dtype == y.dtype) {
    dispatch_size(x.dtype, [&]<class T>(std::type_identity<T>) {
      elementwise<T, T>(context, "copy", Same{}, y, x);
    });
    return;
  }
  dispatch<AllTypes>("copy", x, [&]<class From>(std::type_identity<From>) {
    dispatch<AllTypes>("copy", y, [&]<class To>(std::type_identity<To>) {
      if constexpr (!std::is_same_v<From, To>) {
        elementwise<To, From>(context, "copy", Convert<To>{}, y, x);
      }
    });
  });
}

void fill(Context& context, double value, const View& y) {
  const uint64_t bits = bits_of(value, y.dtype);
  dispatch_size(y.dtype, [&]<class T>(std::type_identity<T>) {
    elementwise<T>(context, "fill", Constant<T>{static_cast<T>(bits)}, y);
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
