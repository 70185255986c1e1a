// Runs every OpCase on every backend: forward against the reference, gradcheck, gradients.

#include "tests/cases/op_case.h"

#include <cmath>
#include <cstdlib>
#include <gtest/gtest.h>

#include "kernels/table.h"
#include "tensor/autograd.h"
#include "tensor/context.h"

namespace gestalt::cases {
namespace {

struct Backend {
  const char* name;
  Device device;
};

const Backend backends[] = {{"cpu", {}}, {"cuda", {DeviceType::cuda, 0}}};

void skip_or_fail_without(Device device) {
  if (is_available(device)) return;
  const char* required = std::getenv("GESTALT_REQUIRE_CUDA");
  if (required != nullptr && *required == '1')
    GTEST_FAIL() << "no CUDA device, and one is required";
  GTEST_SKIP() << "no CUDA device on this machine";
}

// A fixed weight for each output element, so that a scalar objective sees every one of them.
Tensor output_weights(const Tensor& output) {
  std::vector<double> weights(output.numel());
  for (size_t i = 0; i < weights.size(); ++i) {
    weights[i] = std::cos(1.0 + 0.7 * static_cast<double>(i));
  }
  return Tensor::from_vector(weights, output.shape(), {.device = Device{}})
      .to(output.dtype())
      .to(output.device())
      .contiguous(output.format());
}

double objective(const OpCase& op_case, const std::vector<Tensor>& inputs) {
  const NoGradGuard no_grad;
  double sum = 0;
  for (const Tensor& output : op_case.run(inputs)) {
    const std::vector<double> values = output.to_vector<double>();
    const std::vector<double> weights = output_weights(output).to_vector<double>();
    for (size_t i = 0; i < values.size(); ++i) sum += values[i] * weights[i];
  }
  return sum;
}

// Gradients of the objective to every input that asks for one.
std::vector<Array> analytic_gradients(const OpCase& op_case, DType dtype, Device device) {
  std::vector<Tensor> inputs = make_inputs(op_case, dtype, device);
  std::vector<Tensor> wanted;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (op_case.inputs[i].gradient && !op_case.inputs[i].integer) {
      inputs[i].set_requires_grad(true);
      wanted.push_back(inputs[i]);
    }
  }
  const std::vector<Tensor> outputs = op_case.run(inputs);
  std::vector<Tensor> weights;
  for (const Tensor& output : outputs) weights.push_back(output_weights(output));
  std::vector<Array> grads;
  for (const Tensor& grad : gradients(outputs, weights, wanted)) grads.push_back(to_array(grad));
  return grads;
}

std::vector<Array> numeric_gradients(const OpCase& op_case) {
  const double step = 1e-6;
  std::vector<Tensor> inputs = make_inputs(op_case, DType::f64, {});
  std::vector<Array> grads;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!op_case.inputs[i].gradient || op_case.inputs[i].integer) continue;
    Array grad = to_array(inputs[i]);
    std::vector<double> values = grad.values;
    for (size_t j = 0; j < values.size(); ++j) {
      const double original = values[j];
      const auto at = [&](double value) {
        values[j] = value;
        inputs[i].copy_(Tensor::from_vector(values, grad.shape, {.device = Device{}}));
        return objective(op_case, inputs);
      };
      const double above = at(original + step), below = at(original - step);
      at(original);
      grad.values[j] = (above - below) / (2 * step);
      values[j] = original;
    }
    grads.push_back(std::move(grad));
  }
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

  void forward() {
    const std::vector<Tensor> inputs = make_inputs(op_case_, dtype_, backend_.device);
    std::vector<Array> arrays, outputs;
    for (const Tensor& input : inputs) arrays.push_back(to_array(input));
    for (const Tensor& output : op_case_.run(inputs)) outputs.push_back(to_array(output));
    expect_all("output", outputs, op_case_.reference(arrays), tolerance(op_case_, dtype_));
    for (size_t i = 0; i < inputs.size(); ++i) {
      EXPECT_TRUE(compare(to_array(inputs[i]), arrays[i], 0).ok) << "input " << i << " was changed";
    }
  }

  void gradients_agree() {
    if (dtype_ == DType::f64) return;  // gradcheck does more
    expect_all("gradient", analytic_gradients(op_case_, dtype_, backend_.device),
               analytic_gradients(op_case_, DType::f64, {}), 4 * tolerance(op_case_, dtype_));
  }

  void gradcheck() {
    expect_all("gradcheck", analytic_gradients(op_case_, DType::f64, {}),
               numeric_gradients(op_case_), 2e-7);
  }

  const OpCase& op_case_;
  const Backend& backend_;
  DType dtype_;
};

std::string test_name(const OpCase& op_case, const Backend& backend, DType dtype) {
  return op_case.name + '/' + backend.name + '/' + to_string(dtype);
}

void register_tests() {
  for (const Backend& backend : backends) {
    for (const OpCase& op_case : all_cases()) {
      for (DType dtype : op_case.dtypes) {
        if (dtype == DType::f64 && !backend.device.is_cpu()) continue;
        testing::RegisterTest("OpCase", test_name(op_case, backend, dtype).c_str(), nullptr,
                              nullptr, __FILE__, __LINE__,
                              [&op_case, &backend, dtype]() -> testing::Test* {
                                return new OpCaseTest(op_case, backend, dtype);
                              });
      }
    }
  }
}

}  // namespace
}  // namespace gestalt::cases

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  gestalt::cases::register_tests();
  return RUN_ALL_TESTS();
}
