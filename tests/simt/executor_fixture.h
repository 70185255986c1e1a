#pragma once

// For tests of the executor itself: kernels under eight seeds, and faults that must be found.

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/launch.h"
#include "kernels/error.h"
#include "kernels/runtime.h"
#include "tests/simt/executor.h"

namespace GESTALT_CUDA_NAMESPACE {

class Executor : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { simt::set_seed(GetParam()); }

  template <class Kernel, class... Args>
  void launch_one(Kernel kernel, const LaunchConfig& config, Args... args) {
    launch(*context_, "planted", kernel, config, args...);
  }

  // Runs the kernel and expects an Error whose text has all of `parts`.
  template <class Kernel, class... Args>
  void expect_fault(const std::vector<std::string>& parts, Kernel kernel,
                    const LaunchConfig& config, Args... args) {
    try {
      launch_one(kernel, config, args...);
      ADD_FAILURE() << "the fault was not found";
    } catch (const Error& error) {
      const std::string text = error.what();
      for (const std::string& part : parts) {
        EXPECT_NE(text.find(part), std::string::npos) << "no '" << part << "' in: " << text;
      }
    }
  }

  std::unique_ptr<Context> context_ = cpu_runtime.make_context(0);
};

}  // namespace GESTALT_CUDA_NAMESPACE
