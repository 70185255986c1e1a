#pragma once

// Small sets of images for train_classifier, and its flags for a run of seconds.

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "tests/tools/run_tool.h"

namespace gestalt::tests {

// Stripes across and along, as two classes of `count` noisy pictures of about `side` pixels, some
// of another size: FOLDER/across/0.png ...
void write_stripes(const std::filesystem::path& folder, bool across, int count, int side = 40,
                   const std::string& extension = ".png");
void write_set(const std::filesystem::path& folder, int count, int side = 40,
               const std::string& extension = ".png");

// `flags` with the flags of `more` (each of one value, or of none at the end) in place of their
// own.
std::vector<std::string> with(std::vector<std::string> flags, const std::vector<std::string>& more);

class TrainClassifier : public testing::Test {
 protected:
  TrainClassifier();
  // Seven images of each class in data/train, two in data/val; two epochs of three steps.
  std::vector<std::string> arguments(const std::string& name) const;

  TemporaryFolder folder_;
};

}  // namespace gestalt::tests
