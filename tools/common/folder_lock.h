#pragma once

// One process at a time writes in a folder, or a file of one: the lock is on a file, and goes with
// the object or with the process, however that ends. Who only reads takes none.

#include <cstdint>
#include <filesystem>
#include <string>

namespace gestalt::tools {

// On FOLDER/.lock, which stays.
class FolderLock {
 public:
  // Throws Error where another process, or another object of this one, has the folder, naming that
  // process as it has named itself in the file; and where the file cannot be made. Removes what the
  // process before left unwritten there, and in the folders directly below, when it was killed
  // (remove_leftovers of tensor/io/atomic_file.h).
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  // Why nothing keeps others away, on a file system without locks; else empty.
  const std::string& warning() const { return warning_; }
  void print_warning() const;  // on stderr, if there is one: for tools without a log

  // The same removal, in a folder further below.
  void remove_leftovers_in(const std::filesystem::path& subfolder) const;

 private:
  int file_ = -1;
  int64_t before_ = 0;  // the process that had the folder last; 0: not known
  std::string warning_;
};

// What a FileLock does while another has the file.
enum class WhileInUse { refuse, wait };

// On a file of its own, which goes with it, so that others may write other files of the same
// folder. Where the file system has no locks it does nothing.
class FileLock {
 public:
  // Makes the folder of `lock`, too. Throws Error as FolderLock, naming `file`.
  FileLock(const std::filesystem::path& file, std::filesystem::path lock,
           WhileInUse while_in_use = WhileInUse::refuse);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  std::filesystem::path lock_;
  int file_ = -1;
};

}  // namespace gestalt::tools
