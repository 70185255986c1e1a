#include "tensor/io/atomic_file.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/error.h"
#include "tests/processes.h"
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

TEST_F(AtomicFile, ACheckChangesNothing) {
  check_can_write(path("new"));
  EXPECT_EQ(files(), 0);
  write_file_atomically(path("old"), "mine", 4);
  check_can_write(path("old"));
  EXPECT_EQ(files(), 1);
  EXPECT_EQ(fs::file_size(path("old")), 4u);
}

TEST_F(AtomicFile, AnErrorNamesTheFileAndNotATemporaryOne) {
  EXPECT_EQ(refusal("none/file"),
            "cannot write '" + path("none/file") + "': No such file or directory");
  EXPECT_EQ(files(), 0);
}

// Renaming would put a file in the place of a device.
TEST_F(AtomicFile, OnlyFilesAreReplaced) {
  fs::create_directories(path("folder"));
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(refusal("folder"), "cannot write '" + path("folder") + "': is a folder, not a file");
  EXPECT_EQ(refusal("pipe"), "cannot write '" + path("pipe") + "': is no regular file");
  EXPECT_TRUE(fs::is_fifo(path("pipe")));
  EXPECT_EQ(files(), 2);
}

// As a thread's write may last into another's: neither gets bytes of the other.
TEST_F(AtomicFile, WritesOfOnePathAtOnceAreWhole) {
  write_file_atomically(path("file"), [&](const ByteSink& sink) {
    sink("first", 5);
    write_file_atomically(path("file"), "second, longer", 14);
    EXPECT_EQ(fs::file_size(path("file")), 14u);
    sink("!", 1);
  });
  EXPECT_EQ(fs::file_size(path("file")), 6u);
  EXPECT_EQ(files(), 1);
}

class Leftovers : public AtomicFile {
 protected:
  void add(const std::string& name, std::chrono::hours age) const {
    const fs::path file = folder_.write(name, "half of");
    fs::last_write_time(file, fs::file_time_type::clock::now() - age);
  }
  std::set<std::string> names() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path())) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }
  static constexpr std::chrono::hours new_ = std::chrono::hours(1), old_ = std::chrono::hours(25);
};

TEST_F(Leftovers, AreNamedAsTheWriterNamesThem) {
  const std::string file = path("file");
  write_file_atomically(file, [&](const ByteSink&) {
    const std::set<std::string> found = names();
    ASSERT_EQ(found.size(), 1u);
    EXPECT_TRUE(found.begin()->ends_with(temporary_path(""))) << *found.begin();
  });
}

TEST_F(Leftovers, OfProcessesThatAreGoneGoWhenTheyAreOld) {
  const std::string gone = ".gestalt-tmp." + std::to_string(tests::pid_that_is_gone()),
                    here = ".gestalt-tmp." + std::to_string(getpid());
  add("file" + gone, old_);
  add("packed.pixels" + gone, old_);
  fs::create_directories(path("below"));
  add("below/file" + gone, old_);
  const std::set<std::string> others = {"below",
                                        "file",
                                        "new" + gone,
                                        "running" + here,
                                        gone,
                                        "x" + gone + ".png",
                                        "x.gestalt-tmp.",
                                        "x.gestalt-tmp.-1",
                                        "x.gestalt-tmp.99999999999999999999",
                                        "x.tmp.1"};
  for (const std::string& name : others) add(name, name.starts_with("new") ? new_ : old_);
  fs::create_directories(path("folder" + gone));
  fs::last_write_time(path("folder" + gone), fs::file_time_type::clock::now() - old_);
  remove_leftovers(folder_.path());
  std::set<std::string> left = names();
  EXPECT_EQ(left.erase("folder" + gone), 1u);
  EXPECT_EQ(left, others);
  EXPECT_TRUE(fs::exists(path("below/file" + gone)));
  remove_leftovers(path("none"));
}

// As a lock tells that its last owner has ended.
TEST_F(Leftovers, OfAProcessThatIsKnownToBeGoneGoAtOnce) {
  const int64_t killed = tests::pid_that_is_gone();
  const std::string mark = ".gestalt-tmp.";
  add("file" + mark + std::to_string(killed), new_);
  add("mine" + mark + std::to_string(getpid()), old_);
  remove_leftovers(folder_.path(), killed + 1);
  EXPECT_EQ(files(), 2);
  remove_leftovers(folder_.path(), killed);
  EXPECT_EQ(names(), std::set<std::string>{"mine" + mark + std::to_string(getpid())});
  remove_leftovers(folder_.path(), getpid());  // which is not gone
  EXPECT_EQ(files(), 1);
}

}  // namespace
}  // namespace gestalt
