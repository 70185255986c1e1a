// Runs every OpCase on every backend: forward against the reference, gradcheck, gradients.
//
// On the CPU and under the SIMT executor each kernel call runs between guard bytes; results must
// not depend on the number of threads; and every kernel must be reached by some case.

#include "tests/cases/op_case.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <optional>

#include "kernels/runtime.h"
#include "kernels/table.h"
#include "tensor/autograd.h"
#include "tensor/context.h"
#include "tensor/gradcheck.h"
#include "tensor/ops/shape.h"
#include "tests/cuda_device.h"
#include "tests/ops/guarded_table.h"
#if defined(GESTALT_WITH_SIMT)
#include "tests/simt/table.h"
#endif

namespace gestalt::cases {
namespace {

struct Backend {
  const char* name;
  Device device;
  const KernelTable* kernels;  // run between guards; null: the device's own, as they are
  bool has_f64;
  int64_t largest;  // elements of all inputs together; larger cases are left out
};

std::vector<Backend> make_backends() {
  constexpr int64_t any = INT64_MAX;
  return {
    {"cpu", {}, &cpu_runtime.kernels, true, any},
#if defined(GESTALT_WITH_SIMT)
        {"simt", {}, &simt_kernels(), false, 40000},
#endif
        {"cuda", {DeviceType::cuda, 0}, nullptr, false, any},
  };
}

const std::vector<Backend>& backends() {
  static const std::vector<Backend> list = make_backends();
  return list;
}

// Kernels of the backend, guarded, while it lives. CUDA is exact meanwhile: its f32 convolutions
// would else be TF32, 1e-3 off, and hide an error of that size. On the CPU both ways are tested:
// the default here; exact by tests/kernels/conv_test.cpp against plain loops, and over the depth of
// VGG-19 by ConvDepth.ErrorOverVgg19.
class UseBackend {
 public:
  explicit UseBackend(const Backend& backend) {
    if (backend.kernels != nullptr) table_.emplace(guarded(*backend.kernels));
    if (backend.device.is_cuda()) exact_.emplace(backend.device, true);
  }

 private:
  std::optional<UseTable> table_;
  std::optional<ExactGuard> exact_;
};

int64_t elements(const OpCase& op_case) {
  int64_t sum = 0;
  for (const Input& input : op_case.inputs) sum += input.shape.numel();
  return sum;
}

void skip_or_fail_without(Device device) {
  GESTALT_NEEDS_DEVICE(device);
}

// Those that ask for a gradient, made to require one.
std::vector<Tensor> require_gradients(const OpCase& op_case, std::vector<Tensor>& inputs) {
  std::vector<Tensor> wanted;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (op_case.inputs[i].gradient && !op_case.inputs[i].integer) {
      inputs[i].set_requires_grad(true);
      wanted.push_back(inputs[i]);
    }
  }
  return wanted;
}

// The same values as part of a larger tensor, as cat's gradient hands them on.
Tensor as_part(const Tensor& whole) {
  const int dim = whole.rank() > 1 ? 1 : 0;
  if (whole.rank() == 0 || whole.size(dim) == 0) return whole;
  const Tensor longer = cat({narrow(whole, dim, 0, 1), whole}, dim);
  return narrow(longer, dim, 1, whole.size(dim));
}

// Gradients of the objective to every input that asks for one.
std::vector<Array> analytic_gradients(const OpCase& op_case, DType dtype, Device device,
                                      DType rounded, bool from_parts = false) {
  std::vector<Tensor> inputs = make_inputs(op_case, dtype, device, rounded);
  const std::vector<Tensor> wanted = require_gradients(op_case, inputs);
  const std::vector<Tensor> outputs = op_case.run(inputs);
  std::vector<Tensor> weights;
  for (const Tensor& output : outputs) {
    const Tensor whole = objective_weights(output, rounded);
    weights.push_back(from_parts ? as_part(whole) : whole);
  }
  std::vector<Array> grads;
  for (const Tensor& grad : gradients(outputs, weights, wanted)) grads.push_back(to_array(grad));
  return grads;
}

class OpCaseTest : public testing::Test {
 public:
  OpCaseTest(const OpCase& op_case, const Backend& backend, DType dtype)
      : op_case_(op_case), backend_(backend), dtype_(dtype) {}

  void TestBody() override {
    skip_or_fail_without(backend_.device);
    if (IsSkipped() || HasFatalFailure()) return;
    forward();
    if (!op_case_.differentiable) return;
    gradients_agree();
    if (dtype_ == DType::f64) gradcheck();
  }

 private:
  void expect_all(const char* what, const std::vector<Array>& got,
                  const std::vector<Array>& expected, double allowed) {
    ASSERT_EQ(got.size(), expected.size());
    for (size_t i = 0; i < got.size(); ++i) {
      const Comparison result = compare(got[i], expected[i], allowed);
      EXPECT_TRUE(result.ok) << what << ' ' << i << ' ' << result.message;
    }
  }

  std::vector<Array> run(const std::vector<Tensor>& inputs) {
    std::vector<Array> outputs;
    for (const Tensor& output : op_case_.run(inputs)) outputs.push_back(to_array(output));
    return outputs;
  }

  void forward() {
    const UseBackend use(backend_);
    const std::vector<Tensor> inputs = make_inputs(op_case_, dtype_, backend_.device);
    std::vector<Array> arrays;
    for (const Tensor& input : inputs) arrays.push_back(to_array(input));
    const std::vector<Array> outputs = run(inputs);
    expect_all("output", outputs, op_case_.reference(arrays), tolerance(op_case_, dtype_));
    for (size_t i = 0; i < inputs.size(); ++i) {
      EXPECT_TRUE(compare(to_array(inputs[i]), arrays[i], 0).ok) << "input " << i << " was changed";
    }
    if (backend_.device.is_cpu()) expect_same_for_all_thread_counts(inputs, outputs);
  }

  void expect_same_for_all_thread_counts(const std::vector<Tensor>& inputs,
                                         const std::vector<Array>& expected) {
    const int before = num_threads();
    for (int threads : {1, 2, 3}) {
      set_num_threads(threads);
      const std::vector<Array> outputs = run(inputs);
      for (size_t i = 0; i < outputs.size(); ++i) {
        EXPECT_TRUE(same_bits(outputs[i].values, expected[i].values))
            << "output " << i << " is another with " << threads << " threads than with " << before;
      }
    }
    set_num_threads(before);
  }

  static bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
    return a.size() == b.size() &&
           (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
  }

  void gradients_agree() {
    if (dtype_ == DType::f64) return;  // gradcheck does more
    const std::vector<Array> expected = analytic_gradients(op_case_, DType::f64, {}, dtype_);
    const UseBackend use(backend_);
    const double allowed = 4 * tolerance(op_case_, dtype_);
    expect_all("gradient", analytic_gradients(op_case_, dtype_, backend_.device, dtype_), expected,
               allowed);
    expect_all("gradient from a part of a tensor",
               analytic_gradients(op_case_, dtype_, backend_.device, dtype_, true), expected,
               allowed);
  }

  // At some coordinates of each input, all where that takes no time.
  void gradcheck() {
    const int64_t affordable = std::clamp<int64_t>(400'000 / (elements(op_case_) + 1), 4, 400);
    std::vector<Tensor> inputs = make_inputs(op_case_, DType::f64, {});
    require_gradients(op_case_, inputs);
    const UseBackend use(backend_);
    const Gradcheck result =
        gestalt::gradcheck(op_case_.run, inputs, {.most_elements = affordable});
    EXPECT_TRUE(result.ok()) << to_string(result);
  }

  const OpCase& op_case_;
  const Backend& backend_;
  DType dtype_;
};

std::string test_name(const OpCase& op_case, const Backend& backend, DType dtype) {
  return op_case.name + '/' + backend.name + '/' + to_string(dtype);
}

// Every kernel of a table is called by some case. Registered last; means nothing when filtered.
class CoverageTest : public testing::Test {
 public:
  explicit CoverageTest(const Backend& backend) : backend_(backend) {}

  void TestBody() override {
    if (testing::GTEST_FLAG(filter) != "*") GTEST_SKIP() << "only some cases ran";
    for_each_kernel(*backend_.kernels, [&](const auto& kernel) {
      if (kernel) {
        EXPECT_TRUE(reached(*backend_.kernels).contains(kernel.name))
            << "no OpCase reaches " << kernel.name << " on " << backend_.name;
      }
    });
  }

 private:
  const Backend& backend_;
};

void register_tests() {
  const auto add = [](const char* suite, const std::string& name, auto make) {
    testing::RegisterTest(suite, name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                          [make]() -> testing::Test* { return make(); });
  };
  for (const Backend& backend : backends()) {
    for (const OpCase& op_case : all_cases()) {
      if (elements(op_case) > backend.largest) continue;
      for (DType dtype : op_case.dtypes) {
        if (dtype == DType::f64 && !backend.has_f64) continue;
        add("OpCase", test_name(op_case, backend, dtype),
            [&op_case, &backend, dtype] { return new OpCaseTest(op_case, backend, dtype); });
      }
    }
  }
  for (const Backend& backend : backends()) {
    if (backend.kernels == nullptr) continue;
    add("KernelCoverage", backend.name, [&backend] { return new CoverageTest(backend); });
  }
}

}  // namespace
}  // namespace gestalt::cases

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  gestalt::cases::register_tests();
  return RUN_ALL_TESTS();
}
