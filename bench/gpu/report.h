#pragma once

// The results of bench_gpu: rates, shares of the measured limits, ratios to PyTorch; as JSON and as
// a table.

#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include "bench/gpu/cases.h"
#include "bench/gpu/measure.h"

namespace gestalt::bench {

struct Result {
  Case what;
  Timing timing;

  double gigabytes_per_second() const;  // 0 where no bytes are counted
  double teraflops() const;
};

// What the machine reaches: by the results of limit_cases.
struct Limits {
  double gigabytes_per_second = 0;
  std::map<DType, double> teraflops;  // of matrix products; bf16's for f16 too

  explicit Limits(const std::vector<Result>& results);
  // The time that the limits allow over the time taken, 0 to 1; 0 where no limit was measured.
  double share(const Result& result) const;
};

// PyTorch's times of the same cases, by bench/pytorch/gpu.py: lines "case TAB variant TAB
// milliseconds" after one line with versions.
struct PyTorchTimes {
  std::string versions;
  std::map<std::string, std::map<std::string, double>> milliseconds;  // by case, by variant

  // Throws Error for a file of another form.
  static PyTorchTimes read(std::istream& in);
};

struct Report {
  std::string device, versions, date;
  std::vector<Result> results;
  std::vector<std::string> left_out;  // by the time limit, or by an error, which is said
  int errors = 0;                     // of those left out
  PyTorchTimes pytorch;
};

std::string to_json(const Report& report);
std::string to_markdown(const Report& report);

}  // namespace gestalt::bench
