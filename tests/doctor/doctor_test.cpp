// doctor as a user runs it, in every build.

#include <algorithm>
#include <gtest/gtest.h>
#ifdef GESTALT_WITH_JSON
#include <nlohmann/json.hpp>
#endif

#include "kernels/cuda/architectures.h"
#include "tensor/context.h"
#include "tests/tools/run_tool.h"
#include "tools/common/version.h"
#include "tools/doctor/self_test.h"

namespace gestalt::tests {
namespace {

bool has_cuda() {
  return is_available({DeviceType::cuda, 0});
}

TEST(Doctor, SaysWhatThereIsAndThatItWorks) {
  const ToolResult result = run_tool("doctor", {});
  EXPECT_EQ(result.exit_code, 0) << result.output;
  for (const char* expected : {"Gestalt ", "compiler ", "oneDNN ", "Device cpu", "processor ",
                               "instruction sets ", "convolution ", "threads "}) {
    EXPECT_NE(result.output.find(expected), std::string::npos) << expected << result.output;
  }
  EXPECT_EQ(result.output.find("FAILED"), std::string::npos) << result.output;
  const std::string last = has_cuda() ? "The default device is cuda:0; it works.\n"
                                      : "The default device is cpu; it works.\n";
  EXPECT_TRUE(result.output.ends_with(last)) << result.output;
}

TEST(Doctor, WithoutAGpuItSaysWhyAndWhatToDo) {
  if (has_cuda()) GTEST_SKIP() << "there is a GPU";
  const std::string output = run_tool("doctor", {}).output;
  const bool found = output.find("no NVIDIA driver") != std::string::npos ||
                     output.find("no GPU to use") != std::string::npos ||
                     output.find("the driver is too old") != std::string::npos ||
                     output.find("built without the CUDA backend") != std::string::npos;
  EXPECT_TRUE(found) << output;
}

TEST(Doctor, BadUsageIsExitCode2) {
  const ToolResult result = run_tool("doctor", {"--jsn"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.output.find("unknown argument '--jsn'"), std::string::npos) << result.output;
  EXPECT_EQ(run_tool("doctor", {"--help"}).exit_code, 0);
}

TEST(Doctor, VersionIsThatOfTheOtherTools) {
  const ToolResult result = run_tool("doctor", {"--version"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.output, tools::version_text() + "\n");
}

TEST(Doctor, JsonHasTheSame) {
#ifdef GESTALT_WITH_JSON
  const ToolResult result = run_tool("doctor", {"--json"});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  const auto json = nlohmann::json::parse(result.output);
  EXPECT_FALSE(json.at("built").at("Gestalt").get<std::string>().empty());
  EXPECT_EQ(json.at("default_device"), has_cuda() ? "cuda:0" : "cpu");
  EXPECT_TRUE(json.at("works").get<bool>());
  const auto& cpu = json.at("backends").at(0);
  EXPECT_EQ(cpu.at("name"), "cpu");
  const auto& device = cpu.at("devices").at(0);
  EXPECT_FALSE(device.at("facts").at("processor").get<std::string>().empty());
  EXPECT_EQ(device.at("self_test").size(), 5u);
  for (const auto& test : device.at("self_test")) EXPECT_TRUE(test.at("ok").get<bool>()) << test;
  for (const auto& finding : json.at("findings")) {
    EXPECT_FALSE(finding.at("what").get<std::string>().empty());
    EXPECT_FALSE(finding.at("remedy").get<std::string>().empty());
  }
#else
  GTEST_SKIP() << "no JSON library to parse with";
#endif
}

// A device that isn't there is a device whose tests fail, not an exception.
TEST(Doctor, ADeviceThatDoesNotWorkFailsItsSelfTest) {
  const auto results = tools::self_test({DeviceType::cuda, 99});
  ASSERT_EQ(results.size(), 5u);
  for (const auto& result : results) {
    EXPECT_FALSE(result.ok) << result.name;
    EXPECT_NE(result.detail.find("cuda:99"), std::string::npos) << result.detail;
  }
}

TEST(Doctor, KnowsWhichGpusABuildHasCodeFor) {
  const auto covers = [](const char* built, int major, int minor) {
    return cuda::has_code_for(built, major, minor);
  };
  EXPECT_TRUE(covers("90", 9, 0));
  EXPECT_TRUE(covers("90", 12, 0));       // by PTX
  EXPECT_FALSE(covers("90", 8, 9));       // older than all
  EXPECT_FALSE(covers("80-real", 9, 0));  // machine code of another generation, no PTX
  EXPECT_TRUE(covers("80-real", 8, 6));
  EXPECT_FALSE(covers("86-real", 8, 0));
  EXPECT_TRUE(covers("75-real,80-real,90", 7, 5));
  EXPECT_FALSE(covers("75-real,80-real,90", 7, 0));
  EXPECT_TRUE(covers("75-virtual", 9, 0));
  EXPECT_FALSE(covers("90a", 10, 0));
  EXPECT_TRUE(covers("90a", 9, 0));
  EXPECT_TRUE(covers("100", 10, 3));
  EXPECT_TRUE(covers("native", 8, 6));
  EXPECT_FALSE(covers("", 9, 0));
}

}  // namespace
}  // namespace gestalt::tests
