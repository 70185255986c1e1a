#pragma once

// A training that is killed at random moments and goes on each time.

#include <filesystem>
#include <string>
#include <vector>

namespace gestalt::tests {

// Runs the tool with these arguments until it is done, killing it (SIGKILL) up to three times, once
// at least, in the middle of what a run of `seconds` takes. It begins anew where there is no
// `checkpoint` yet, and has --resume otherwise, once with another number of threads. Fails the test
// where it ends in any other way.
void run_killed(const std::string& tool, const std::vector<std::string>& arguments,
                const std::filesystem::path& checkpoint, double seconds);

// Whether both folders have these files with the same bytes.
void expect_same_files(const std::filesystem::path& one, const std::filesystem::path& other,
                       const std::vector<std::string>& files);

}  // namespace gestalt::tests
