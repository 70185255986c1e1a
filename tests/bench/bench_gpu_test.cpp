// What of bench_gpu needs no GPU: its list of cases, its clock, its shares, ratios and files.

#include <chrono>
#include <gtest/gtest.h>
#include <set>
#include <sstream>
#include <thread>
#ifdef GESTALT_WITH_JSON
#include <nlohmann/json.hpp>
#endif

#include "bench/gpu/convolution_cases.h"
#include "bench/gpu/report.h"
#include "kernels/error.h"

namespace gestalt::bench {
namespace {

// Cases stand for a machine of 1000 GB/s and 100 TFLOP/s in bf16, 10 in f32.
Result copy_result() {
  Case c{.operation = "copy", .shape = {1000}, .bytes = 1e9, .prepare = {}};
  return {c, {.milliseconds = 1, .repeats = 9}};
}
Result matmul_result(DType dtype, double milliseconds) {
  Case c{
      .operation = "matmul", .dtype = dtype, .shape = {8, 8, 8}, .operations = 1e12, .prepare = {}};
  return {c, {.milliseconds = milliseconds, .repeats = 9}};
}
Result topk_result(DType dtype = DType::f32) {
  Case c{.operation = "topk",
         .dtype = dtype,
         .shape = {1, 2, 3, 4},
         .fraction = 0.1,
         .bytes = 8e8,
         .prepare = {}};
  return {c, {.milliseconds = 1, .repeats = 9}};
}

Report example() {
  Report report;
  report.device = "cuda:0";
  report.versions = "a \"GPU\"";
  report.date = "2026-01-02";
  report.results = {copy_result(), matmul_result(DType::bf16, 10), matmul_result(DType::f32, 100),
                    topk_result()};
  report.left_out = {"gram: out of time"};
  std::istringstream times("PyTorch 9\n" + topk_result().what.name() + "\teager\t12.5\n" +
                           topk_result().what.name() + "\tcompiled\t2\n");
  report.pytorch = PyTorchTimes::read(times);
  return report;
}

TEST(BenchGpu, SharesAreOfTheLimitThatBinds) {
  const Limits limits(example().results);
  EXPECT_DOUBLE_EQ(limits.gigabytes_per_second, 1000);
  EXPECT_DOUBLE_EQ(limits.teraflops.at(DType::bf16), 100);
  EXPECT_DOUBLE_EQ(limits.share(topk_result()), 0.8);
  Result bound_by_products = topk_result(DType::f16);  // by those of bf16
  bound_by_products.what.operations = 9e10;
  EXPECT_DOUBLE_EQ(limits.share(bound_by_products), 0.9);
  EXPECT_EQ(Limits({}).share(topk_result()), 0);
}

TEST(BenchGpu, TheTableHasRatesSharesAndRatios) {
  const std::string table = to_markdown(example());
  EXPECT_NE(table.find("| topk f32 [1,2,3,4] NCHW 10 % | 1.0000 | 800 |  | 80 % | 12.5000 (12.5) | "
                       "2.0000 (2.0) |  |"),
            std::string::npos)
      << table;
  EXPECT_NE(table.find("| matmul bf16 [8,8,8] | 10.0000 |  | 100.0 | 100 % |  |  |  |"),
            std::string::npos)
      << table;
  EXPECT_NE(table.find("Not measured: gram: out of time"), std::string::npos);
  EXPECT_NE(table.find("PyTorch 9"), std::string::npos);
}

TEST(BenchGpu, TheJsonHasTheSame) {
#ifdef GESTALT_WITH_JSON
  const auto json = nlohmann::json::parse(to_json(example()));
  EXPECT_EQ(json.at("versions"), "a \"GPU\"");
  EXPECT_EQ(json.at("left_out").size(), 1u);
  const auto& topk = json.at("results").at(3);
  EXPECT_EQ(topk.at("case"), "topk f32 [1,2,3,4] NCHW 10 %");
  EXPECT_DOUBLE_EQ(topk.at("share_of_limit").get<double>(), 0.8);
  EXPECT_DOUBLE_EQ(topk.at("pytorch_milliseconds").at("eager").get<double>(), 12.5);
#else
  GTEST_SKIP() << "no JSON library to parse with";
#endif
}

TEST(BenchGpu, AFileOfOtherTimesIsAnErrorThatNamesTheLine) {
  for (const char* text : {"PyTorch\nno tabs", "PyTorch\na\tb", "PyTorch\na\teager\t-1",
                           "PyTorch\na\teager\tnan", "PyTorch\na\teager\t1x"}) {
    std::istringstream in(text);
    try {
      PyTorchTimes::read(in);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with("line 2: ")) << error.what();
    }
  }
}

TEST(BenchGpu, TheClockMeasuresTheWorkAlone) {
  int runs = 0;
  const Timing timing = measure(
      {},
      [&] {
        ++runs;
        std::this_thread::sleep_for(std::chrono::milliseconds(3));
      },
      0.02);
  EXPECT_GE(timing.milliseconds, 3);
  EXPECT_GE(timing.repeats, 5);
  EXPECT_EQ(runs, timing.repeats + 3);
}

TEST(BenchGpu, EveryCaseHasANameOfItsOwn) {
  for (const DeviceType type : {DeviceType::cpu, DeviceType::cuda}) {
    std::set<std::string> names;
    for (const auto& make :
         {limit_cases, topk_cases, statistics_cases, network_cases, layer_cases}) {
      for (const Case& c : make({type, 0})) {
        EXPECT_TRUE(names.insert(c.name()).second) << c.name();
        EXPECT_GT(c.bytes + c.operations, 0) << c.name();
      }
    }
  }
}

std::set<std::string> names_of(const std::vector<Case>& cases) {
  std::set<std::string> names;
  for (const Case& c : cases) names.insert(c.name());
  return names;
}

TEST(BenchGpu, TheStepsThatTrainClassifierTakesAreThere) {
  const auto names = names_of(network_cases({DeviceType::cuda, 0}));
  for (const char* name : {"resnet18_step", "resnet18_step_graph"}) {
    for (const char* form : {" f32 [128,3,224,224]", " bf16 [128,3,224,224] NHWC"}) {
      EXPECT_TRUE(names.contains(std::string(name) + form)) << name << form;
    }
  }
}

TEST(BenchGpu, AConvolutionOfEachKindIsAmongAll) {
  const Device device{DeviceType::cuda, 0};
  const auto all = names_of(convolution_cases(device, Convolutions::all));
  // Eleven and the padded one, forward and backward, but for the images' gradients.
  EXPECT_EQ(all.size(), 2u * (3 * 12 - 2));
  const auto some = names_of(convolution_cases(device, Convolutions::of_each_kind));
  EXPECT_LT(some.size(), all.size());
  for (const std::string& name : some) EXPECT_TRUE(all.contains(name)) << name;
  EXPECT_TRUE(some.contains("conv2d bf16 [128,4,224,224] NHWC to 64, 7x7 / 2"));
}

TEST(BenchGpu, TheKernelsRunOnTheCpu) {
  for (const auto& make : {limit_cases, topk_cases, statistics_cases, layer_cases}) {
    for (const Case& c : make({})) EXPECT_NO_THROW(c.prepare()()) << c.name();
  }
}

}  // namespace
}  // namespace gestalt::bench
