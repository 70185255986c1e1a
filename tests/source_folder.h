#pragma once

// Where the tests find their fixtures and the sources.

#include <cstdlib>
#include <filesystem>

namespace gestalt::tests {

// The checkout that the tests were built from; where the environment has GESTALT_SOURCE_DIR, that
// folder, since the binaries may have come from another machine (tests/gpu/run.sh with BIN).
inline std::filesystem::path source_folder() {
  const char* given = std::getenv("GESTALT_SOURCE_DIR");
  return given != nullptr && *given != '\0' ? given : GESTALT_SOURCE_DIR;
}

}  // namespace gestalt::tests
