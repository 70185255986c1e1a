#include "tools/common/spinning.h"

#include <cstdlib>
#include <filesystem>
#include <unistd.h>

namespace gestalt::tools {

// Turns of the spin loop, some tens of microseconds: as fast as the default on an idle machine
// (docs/performance.md), since the parallel regions of a pass follow each other closely.
constexpr const char* spin_count = "1000";

void limit_spinning(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  setenv("GOMP_SPINCOUNT", spin_count, 0);
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) execv(program.c_str(), argv);
}

}  // namespace gestalt::tools
