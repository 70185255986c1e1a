#pragma once

// An empty folder of its owner's own, removed when the object goes (tools/common/scratch_folder.h).
// Its name is new each time: what a killed test left behind, or another run of the same test at the
// same time, is never in it.

#include <fstream>

#include "tools/common/scratch_folder.h"

namespace gestalt::tests {

class TemporaryFolder : public tools::ScratchFolder {
 public:
  TemporaryFolder() {}  // written out: a const object needs it

  // The path of a file with that content.
  std::filesystem::path write(const std::string& name, const std::string& content) const {
    std::ofstream(*this / name, std::ios::binary) << content;
    return *this / name;
  }
};

}  // namespace gestalt::tests
