#include "bench/gpu/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <istream>

#include "kernels/error.h"
#include "tensor/io/json_text.h"

namespace gestalt::bench {
namespace {

// The variants of bench/pytorch/gpu.py, in the order of the columns.
constexpr const char* variants[] = {"eager", "compiled", "published"};

DType limit_dtype(DType dtype) {
  return dtype == DType::f16 ? DType::bf16 : dtype;
}

std::string digits(const char* pattern, double value) {
  char text[32];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

std::string rate(double value, const char* pattern) {
  return value > 0 ? digits(pattern, value) : "";
}

// "1.234 (5.6)": PyTorch's time and how many times longer that is.
std::string comparison(const Report& report, const Result& result, const char* variant) {
  const auto found = report.pytorch.milliseconds.find(result.what.name());
  if (found == report.pytorch.milliseconds.end() || !found->second.contains(variant)) return "";
  const double theirs = found->second.at(variant);
  return format("{} ({})", digits("%.4f", theirs),
                digits("%.1f", theirs / result.timing.milliseconds));
}

std::string json_of(const Report& report, const Limits& limits, const Result& result) {
  std::string text = format(
      "{\"case\": {}, \"milliseconds\": {}, \"repeats\": {}, \"gigabytes_per_second\": {}, "
      "\"teraflops\": {}, \"share_of_limit\": {}, \"pytorch_milliseconds\": {",
      json_quoted(result.what.name()), result.timing.milliseconds, result.timing.repeats,
      result.gigabytes_per_second(), result.teraflops(), limits.share(result));
  const auto found = report.pytorch.milliseconds.find(result.what.name());
  if (found != report.pytorch.milliseconds.end()) {
    const char* separator = "";
    for (const auto& [variant, milliseconds] : found->second) {
      text += format("{}{}: {}", separator, json_quoted(variant), milliseconds);
      separator = ", ";
    }
  }
  return text + "}}";
}

}  // namespace

double Result::gigabytes_per_second() const {
  return what.bytes / timing.milliseconds * 1e-6;
}
double Result::teraflops() const {
  return what.operations / timing.milliseconds * 1e-9;
}

Limits::Limits(const std::vector<Result>& results) {
  for (const Result& result : results) {
    if (result.what.operation == "copy") gigabytes_per_second = result.gigabytes_per_second();
    if (result.what.operation == "matmul") teraflops[result.what.dtype] = result.teraflops();
  }
}

double Limits::share(const Result& result) const {
  double share = 0;
  if (gigabytes_per_second > 0) share = result.gigabytes_per_second() / gigabytes_per_second;
  if (const auto found = teraflops.find(limit_dtype(result.what.dtype)); found != teraflops.end()) {
    share = std::max(share, result.teraflops() / found->second);
  }
  return share;
}

PyTorchTimes PyTorchTimes::read(std::istream& in) {
  PyTorchTimes times;
  std::getline(in, times.versions);
  int number = 1;
  for (std::string line; std::getline(in, line);) {
    ++number;
    const size_t first = line.find('\t'), second = line.rfind('\t');
    GESTALT_CHECK(first != std::string::npos && second > first,
                  "line {}: expected case, variant and milliseconds between tabs, got '{}'", number,
                  line);
    char* end = nullptr;
    const double value = std::strtod(line.c_str() + second + 1, &end);
    GESTALT_CHECK(*end == '\0' && std::isfinite(value) && value > 0,
                  "line {}: '{}' is no time in milliseconds", number, line.substr(second + 1));
    times.milliseconds[line.substr(0, first)][line.substr(first + 1, second - first - 1)] = value;
  }
  return times;
}

std::string to_json(const Report& report) {
  const Limits limits(report.results);
  std::string rows, left_out;
  for (const Result& result : report.results) {
    rows += format("{}\n  {}", rows.empty() ? "" : ",", json_of(report, limits, result));
  }
  for (const std::string& name : report.left_out) {
    left_out += format("{}{}", left_out.empty() ? "" : ", ", json_quoted(name));
  }
  return format(
      "{\"device\": {}, \"versions\": {}, \"date\": {}, \"pytorch\": {},\n \"left_out\": [{}],\n "
      "\"results\": [{}]}\n",
      json_quoted(report.device), json_quoted(report.versions), json_quoted(report.date),
      json_quoted(report.pytorch.versions), left_out, rows);
}

std::string to_markdown(const Report& report) {
  const Limits limits(report.results);
  std::string text = format("{}, {}\n\n{}\n\n", report.device, report.date, report.versions);
  if (!report.pytorch.versions.empty()) text += format("{}\n\n", report.pytorch.versions);
  text +=
      "Median times. `limit`: the time that the measured copy and matrix product allow, over the "
      "time taken. In brackets: how many times as long PyTorch takes.\n\n"
      "| case | ms | GB/s | TFLOP/s | limit | PyTorch ms | compiled | as published |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- |\n";
  for (const Result& result : report.results) {
    text += format("| {} | {} | {} | {} | {} |", result.what.name(),
                   digits("%.4f", result.timing.milliseconds),
                   rate(result.gigabytes_per_second(), "%.0f"), rate(result.teraflops(), "%.1f"),
                   rate(100 * limits.share(result), "%.0f %%"));
    for (const char* variant : variants) {
      text += format(" {} |", comparison(report, result, variant));
    }
    text += '\n';
  }
  for (const std::string& name : report.left_out) text += format("\nNot measured: {}\n", name);
  return text;
}

}  // namespace gestalt::bench
