#pragma once

// What a backend says about itself and the machine, for tools/doctor.cpp. Asking never throws and
// needs no device.

#include <string>
#include <vector>

#include "kernels/types.h"

namespace gestalt {

struct Fact {
  std::string name, value;
};

// Something missing or mismatched, and what to do about it.
struct Finding {
  std::string what, remedy;
};

// Why a backend has no device here.
struct NoDevice {
  bool has_driver = false;  // then something is wrong; without one there may be nothing to use
  Finding finding;
};

struct DeviceExamination {
  Device device;
  std::vector<Fact> facts;
  std::vector<Finding> findings;
};

struct Examination {
  std::vector<Fact> built;  // with what the backend was built
  std::vector<Fact> found;  // on this machine
  std::vector<DeviceExamination> devices;
  std::vector<Finding> findings;
};

}  // namespace gestalt
