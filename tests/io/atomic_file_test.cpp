#include "tensor/io/atomic_file.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <sys/stat.h>

#include "kernels/error.h"
#include "tests/temporary_folder.h"

namespace gestalt {
namespace {

namespace fs = std::filesystem;

class AtomicFile : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::ptrdiff_t files() const { return std::distance(fs::directory_iterator(folder_.path()), {}); }

  // Both say the same.
  std::string refusal(const std::string& name) const {
    std::string texts[2];
    try {
      check_can_write(path(name));
    } catch (const Error& error) {
      texts[0] = error.what();
    }
    try {
      write_file_atomically(path(name), "x", 1);
    } catch (const Error& error) {
      texts[1] = error.what();
    }
    EXPECT_EQ(texts[0], texts[1]);
    return texts[0];
  }

  const tests::TemporaryFolder folder_;
};

TEST_F(AtomicFile, a_check_changes_nothing) {
  check_can_write(path("new"));
  EXPECT_EQ(files(), 0);
  write_file_atomically(path("old"), "mine", 4);
  check_can_write(path("old"));
  EXPECT_EQ(files(), 1);
  EXPECT_EQ(fs::file_size(path("old")), 4u);
}

TEST_F(AtomicFile, an_error_names_the_file_and_not_a_temporary_one) {
  EXPECT_EQ(refusal("none/file"),
            "cannot write '" + path("none/file") + "': No such file or directory");
  EXPECT_EQ(files(), 0);
}

// Renaming would put a file in the place of a device.
TEST_F(AtomicFile, only_files_are_replaced) {
  fs::create_directories(path("folder"));
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(refusal("folder"), "cannot write '" + path("folder") + "': is a folder, not a file");
  EXPECT_EQ(refusal("pipe"), "cannot write '" + path("pipe") + "': is no regular file");
  EXPECT_TRUE(fs::is_fifo(path("pipe")));
  EXPECT_EQ(files(), 2);
}

}  // namespace
}  // namespace gestalt
