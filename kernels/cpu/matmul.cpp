// Batched products. f32 goes to oneDNN's sgemm (bf16 and f16 through f32 copies), f64 and small
// ones to loops. Work is cut into blocks of y by the shapes alone, a single-threaded product each;
// which way round a product is computed is a rule of shapes and strides, too.

#include <optional>
#include <vector>

#ifdef GESTALT_WITH_ONEDNN
#include <dnnl.h>
#endif

#include "kernels/cpu/convert.h"
#include "kernels/cpu/image.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/single_thread.h"
#include "kernels/dispatch.h"
#include "kernels/error.h"
#include "kernels/parallel.h"
#include "kernels/rounding.h"

namespace gestalt::cpu {
namespace {

struct MatmulShape {
  int64_t batch, m, n, k;
};

View across(View matrices) {
  std::swap(matrices.shape[1], matrices.shape[2]);
  std::swap(matrices.strides[1], matrices.strides[2]);
  return matrices;
}

// The same matrices in f32, which lie as these do: to turn them would cost more than to convert.
class F32Matrices {
 public:
  F32Matrices(Context& context, const View& view)
      : is_across_(view.strides[1] == 1 && view.strides[2] != 1),
        copy_(F32Copy::of(context, is_across_ ? across(view) : view)) {}
  View view() const { return is_across_ ? across(copy_.view()) : copy_.view(); }

 private:
  bool is_across_;
  F32Copy copy_;
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

// Of that many multiplications a call of sgemm takes longer than they do.
constexpr int64_t small_product = 8192, small_matrix = 1024;

bool is_small(const View& y, const MatmulShape& shape) {
  return y.dtype == DType::f32 && y.strides[2] == 1 &&
         shape.m * shape.n * shape.k <= small_product && shape.n * shape.k <= small_matrix;
}

// Some rows of a product, whose `b` has rows of unit stride.
template <int rows>
void small_rows(const float* a, int64_t a_row, int64_t a_column, const float* b, int64_t b_row,
                float alpha, float beta, float* y, int64_t y_row, const MatmulShape& shape) {
  for_lanes<float>(shape.n, [&]<int lanes>(LaneCount<lanes>, int64_t j) {
    using Sums = Lanes<float, lanes>;
    Sums sums[rows] = {};
    for (int64_t k = 0; k < shape.k; ++k) {
      const Sums values = load_lanes<lanes>(b + k * b_row + j);
      for (int i = 0; i < rows; ++i) {
        sums[i] = fused(Sums{} + a[i * a_row + k * a_column], values, sums[i]);
      }
    }
    for (int i = 0; i < rows; ++i) {
      float* const to = y + i * y_row + j;
      Sums result = alpha * sums[i];
      if (beta != 0) result += beta * load_lanes<lanes>(to);
      store_lanes<lanes>(result, to);
    }
  });
}

void matmul_small(const View& a, const View& b, float alpha, float beta, const View& y,
                  const MatmulShape& shape) {
  parallel_for(
      shape.batch, grain(shape.m * shape.n * shape.k / 4), [&](int64_t begin, int64_t end) {
        float b_rows[small_matrix];
        for (int64_t batch = begin; batch < end; ++batch) {
          const float* from = b.as<const float>() + batch * b.strides[0];
          int64_t b_row = b.strides[1];
          if (b.strides[2] != 1) {
            for (int64_t k = 0; k < shape.k; ++k) {
              for (int64_t j = 0; j < shape.n; ++j) {
                b_rows[k * shape.n + j] = from[k * b_row + j * b.strides[2]];
              }
            }
            from = b_rows;
            b_row = shape.n;
          }
          const float* const a_first = a.as<const float>() + batch * a.strides[0];
          float* const y_first = y.as<float>() + batch * y.strides[0];
          const auto some = [&]<int rows>(std::integral_constant<int, rows>, int64_t i) {
            small_rows<rows>(a_first + i * a.strides[1], a.strides[1], a.strides[2], from, b_row,
                             alpha, beta, y_first + i * y.strides[1], y.strides[1], shape);
          };
          int64_t i = 0;
          for (; i + 8 <= shape.m; i += 8) some(std::integral_constant<int, 8>{}, i);
          for (; i < shape.m; ++i) some(std::integral_constant<int, 1>{}, i);
        }
      });
}

#ifdef GESTALT_WITH_ONEDNN

// A matrix as sgemm takes it: one of its strides is 1, the other at least the size along the first.
struct Operand {
  const float* data;
  int64_t batch_stride, row_stride, column_stride;

  bool transposed() const { return column_stride != 1; }
  int64_t leading() const { return transposed() ? column_stride : row_stride; }
  const float* at(int64_t batch, int64_t row, int64_t column) const {
    return data + batch * batch_stride + row * row_stride + column * column_stride;
  }
};

// Whether sgemm takes the view; strides of dimensions of size 1 don't matter to it, but must be
// passed as if they did.
std::optional<Operand> operand(const View& view) {
  const int64_t rows = view.shape[1], columns = view.shape[2];
  int64_t row_stride = view.strides[1], column_stride = view.strides[2];
  if (columns == 1) column_stride = 1;
  if (rows == 1) row_stride = column_stride == 1 ? columns : 1;
  const bool by_rows = column_stride == 1 && row_stride >= columns;
  const bool by_columns = row_stride == 1 && column_stride >= rows;
  if (!by_rows && !by_columns) return std::nullopt;
  return Operand{view.as<float>(), view.strides[0], row_stride, column_stride};
}

void matmul_sgemm(const Operand& a, const Operand& b, double alpha, double beta, const View& y,
                  const MatmulShape& shape) {
  constexpr int64_t block_rows = 192, block_columns = 384;
  const int64_t row_blocks = ceil_div(shape.m, block_rows);
  const int64_t column_blocks = ceil_div(shape.n, block_columns);
  const int64_t cost = std::min(shape.m, block_rows) * std::min(shape.n, block_columns) * shape.k;
  parallel_for(
      shape.batch * row_blocks * column_blocks, grain(cost / 16), [&](int64_t begin, int64_t end) {
        const SingleThread alone;
        for (int64_t unit = begin; unit < end; ++unit) {
          const int64_t column = unit % column_blocks * block_columns;
          const int64_t row = unit / column_blocks % row_blocks * block_rows;
          const int64_t batch = unit / (column_blocks * row_blocks);
          float* out = y.as<float>() + batch * y.strides[0] + row * y.strides[1] + column;
          const dnnl_status_t status = dnnl_sgemm(
              a.transposed() ? 'T' : 'N', b.transposed() ? 'T' : 'N',
              std::min(block_rows, shape.m - row), std::min(block_columns, shape.n - column),
              shape.k, static_cast<float>(alpha), a.at(batch, row, 0), a.leading(),
              b.at(batch, 0, column), b.leading(), static_cast<float>(beta), out,
              std::max(y.strides[1], shape.n));
          GESTALT_CHECK(status == dnnl_success, "[matmul] oneDNN: {}",
                        status == dnnl_out_of_memory
                            ? std::string("out of memory")
                            : format("error {}", static_cast<int>(status)));
        }
      });
}

// Rows of `a` times rows of `b`, as a Linear layer has them: sgemm moves all weights to have them
// across, at each call. As y^T = b a^T it reads them as they lie, and what moves is `a` and y.
// Of the other way's CPU time that is, for 9216 to 4096, 2048 to 1000 and 512 to 512: 0.67, 1.2 and
// 1.7 of 8 rows, 0.5, 0.45 and 0.6 of 16, 0.77, 0.76 and 0.88 of 64, 0.82, 0.84 and 0.98 of 256.
// Fewer weights stay in the cache either way. More rows than weights' rows would move more.
bool turns(const View& a, const View& b, const MatmulShape& shape) {
  constexpr int64_t least_weights = 1 << 18, many_weights = 1 << 24;
  const int64_t weights = shape.n * shape.k, least_rows = weights >= many_weights ? 8 : 16;
  return weights >= least_weights && shape.m >= least_rows && shape.m <= shape.n &&
         a.strides[2] == 1 && b.strides[1] == 1 && b.strides[2] >= shape.k;
}

// False where the views don't suit sgemm.
bool try_sgemm(Context& context, const View& a, const View& b, double alpha, double beta,
               const View& y, const MatmulShape& shape) {
  if (y.dtype != DType::f32 || shape.k == 0 || y.strides[2] != 1 ||
      (shape.m > 1 && y.strides[1] < shape.n)) {
    return false;
  }
  std::optional<F32Copy> a_copy, b_copy;
  const auto prepare = [&](const View& view, std::optional<F32Copy>& holder) {
    if (const auto direct = operand(view)) return *direct;
    holder.emplace(F32Copy::of(context, view));
    return *operand(holder->view());
  };
  if (turns(a, b, shape)) {
    const View b_rows = across(b), y_across = across(y);
    const F32Copy a_turned = F32Copy::of(context, across(a));
    const F32Copy y_turned =
        beta == 0 ? F32Copy(context, y_across) : F32Copy::of(context, y_across);
    matmul_sgemm(*operand(b_rows), *operand(a_turned.view()), alpha, beta, y_turned.view(),
                 {shape.batch, shape.n, shape.m, shape.k});
    copy(context, y_turned.view(), y_across);
    return true;
  }
  const Operand a_operand = prepare(a, a_copy), b_operand = prepare(b, b_copy);
  matmul_sgemm(a_operand, b_operand, alpha, beta, y, shape);
  return true;
}

#else

bool try_sgemm(Context&, const View&, const View&, double, double, const View&,
               const MatmulShape&) {
  return false;
}

#endif

}  // namespace

void matmul(Context& context, const View& a, const View& b, double alpha, double beta,
            const View& y) {
  const MatmulShape shape{y.shape[0], y.shape[1], y.shape[2], a.shape[2]};
  if (y.numel() == 0) return;
  if (is_half(y.dtype)) {
    const F32Matrices a32(context, a), b32(context, b);
    const F32Copy y32 = beta == 0 ? F32Copy(context, y) : F32Copy::of(context, y);
    matmul(context, a32.view(), b32.view(), alpha, beta, y32.view());
    return copy(context, y32.view(), y);
  }
  if (is_small(y, shape)) {
    return matmul_small(a, b, static_cast<float>(alpha), static_cast<float>(beta), y, shape);
  }
  if (try_sgemm(context, a, b, alpha, beta, y, shape)) return;
  dispatch<FloatTypes>("matmul", y, [&]<class T>(std::type_identity<T>) {
    matmul_plain<T>(a, b, alpha, beta, y, shape);
  });
}

}  // namespace gestalt::cpu
