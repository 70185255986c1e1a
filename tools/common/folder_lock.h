#pragma once

// One process at a time writes in a folder: the lock is on a file in it, and goes with the object
// or with the process, however that ends. Who only reads takes none.

#include <filesystem>
#include <string>

namespace gestalt::tools {

class FolderLock {
 public:
  // Throws Error where another process, or another object of this one, has the folder, naming that
  // process as it has named itself in the file; and where the file cannot be made.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  // Why nothing keeps others away, on a file system without locks; else empty.
  const std::string& warning() const { return warning_; }

 private:
  int file_;
  std::string warning_;
};

}  // namespace gestalt::tools
