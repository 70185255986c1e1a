// Batched products. Work is cut into blocks of rows whose size depends on the shapes alone.

#include <vector>

#include "kernels/cpu/image.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/parallel.h"
#include "kernels/dispatch.h"

namespace gestalt::cpu {
namespace {

struct MatmulShape {
  int64_t batch, m, n, k;
};

// Row i of y is the sum over k of a[i, k] * row k of b.
template <class T>
void matmul_plain(const View& a, const View& b, double alpha, double beta, const View& y,
                  const MatmulShape& shape) {
  using Sum = accumulate_t<T>;
  const auto at = [](const View& view, int64_t batch, int64_t i, int64_t j) -> T& {
    return view.as<T>()[batch * view.strides[0] + i * view.strides[1] + j * view.strides[2]];
  };
  parallel_for(shape.batch * shape.m, grain(shape.n * shape.k), [&](int64_t begin, int64_t end) {
    std::vector<Sum> sums(shape.n);
    for (int64_t row = begin; row < end; ++row) {
      const int64_t batch = row / shape.m, i = row % shape.m;
      std::fill(sums.begin(), sums.end(), Sum(0));
      for (int64_t k = 0; k < shape.k; ++k) {
        const Sum factor = static_cast<Sum>(at(a, batch, i, k));
        for (int64_t j = 0; j < shape.n; ++j) {
          sums[j] += factor * static_cast<Sum>(at(b, batch, k, j));
        }
      }
      for (int64_t j = 0; j < shape.n; ++j) {
        T& out = at(y, batch, i, j);
        const Sum before = beta == 0 ? Sum(0) : static_cast<Sum>(beta) * static_cast<Sum>(out);
        out = static_cast<T>(static_cast<Sum>(alpha) * sums[j] + before);
      }
    }
  });
}

}  // namespace

void matmul(Context&, const View& a, const View& b, double alpha, double beta, const View& y) {
  const MatmulShape shape{y.shape[0], y.shape[1], y.shape[2], a.shape[2]};
  dispatch<FloatTypes>("matmul", y, [&]<class T>(std::type_identity<T>) {
    matmul_plain<T>(a, b, alpha, beta, y, shape);
  });
}

}  // namespace gestalt::cpu
