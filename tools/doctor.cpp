// doctor: what was built, what this machine has, and whether the two work together.
//
// Part of every build, also of one without OpenCV, CLI11 and JSON, so it uses none of them.

#include <cstdio>
#include <cstring>

#include "tools/common/standard_output.h"
#include "tools/common/version.h"
#include "tools/doctor/report.h"

namespace gestalt::tools {
namespace {

constexpr const char* usage =
    "usage: doctor [--json | --version]\n"
    "Prints what was built and what this machine has, tests every device for some seconds, and\n"
    "says what is missing and what to do about it. Exit code 0: the default device works.\n";

// The whole build needs this; without it the first kernel would end in an illegal instruction.
bool has_baseline() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return true;
#endif
}

std::vector<Fact> built() {
  return {{"Gestalt", GESTALT_VERSION},
          {"compiler", GESTALT_COMPILER},
          {"build", GESTALT_BUILD},
          {"OpenCV", GESTALT_OPENCV}};
}

enum class Output { text, json, version };

int run(Output output) {
  if (!has_baseline()) {
    std::fprintf(stderr,
                 "doctor: this processor has no AVX2 and FMA, which Gestalt is built for: "
                 "use a newer machine, or build with another -march\n");
    return 1;
  }
  if (output == Output::version) {
    std::printf("%s\n", version_text().c_str());
    return 0;
  }
  DoctorReport report = examine_all();
  report.built = built();
  std::fputs((output == Output::json ? to_json(report) : to_text(report)).c_str(), stdout);
  return report.works() ? 0 : 1;
}

}  // namespace
}  // namespace gestalt::tools

int main(int argc, char** argv) {
  using gestalt::tools::Output;
  Output output = Output::text;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--json") == 0) {
      output = Output::json;
    } else if (std::strcmp(argv[i], "--version") == 0) {
      output = Output::version;
    } else if (std::strcmp(argv[i], "--help") == 0 || std::strcmp(argv[i], "-h") == 0) {
      std::fputs(gestalt::tools::usage, stdout);
      return 0;
    } else {
      std::fprintf(stderr, "doctor: unknown argument '%s'\n%s", argv[i], gestalt::tools::usage);
      return 2;
    }
  }
  const gestalt::tools::StandardOutput standard_output;
  const int code = gestalt::tools::run(output);
  const std::string failure = code == 0 ? standard_output.failure() : std::string();
  if (!failure.empty()) std::fprintf(stderr, "doctor: %s\n", failure.c_str());
  return failure.empty() ? code : 1;
}
