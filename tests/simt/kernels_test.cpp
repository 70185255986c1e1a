// CUDA's own kernels against the CPU's on shapes that take the paths which the cases are too small
// for (chunked folds, blocks a row, long lists), the same bits for every schedule, and every pair
// of types in a copy.

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "kernels/cpu/table.h"
#include "kernels/philox.h"
#include "kernels/runtime.h"
#include "tests/simt/access_hooks.h"
#include "tests/simt/executor.h"
#include "tests/simt/table.h"

namespace gestalt {
namespace {

struct Buffer {
  std::vector<unsigned char> bytes;
  View view;

  Buffer(DType dtype, const Shape& shape) : bytes(shape.numel() * size_of(dtype), 0xff) {
    view = {bytes.data(), dtype, {}, shape, strides_of(shape, Format::contiguous)};
  }
};

class KernelPaths : public testing::Test {
 protected:
  // Values in [low, high) of the shape, the same on each call.
  Buffer random(DType dtype, const Shape& shape, double low = -1, double high = 1) {
    Buffer buffer(dtype, shape);
    cpu_kernels.uniform(*context_, {.seed = 5, .offset = ++offset_}, low, high, buffer.view);
    return buffer;
  }

  // Runs call(table, context, y) on the CPU and, under some seeds, on the executor.
  template <class Call>
  void compare(const char* what, DType dtype, const Shape& shape, double tolerance,
               const Call& call) {
    Buffer expected(dtype, shape), first(dtype, shape);
    call(cpu_kernels, expected.view);
    for (int seed = 1; seed <= 3; ++seed) {
      simt::set_seed(seed);
      Buffer got(dtype, shape);
      call(simt_kernels(), got.view);
      if (seed == 1) first.bytes = got.bytes;
      EXPECT_EQ(got.bytes, first.bytes) << what << ": other bits under seed " << seed;
    }
    const std::vector<double> a = values(first), b = values(expected);
    for (size_t i = 0; i < a.size(); ++i) {
      const double error = std::abs(a[i] - b[i]);
      ASSERT_FALSE(!(error <= tolerance * (std::abs(b[i]) + 1e-3)))
          << what << " at " << i << ": got " << a[i] << ", expected " << b[i];
    }
  }

  std::vector<double> values(const Buffer& buffer) {
    Buffer wide(DType::f64, buffer.view.shape);
    View from = buffer.view;
    from.data = const_cast<unsigned char*>(buffer.bytes.data());
    cpu_kernels.copy(*context_, from, wide.view);
    std::vector<double> result(buffer.view.numel());
    if (!result.empty()) std::memcpy(result.data(), wide.bytes.data(), wide.bytes.size());
    return result;
  }

  std::unique_ptr<Context> context_ = cpu_runtime.make_context(0);
  uint64_t offset_ = 0;
};

TEST_F(KernelPaths, Folds) {
  const struct {
    Shape x, y;
  } shapes[] = {
      {{70000}, {1}},        // rows, chunks through memory
      {{3, 40000}, {3, 1}},  // the same for several outputs
      {{20000, 7}, {1, 7}},  // columns, chunks
      {{5, 1500}, {5, 1}},   // rows of a block, one chunk
      {{40, 33}, {40, 1}},   // rows of a warp
      {{9, 130}, {1, 130}},  // columns
      {{4, 5, 30, 31}, {1, 5, 1, 1}},
      {{2, 3, 5}, {2, 3, 5}},  // nothing is folded
  };
  for (const auto& [from, to] : shapes) {
    const Buffer x = random(DType::f32, from, -0.5, 1);
    const std::string what = to_string(from) + " to " + to_string(to);
    compare(("sum " + what).c_str(), DType::f32, to, 1e-5,
            [&](const KernelTable& table, const View& y) { table.sum(*context_, x.view, 0.5, y); });
    compare(("max " + what).c_str(), DType::f32, to, 0,
            [&](const KernelTable& table, const View& y) { table.max(*context_, x.view, y); });
    compare(("min " + what).c_str(), DType::f32, to, 0,
            [&](const KernelTable& table, const View& y) { table.min(*context_, x.view, y); });
  }
}

TEST_F(KernelPaths, FoldsOfNothing) {
  const Buffer x = random(DType::f32, {3, 0});
  compare("sum", DType::f32, {3, 1}, 0,
          [&](const KernelTable& table, const View& y) { table.sum(*context_, x.view, 1, y); });
}

TEST_F(KernelPaths, FoldsOfEverything) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    const Buffer a = random(dtype, {3, 30001}), b = random(dtype, {3, 30001});
    const auto one = [&](const char* what, const auto& call) {
      compare(what, DType::f32, {1}, 2e-5, call);
    };
    one("dot",
        [&](const KernelTable& table, const View& y) { table.dot(*context_, a.view, b.view, y); });
    one("squared_error", [&](const KernelTable& table, const View& y) {
      table.squared_error(*context_, a.view, b.view, 2, y);
    });
    one("absolute_error", [&](const KernelTable& table, const View& y) {
      table.absolute_error(*context_, a.view, b.view, 2, y);
    });
    for (int order : {0, 1}) {
      one("absolute_norm", [&](const KernelTable& table, const View& y) {
        table.absolute_norm(*context_, a.view, order, y);
      });
    }
  }
}

TEST_F(KernelPaths, BinaryCrossEntropyOfManyElements) {
  const Buffer x = random(DType::f32, {3, 30001}, -100, 100),
               target = random(DType::f32, {3, 30001}, 0, 1);
  compare("binary_cross_entropy_forward", DType::f32, {1}, 2e-5,
          [&](const KernelTable& table, const View& y) {
            table.binary_cross_entropy_forward(*context_, x.view, target.view, 0.5, y);
          });
}

// Rows that are taken by more warps than one and more often than a warp looks at once, in the order
// of the indices: 16-bit sums in another order would differ.
TEST_F(KernelPaths, RowsByTheirNumbers) {
  Buffer indices(DType::i64, {200});
  for (int64_t k = 0; k < 200; ++k) indices.view.as<int64_t>()[k] = k % 3 == 0 ? 4 : k * k % 7;
  View every_other = indices.view;
  every_other.shape = {100};
  every_other.strides = {2};
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    for (const int dim : {0, 1, 2}) {
      for (const View& taken : {indices.view, every_other}) {
        Shape whole{7, 7, 7}, part = whole;
        whole[(dim + 1) % 3] = part[(dim + 1) % 3] = 33;
        part[dim] = taken.numel();
        const Buffer x = random(dtype, whole), dy = random(dtype, part);
        compare("index_select_forward", dtype, part, 0,
                [&](const KernelTable& table, const View& y) {
                  table.index_select_forward(*context_, x.view, dim, taken, y);
                });
        compare("index_select_backward", dtype, whole, 0,
                [&](const KernelTable& table, const View& dx) {
                  table.index_select_backward(*context_, dy.view, dim, taken, dx);
                });
      }
    }
  }
}

// A number that no row has must not be read there; the result says so, and no gradient comes of it.
TEST_F(KernelPaths, RowsThatAreNone) {
  const Buffer x = random(DType::f32, {2, 5});
  Buffer indices(DType::i64, {3}), y(DType::f32, {3, 5}), dx(DType::f32, {2, 5});
  indices.view.as<int64_t>()[0] = 2;
  indices.view.as<int64_t>()[1] = 1;
  indices.view.as<int64_t>()[2] = -1;
  simt_kernels().index_select_forward(*context_, x.view, 0, indices.view, y.view);
  const float* got = y.view.as<float>();
  EXPECT_TRUE(std::isnan(got[0]) && std::isnan(got[10]));
  EXPECT_EQ(got[5], x.view.as<float>()[5]);
  Buffer whole(DType::i64, {2}), taken(DType::i64, {3});
  whole.view.as<int64_t>()[1] = whole.view.as<int64_t>()[0] = 7;
  simt_kernels().index_select_forward(*context_, whole.view, 0, indices.view, taken.view);
  EXPECT_EQ(taken.view.as<int64_t>()[0], 0);
  EXPECT_EQ(taken.view.as<int64_t>()[1], 7);
  const Buffer dy = random(DType::f32, {3, 5});
  simt_kernels().index_select_backward(*context_, dy.view, 0, indices.view, dx.view);
  EXPECT_EQ(dx.view.as<float>()[0], 0);
  EXPECT_EQ(dx.view.as<float>()[5], dy.view.as<float>()[5]);
}

TEST_F(KernelPaths, ComparisonsAndChoices) {
  Buffer half(DType::u8, {5001});
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16, DType::i64, DType::u8}) {
    Buffer a(dtype, {5001}), b(dtype, {5001});
    for (const Buffer* to : {&a, &b}) {
      cpu_kernels.copy(*context_, random(DType::f32, {5001}, 0, 4).view, to->view);
    }
    for (const Comparison comparison :
         {Comparison::greater, Comparison::greater_equal, Comparison::equal}) {
      compare("compare", DType::u8, {5001}, 0, [&](const KernelTable& table, const View& y) {
        table.compare(*context_, a.view, b.view, comparison, y);
      });
      cpu_kernels.compare(*context_, a.view, b.view, comparison, half.view);
    }
    compare("where", dtype, {5001}, 0, [&](const KernelTable& table, const View& y) {
      table.where(*context_, half.view, a.view, b.view, y);
    });
  }
}

TEST_F(KernelPaths, ArgmaxOfTiesAndNan) {
  Buffer x = random(DType::f32, {3, 40000}, -1, 0);
  float* values = x.view.as<float>();
  values[35000] = values[123] = 5;                   // a tie: the first
  values[40000 + 39999] = values[40000 + 77] = NAN;  // the first NaN
  compare("argmax", DType::i64, {3, 1}, 0,
          [&](const KernelTable& table, const View& y) { table.argmax(*context_, x.view, 1, y); });
  compare("argmax of columns", DType::i64, {1, 40000}, 0,
          [&](const KernelTable& table, const View& y) { table.argmax(*context_, x.view, 0, y); });
}

TEST_F(KernelPaths, SoftmaxOfLongRows) {
  const Shape shape{3, 2500};
  const Buffer x = random(DType::f32, shape, -3, 3), dy = random(DType::f32, shape);
  compare("softmax", DType::f32, shape, 2e-5, [&](const KernelTable& table, const View& y) {
    table.softmax_forward(*context_, x.view, y);
  });
  compare("log_softmax", DType::f32, shape, 1e-5, [&](const KernelTable& table, const View& y) {
    table.log_softmax_forward(*context_, x.view, y);
  });
  Buffer y(DType::f32, shape);
  cpu_kernels.softmax_forward(*context_, x.view, y.view);
  compare("softmax_backward", DType::f32, shape, 1e-4,
          [&](const KernelTable& table, const View& dx) {
            table.softmax_backward(*context_, dy.view, y.view, dx);
          });
  cpu_kernels.log_softmax_forward(*context_, x.view, y.view);
  compare("log_softmax_backward", DType::f32, shape, 1e-4,
          [&](const KernelTable& table, const View& dx) {
            table.log_softmax_backward(*context_, dy.view, y.view, dx);
          });
}

TEST_F(KernelPaths, LossOfManyRows) {
  const Buffer x = random(DType::f32, {3000, 5}, -3, 0);
  Buffer target(DType::i64, {3000});
  for (int i = 0; i < 3000; ++i) target.view.as<int64_t>()[i] = i % 5;
  compare("nll", DType::f32, {1}, 1e-5, [&](const KernelTable& table, const View& loss) {
    table.nll_forward(*context_, x.view, target.view, 1.0 / 3000, 0.1, loss);
  });
}

// A target that is no class must not be read beyond the row; the loss and its gradient say so.
TEST_F(KernelPaths, TargetThatIsNoClass) {
  const Buffer x = random(DType::f32, {2, 5}, -3, 0);
  Buffer target(DType::i64, {2}), loss(DType::f32, {1}), dx(DType::f32, {2, 5});
  target.view.as<int64_t>()[0] = 1;
  target.view.as<int64_t>()[1] = 5;
  simt_kernels().nll_forward(*context_, x.view, target.view, 1, 0, loss.view);
  EXPECT_TRUE(std::isnan(*loss.view.as<float>()));
  *loss.view.as<float>() = 1;
  simt_kernels().cross_entropy_backward(*context_, loss.view, x.view, target.view, 1, 0, dx.view);
  EXPECT_FALSE(std::isnan(dx.view.as<float>()[4]));
  EXPECT_TRUE(std::isnan(dx.view.as<float>()[5]));
}

TEST_F(KernelPaths, CopiesBetweenAllTypes) {
  const DType all[] = {DType::f32, DType::bf16, DType::f16, DType::f64, DType::i64, DType::u8};
  for (const DType from : all) {
    Buffer x(from, {4, 9});
    const Buffer real = random(DType::f32, {4, 9}, 0, 200);
    cpu_kernels.copy(*context_, real.view, x.view);
    for (const DType to : all) {
      compare((to_string(from) + " to " + to_string(to)).c_str(), to, {4, 9}, 0,
              [&](const KernelTable& table, const View& y) { table.copy(*context_, x.view, y); });
    }
  }
}

TEST_F(KernelPaths, CopiesOfTransposedViews) {
  const Buffer x = random(DType::f32, {7, 6, 5});
  View transposed = x.view;
  transposed.shape = {5, 7, 6};
  transposed.strides = {1, 30, 5};
  compare("transposed", DType::f32, {5, 7, 6}, 0,
          [&](const KernelTable& table, const View& y) { table.copy(*context_, transposed, y); });
  transposed.shape = {5, 7, 6, 3};
  transposed.strides = {1, 30, 0, -5};  // a broadcast dimension, and one that runs backwards
  transposed.data = x.view.as<float>() + 10;
  compare("broadcast", DType::f32, {5, 7, 6, 3}, 0,
          [&](const KernelTable& table, const View& y) { table.copy(*context_, transposed, y); });
}

TEST_F(KernelPaths, CopiesBetweenFormats) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f64}) {
    for (const Shape& shape : {Shape{2, 40, 9, 7}, {1, 8, 3, 3}, {3, 33, 1, 65}, {2, 7, 30, 30}}) {
      const Buffer values = random(dtype, shape);
      View x = values.view;
      x.strides = strides_of(shape, Format::channels_last);
      compare("to contiguous", dtype, shape, 0,
              [&](const KernelTable& table, const View& y) { table.copy(*context_, x, y); });
      compare("to channels_last", dtype, shape, 0, [&](const KernelTable& table, const View& y) {
        View last = y;
        last.strides = strides_of(shape, Format::channels_last);
        table.copy(*context_, values.view, last);
      });
    }
  }
}

// A call's kernels may access its views alone: here one is said to be longer than it is.
TEST_F(KernelPaths, AccessBeyondAView) {
  if (!simt::has_access_hooks()) GTEST_SKIP() << "AddressSanitizer sees the accesses";
  const Buffer a = random(DType::f32, {1000}), b = random(DType::f32, {1000});
  View shorter = b.view;
  shorter.shape = {990};
  Buffer y(DType::f32, {1});
  simt_kernels().dot(*context_, a.view, b.view, y.view);
  try {
    simt_kernels().dot(*context_, a.view, shorter, y.view);
    ADD_FAILURE() << "the access was not found";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("past the end of a buffer of 3960 bytes"), std::string::npos) << text;
  }
}

// More parameters than one launch lists, of three types and some empty; the largest takes many
// blocks.
TEST_F(KernelPaths, ManyParameters) {
  const DType types[] = {DType::f32, DType::bf16, DType::f16};
  constexpr int count = 210;
  const auto shape_of = [](int i) { return Shape{i == 100 ? 9000 : (i % 11 == 0 ? 0 : i)}; };
  const auto run = [&](const KernelTable& table) {
    offset_ = 0;
    std::vector<Buffer> parameters, gradients, first, second;
    std::vector<AdamParameter> list;
    for (int i = 0; i < count; ++i) {
      parameters.push_back(random(types[i % 3], shape_of(i)));
      gradients.push_back(random(types[i % 3], shape_of(i)));
      first.push_back(random(DType::f32, shape_of(i)));
      second.push_back(random(DType::f32, shape_of(i), 0, 1));
      list.push_back({parameters[i].view, gradients[i].view, first[i].view, second[i].view});
    }
    const AdamDesc desc{.learning_rate = 1e-2, .weight_decay = 0.1, .step = 3};
    table.adam_step(*context_, list, desc);
    std::vector<double> all;
    for (const std::vector<Buffer>* buffers : {&parameters, &first, &second}) {
      for (const Buffer& buffer : *buffers) {
        for (double value : values(buffer)) all.push_back(value);
      }
    }
    return all;
  };
  const std::vector<double> expected = run(cpu_kernels), got = run(simt_kernels());
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_FALSE(!(std::abs(got[i] - expected[i]) <= 8e-3 * std::abs(expected[i]) + 1e-6))
        << i << ": got " << got[i] << ", expected " << expected[i];
  }
}

TEST_F(KernelPaths, ManyAverages) {
  const DType types[] = {DType::f32, DType::bf16, DType::f16};
  const auto run = [&](const KernelTable& table, const View& y) {
    offset_ = 0;
    std::vector<Buffer> parameters, averages;
    std::vector<AveragedParameter> list;
    for (int i = 0; i < 150; ++i) {
      const Shape shape{i == 70 ? 9000 : i % 5};
      parameters.push_back(random(types[i % 3], shape));
      averages.push_back(random(DType::f32, shape));
      list.push_back({parameters[i].view, averages[i].view});
    }
    table.average_step(*context_, list, 0.75);
    float* to = y.as<float>();
    for (const Buffer& average : averages) {
      const float* from = average.view.as<float>();
      to = std::copy(from, from + average.view.numel(), to);
    }
    ASSERT_EQ(to, y.as<float>() + y.numel());
  };
  compare("average_step", DType::f32, {9000 + 300}, 2e-6, run);
}

// Several blocks of columns, runs of rows, and more rows than threads in a block.
TEST_F(KernelPaths, SpectralNorm) {
  const int64_t rows = 270, columns = 600;
  const Buffer w = random(DType::f32, {rows, columns}, -0.5, 1);
  for (int iterations : {0, 1, 2}) {
    const auto run = [&](const KernelTable& table, int output, const View& y) {
      offset_ = 100;
      Buffer u = random(DType::f32, {rows}), v = random(DType::f32, {columns});
      Buffer left(DType::f32, {rows}), right(DType::f32, {columns}), sigma(DType::f32, {1}),
          normalized(DType::f32, {rows, columns});
      table.spectral_norm_forward(*context_, w.view, u.view, v.view, iterations, 1e-12, left.view,
                                  right.view, sigma.view, normalized.view);
      const Buffer* outputs[] = {&normalized, &u, &v, &left, &right, &sigma};
      cpu_kernels.copy(*context_, outputs[output]->view, y);
    };
    const Shape shapes[] = {{rows, columns}, {rows}, {columns}, {rows}, {columns}, {1}};
    for (int output = 0; output < 6; ++output) {
      compare("spectral_norm_forward", DType::f32, shapes[output], 2e-5,
              [&](const KernelTable& table, const View& y) { run(table, output, y); });
    }
  }
  // Vectors about as long as the unit vectors of a training: the difference of the gradient's two
  // terms is not far below them.
  const Buffer dy = random(DType::f32, {rows, columns}),
               left = random(DType::f32, {rows}, -0.05, 0.05),
               right = random(DType::f32, {columns}, -0.05, 0.05),
               sigma = random(DType::f32, {1}, 1, 2);
  compare("spectral_norm_backward", DType::f32, {rows, columns}, 5e-4,
          [&](const KernelTable& table, const View& y) {
            table.spectral_norm_backward(*context_, dy.view, w.view, left.view, right.view,
                                         sigma.view, y);
          });
}

}  // namespace
}  // namespace gestalt
