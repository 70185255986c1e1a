// What the benchmarks share: flags that can't be are said, and the median of as few as one.

#include "bench/flags.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "bench/median.h"

namespace gestalt::bench {
namespace {

struct Outcome {
  int exit_code = -1;
  std::string errors;
  int64_t repeats = 5;
  bool busy = false;
  Form form;
  std::vector<std::string> others;
};

Outcome run(std::vector<std::string> arguments, size_t wanted = 0) {
  Outcome result;
  arguments.insert(arguments.begin(), "program");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  const int threads = num_threads();
  testing::internal::CaptureStderr();
  Flags flags("program [--repeats N] [--busy]");
  flags.add("--repeats", result.repeats);
  flags.add("--busy", result.busy);
  flags.add(result.form);
  result.exit_code = flags.run(static_cast<int>(argv.size()), argv.data(), wanted,
                               [&](const auto& others) { result.others = others; });
  result.errors = testing::internal::GetCapturedStderr();
  set_num_threads(threads);
  return result;
}

TEST(BenchFlags, AreTaken) {
  const Outcome all = run({"file", "--repeats", "3", "--busy", "--threads", "1"}, 1);
  EXPECT_EQ(all.exit_code, 0) << all.errors;
  EXPECT_EQ(all.repeats, 3);
  EXPECT_TRUE(all.busy);
  EXPECT_EQ(all.others, std::vector<std::string>{"file"});
}

TEST(BenchFlags, SayHowAProgramComputes) {
  const Outcome none = run({});
  EXPECT_EQ(none.form.device, "cpu");
  EXPECT_EQ(none.form.dtype, DType::f32);
  EXPECT_EQ(none.form.format, Format::contiguous);
  EXPECT_FALSE(none.form.graph);
  const Outcome all = run({"--device", "cuda:1", "--dtype", "bf16", "--channels_last", "--graph"});
  EXPECT_EQ(all.exit_code, 0) << all.errors;
  EXPECT_EQ(all.form.device, "cuda:1");
  EXPECT_EQ(all.form.dtype, DType::bf16);
  EXPECT_EQ(all.form.format, Format::channels_last);
  EXPECT_TRUE(all.form.graph);
}

TEST(BenchFlags, ThatCannotBeAreOneLine) {
  const auto fails = [](const std::vector<std::string>& arguments, const std::string& reason) {
    const Outcome bad = run(arguments);
    EXPECT_EQ(bad.exit_code, 2);
    EXPECT_NE(bad.errors.find(reason), std::string::npos) << bad.errors;
    EXPECT_EQ(std::count(bad.errors.begin(), bad.errors.end(), '\n'), 1) << bad.errors;
  };
  fails({"--repeats", "0"}, "--repeats must be a whole number from 1 to");
  fails({"--repeats", "-1"}, "got '-1'");
  fails({"--repeats", "2x"}, "got '2x'");
  fails({"--repeats"}, "--repeats needs a value");
  fails({"--threads", "0"}, "--threads must be a whole number from 1 to 1024, got '0'");
  fails({"--dtype", "i64"}, "--dtype must be f32 or bf16, got 'i64'");
  fails({"--other", "1"}, "no flag --other");
  fails({"--other"}, "[--dtype f32|bf16]");  // of the usage
  fails({"file"}, "expected 0 arguments without a flag, got 1");
}

TEST(BenchMedian, IsBehindOneToWarmUp) {
  static double clock = 0;
  double step = 0;
  const auto work = [&] { clock += ++step; };  // 1, 2, 3 ... seconds
  EXPECT_EQ(median_seconds(1, work, [] { return clock; }), 2);
  step = 0;
  EXPECT_EQ(median_seconds(3, work, [] { return clock; }), 3);
}

}  // namespace
}  // namespace gestalt::bench
