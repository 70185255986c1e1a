#pragma once

// What doctor found, as text and as JSON.

#include <string>
#include <vector>

#include "kernels/examination.h"
#include "tools/doctor/self_test.h"

namespace gestalt::tools {

struct DeviceReport {
  DeviceExamination examination;
  std::vector<SelfTestResult> tests;

  bool works() const;
};

struct BackendReport {
  std::string name;
  Examination examination;  // its devices stand below
  std::vector<DeviceReport> devices;
};

struct DoctorReport {
  std::vector<Fact> built;
  std::vector<BackendReport> backends;
  std::vector<Finding> findings;  // of the build; backends and devices have their own
  Device default_device;

  bool works() const;  // the default device does
};

// Examines all backends of this build and tests their devices.
DoctorReport examine_all();

std::string to_text(const DoctorReport& report);
// Without a JSON library, which a machine with a GPU may not have.
std::string to_json(const DoctorReport& report);

}  // namespace gestalt::tools
