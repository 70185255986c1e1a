#pragma once

// A few ops of a device against answers computed here by plain loops, in seconds.

#include <string>
#include <vector>

#include "kernels/types.h"

namespace gestalt::tools {

struct SelfTestResult {
  std::string name;
  bool ok = false;
  std::string detail;  // the error, or how far the values are off
  double seconds = 0;
};

// Never throws: what goes wrong is a result that is not ok.
std::vector<SelfTestResult> self_test(Device device);

}  // namespace gestalt::tools
