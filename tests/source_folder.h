#pragma once

// Where the tests find their fixtures, the sources and data that the checkout does not hold.

#include <cstdlib>
#include <filesystem>

namespace gestalt::tests {

// The checkout that the tests were built from; where the environment has GESTALT_SOURCE_DIR, that
// folder, since the binaries may have come from another machine (tests/gpu/run.sh with BIN).
inline std::filesystem::path source_folder() {
  const char* given = std::getenv("GESTALT_SOURCE_DIR");
  return given != nullptr && *given != '\0' ? given : GESTALT_SOURCE_DIR;
}

// Photographs, stimuli, decisions and weights (docs/building.md says which, and where they are to
// be had): GESTALT_TEST_DATA, else the folder beside the checkout. A test whose data are not there
// is skipped and names them.
inline std::filesystem::path test_data() {
  const char* given = std::getenv("GESTALT_TEST_DATA");
  return given != nullptr && *given != '\0' ? given : source_folder() / "../shared/data";
}

}  // namespace gestalt::tests
