// Names of well-known files, and that nothing is hashed twice where it can't matter.

#include "tensor/io/known_files.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>

namespace gestalt {
namespace {

// A file of which only `beginning` can be read: a page later, a read ends the process.
class Unreadable {
 public:
  explicit Unreadable(std::string_view beginning) {
    memory_ = static_cast<char*>(
        mmap(nullptr, 2 * page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    std::copy(beginning.begin(), beginning.end(), memory_);
    mprotect(memory_ + page_, page_, PROT_NONE);
  }
  ~Unreadable() { munmap(memory_, 2 * page_); }
  Unreadable(const Unreadable&) = delete;
  Unreadable& operator=(const Unreadable&) = delete;

  Bytes bytes() const { return {reinterpret_cast<const std::byte*>(memory_), 2 * page_, nullptr}; }

 private:
  size_t page_ = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  char* memory_;
};

Bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size(), nullptr};
}

const std::string unknown(64, '0');

TEST(KnownFiles, Sha256IsThatOfItsStandard) {
  EXPECT_EQ(sha256(bytes_of("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(KnownFiles, ByTheSha256WithoutReading) {
  const Unreadable file("\x80\x02}q\x01 a pickle");
  EXPECT_EQ(known_file(file.bytes(), "397923af" + std::string(56, '1')),
            "vgg16-397923af.pth (torchvision)");
}

TEST(KnownFiles, ZipAndSafetensorsHaveNoMd5Taken) {
  const Unreadable zip("PK\3\4 and so on"),
      safetensors(std::string_view("\x40\0\0\0\0\0\0\0{}", 10));
  EXPECT_EQ(known_file(zip.bytes(), unknown), std::nullopt);
  EXPECT_EQ(known_file(safetensors.bytes(), unknown), std::nullopt);
}

TEST(KnownFiles, OthersAreUnknown) {
  EXPECT_EQ(known_file(bytes_of("\x80\x02}q\x01 a pickle"), unknown), std::nullopt);
  EXPECT_EQ(known_file(bytes_of(""), unknown), std::nullopt);
  EXPECT_EQ(known_file({}, ""), std::nullopt);
}

TEST(KnownFilesDeathTest, APlainPickleIsReadForItsMd5) {
  const Unreadable file("\x80\x02}q\x01 a pickle");
  EXPECT_DEATH(known_file(file.bytes(), unknown), "");
}

}  // namespace
}  // namespace gestalt
