#include "tools/doctor/report.h"

#include <algorithm>
#include <cstdio>

#include "kernels/error.h"
#include "kernels/runtime.h"
#include "tensor/context.h"
#include "tensor/io/json_text.h"

namespace gestalt::tools {
namespace {

// ---- text ----

std::string line(const std::string& name, const std::string& value) {
  std::string padded = name;
  padded.resize(std::max<size_t>(padded.size() + 1, 28), ' ');
  return "  " + padded + value + "\n";
}

std::string lines(const std::vector<Fact>& facts, const std::string& suffix = "") {
  std::string text;
  for (const Fact& fact : facts) text += line(fact.name + suffix, fact.value);
  return text;
}

std::string lines(const SelfTestResult& test) {
  return line(test.name, test.ok ? "ok" : format("FAILED: {}", test.detail));
}

std::string listed(const std::vector<Finding>& findings) {
  if (findings.empty()) return "Nothing is missing.\n";
  std::string text = "Missing or mismatched:\n";
  for (const Finding& finding : findings) {
    text += format("  - {}\n    {}\n", finding.what, finding.remedy);
  }
  return text;
}

std::vector<Finding> all_findings(const DoctorReport& report) {
  std::vector<Finding> all = report.findings;
  for (const BackendReport& backend : report.backends) {
    const auto& own = backend.examination.findings;
    all.insert(all.end(), own.begin(), own.end());
    for (const DeviceReport& device : backend.devices) {
      const std::string name = to_string(device.examination.device);
      for (const Finding& finding : device.examination.findings) {
        all.push_back({name + ": " + finding.what, finding.remedy});
      }
      for (const SelfTestResult& test : device.tests) {
        if (test.ok) continue;
        all.push_back({name + ": the test of " + test.name + " failed: " + test.detail,
                       "if nothing above explains it, run the tests of this build (test_ops)"});
      }
    }
  }
  return all;
}

// ---- JSON ----

// "[a, b]" of f(item).
template <class T, class F>
std::string array_of(const std::vector<T>& items, const F& f) {
  std::string out;
  for (const T& item : items) out += (out.empty() ? "" : ", ") + f(item);
  return format("[{}]", out);
}

std::string object_of(const std::vector<Fact>& facts) {
  std::string out;
  for (const Fact& fact : facts) {
    out += (out.empty() ? "" : ", ") + json_quoted(fact.name) + ": " + json_quoted(fact.value);
  }
  return format("{{}}", out);
}

const char* boolean(bool value) {
  return value ? "true" : "false";
}

std::string json_of(const Finding& finding) {
  return format("{\"what\": {}, \"remedy\": {}}", json_quoted(finding.what),
                json_quoted(finding.remedy));
}

std::string json_of(const SelfTestResult& test) {
  return format("{\"name\": {}, \"ok\": {}, \"detail\": {}, \"seconds\": {}}",
                json_quoted(test.name), test.ok, json_quoted(test.detail), test.seconds);
}

std::string json_of(const DeviceReport& device) {
  return format("{\"device\": {}, \"works\": {}, \"facts\": {}, \"self_test\": {}}",
                json_quoted(to_string(device.examination.device)), device.works(),
                object_of(device.examination.facts),
                array_of(device.tests, [](const auto& test) { return json_of(test); }));
}

std::string json_of(const BackendReport& backend) {
  return format("{\"name\": {}, \"built\": {}, \"found\": {}, \"devices\": {}}",
                json_quoted(backend.name), object_of(backend.examination.built),
                object_of(backend.examination.found),
                array_of(backend.devices, [](const auto& device) { return json_of(device); }));
}

}  // namespace

bool DeviceReport::works() const {
  return std::all_of(tests.begin(), tests.end(), [](const auto& test) { return test.ok; });
}

bool DoctorReport::works() const {
  for (const BackendReport& backend : backends) {
    for (const DeviceReport& device : backend.devices) {
      if (device.examination.device == default_device) return device.works();
    }
  }
  return false;
}

DoctorReport examine_all() {
  DoctorReport report;
  for (const DeviceType type : {DeviceType::cpu, DeviceType::cuda}) {
    const Runtime* backend = runtime(type);
    if (backend == nullptr) {
      report.findings.push_back({"built without the CUDA backend: a GPU can't be used",
                                 "install the CUDA toolkit and cuDNN 9 and build again"});
      continue;
    }
    BackendReport& added = report.backends.emplace_back();
    added.name = backend->name;
    added.examination = backend->examine();
    for (const DeviceExamination& device : added.examination.devices) {
      added.devices.push_back({device, self_test(device.device)});
      if (type == DeviceType::cuda && device.device.index == 0) {
        report.default_device = device.device;
      }
    }
  }
  return report;
}

std::string to_text(const DoctorReport& report) {
  std::string text = format("Built\n{}", lines(report.built));
  for (const BackendReport& backend : report.backends) text += lines(backend.examination.built);
  text += "\nThis machine\n";
  for (const BackendReport& backend : report.backends) {
    text += lines(backend.examination.found, ", loaded");
  }
  for (const BackendReport& backend : report.backends) {
    for (const DeviceReport& device : backend.devices) {
      text += format("\nDevice {}\n", device.examination.device);
      text += lines(device.examination.facts);
      for (const SelfTestResult& test : device.tests) text += lines(test);
    }
  }
  return text + format("\n{}\nThe default device is {}; it {}.\n", listed(all_findings(report)),
                       report.default_device, report.works() ? "works" : "does not work");
}

std::string to_json(const DoctorReport& report) {
  return format(
      "{\"built\": {},\n \"backends\": {},\n \"findings\": {},\n \"default_device\": {}, "
      "\"works\": {}}\n",
      object_of(report.built),
      array_of(report.backends, [](const auto& backend) { return json_of(backend); }),
      array_of(all_findings(report), [](const Finding& finding) { return json_of(finding); }),
      json_quoted(to_string(report.default_device)), boolean(report.works()));
}

}  // namespace gestalt::tools
