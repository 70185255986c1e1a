// Random values: a pure function of the state and the logical element index.

#include "kernels/random.h"

#include <array>

#include "kernels/cpu/elementwise.h"
#include "kernels/cpu/kernels.h"
#include "kernels/rounding.h"

namespace gestalt::cpu {
namespace {

// Blocks drawn side by side, word by word: loops over them vectorize.
constexpr int64_t run = 64;
using Words = std::array<std::array<uint32_t, run>, 4>;
template <class Value>
using Drawn = std::array<std::array<Value, run>, 4>;

Words philox_run(const PhiloxState& state, int64_t first) {
  Words words;
  for (int64_t j = 0; j < run; ++j) {
    const PhiloxBlock block = philox(state, static_cast<uint64_t>(first + j));
    for (int k = 0; k < 4; ++k) words[k][j] = block.word[k];
  }
  return words;
}

// y[4 b + k] = make(words)[k][b], in the row-major order of y's shape.
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
  parallel_for(ceil_div(numel, 4 * run), 2048 / run, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto drawn = make(philox_run(state, i * run));
      const int64_t first = 4 * run * i, count = std::min(4 * run, numel - first);
      if (contiguous && count == 4 * run) {
        T* to = y.as<T>() + first;
        for (int64_t j = 0; j < run; ++j) {
          for (int k = 0; k < 4; ++k) to[4 * j + k] = T(drawn[k][j]);
        }
      } else {
        for (int64_t j = 0; j < count; ++j) {
          y.as<T>()[offset_of(first + j)] = T(drawn[j % 4][j / 4]);
        }
      }
    }
  });
}

}  // namespace

void uniform(Context&, PhiloxState state, double low, double high, const View& y) {
  dispatch<FloatTypes>("uniform", y, [&]<class T>(std::type_identity<T>) {
    using Value = accumulate_t<T>;
    const double largest = largest_below<T>(low, high);
    fill_blocks<T>(state, y, [=](const Words& words) {
      Drawn<Value> drawn;
      for (int k = 0; k < 4; ++k) {
        for (int64_t j = 0; j < run; ++j) {
          if constexpr (std::is_same_v<T, double>) {
            drawn[k][j] = std::min(low + philox_uniform(words[k][j]) * (high - low), largest);
          } else {
            drawn[k][j] = philox_uniform(words[k][j], static_cast<float>(low),
                                         static_cast<float>(high), static_cast<float>(largest));
          }
        }
      }
      return drawn;
    });
  });
}

void normal(Context&, PhiloxState state, double mean, double deviation, const View& y) {
  dispatch<FloatTypes>("normal", y, [&]<class T>(std::type_identity<T>) {
    using Value = accumulate_t<T>;
    fill_blocks<T>(state, y, [=](const Words& words) {
      Drawn<Value> drawn;
      const auto scaled = [=](float standard) -> Value {
        if constexpr (std::is_same_v<T, double>) {
          return mean + deviation * standard;
        } else {
          return philox_scale_normal(standard, static_cast<float>(mean),
                                     static_cast<float>(deviation));
        }
      };
      for (int k = 0; k < 4; k += 2) {
        for (int64_t j = 0; j < run; ++j) {
          const PhiloxNormals normals = philox_normal(words[k][j], words[k + 1][j]);
          drawn[k][j] = scaled(normals.value[0]);
          drawn[k + 1][j] = scaled(normals.value[1]);
        }
      }
      return drawn;
    });
  });
}

}  // namespace gestalt::cpu
