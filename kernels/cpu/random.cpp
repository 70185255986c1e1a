// Random values: a pure function of the state and the logical element index.

#include "kernels/random.h"

#include "kernels/cpu/elementwise.h"
#include "kernels/cpu/kernels.h"

namespace gestalt::cpu {
namespace {

// y[4 b + k] = make(block b)[k], in the row-major order of y's shape.
template <class T, class Make>
void fill_blocks(const PhiloxState& state, const View& y, const Make& make) {
  const int64_t numel = y.numel();
  const bool contiguous = y.is_contiguous();
  const auto offset_of = [&](int64_t index) {
    if (contiguous) return index;
    int64_t offset = 0;
    for (int dim = y.rank() - 1; dim >= 0; --dim) {
      offset += index % y.shape[dim] * y.strides[dim];
      index /= y.shape[dim];
    }
    return offset;
  };
  parallel_for((numel + 3) / 4, 2048, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      T value[4];
      make(philox(state, static_cast<uint64_t>(block)), value);
      const int count = static_cast<int>(std::min<int64_t>(4, numel - 4 * block));
      for (int k = 0; k < count; ++k) y.as<T>()[offset_of(4 * block + k)] = value[k];
    }
  });
}

}  // namespace

void uniform(Context&, PhiloxState state, double low, double high, const View& y) {
  dispatch<FloatTypes>("uniform", y, [&]<class T>(std::type_identity<T>) {
    const double largest = largest_below<T>(low, high);
    fill_blocks<T>(state, y, [=](const PhiloxBlock& block, T(&value)[4]) {
      for (int k = 0; k < 4; ++k) {
        if constexpr (std::is_same_v<T, double>) {
          value[k] = std::min(low + philox_uniform(block.word[k]) * (high - low), largest);
        } else {
          value[k] = T(philox_uniform(block.word[k], static_cast<float>(low),
                                      static_cast<float>(high), static_cast<float>(largest)));
        }
      }
    });
  });
}

void normal(Context&, PhiloxState state, double mean, double deviation, const View& y) {
  dispatch<FloatTypes>("normal", y, [&]<class T>(std::type_identity<T>) {
    fill_blocks<T>(state, y, [=](const PhiloxBlock& block, T(&value)[4]) {
      float standard[4];
      philox_normal(block, standard);
      for (int k = 0; k < 4; ++k) {
        if constexpr (std::is_same_v<T, double>) {
          value[k] = mean + deviation * standard[k];
        } else {
          value[k] = T(philox_scale_normal(standard[k], static_cast<float>(mean),
                                           static_cast<float>(deviation)));
        }
      }
    });
  });
}

}  // namespace gestalt::cpu
