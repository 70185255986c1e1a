#include "tools/common/folder_lock.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sstream>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/error.h"
#include "tensor/io/atomic_file.h"
#include "tools/common/output.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;

std::string host_name() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "";
}

// "PID HOST", for those who are refused. Where it can't be written the lock holds all the same.
void write_owner(int file) {
  const std::string text = format("{} {}\n", getpid(), host_name());
  if (ftruncate(file, 0) != 0) return;
  (void)!pwrite(file, text.data(), text.size(), 0);
}

struct Owner {
  int64_t pid = 0;  // 0: the file does not tell
  std::string host;
};

Owner owner_in(int file) {
  char text[512] = {};
  std::istringstream words(pread(file, text, sizeof text - 1, 0) > 0 ? text : "");
  Owner owner;
  if (!(words >> owner.pid) || owner.pid <= 0) return {};
  words >> owner.host;
  return owner;
}

// "process 1234", "process 1234 on HOST"; "another process" where the file does not tell, or tells
// of one that is gone: the new one is about to write it.
std::string to_text(const Owner& owner) {
  if (owner.pid == 0) return "another process";
  if (owner.host != host_name()) return format("process {} on {}", owner.pid, owner.host);
  return process_is_gone(owner.pid) ? "another process" : format("process {}", owner.pid);
}

// Programs that are started meanwhile (gnuplot) don't take it over.
int open_lock(const fs::path& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  GESTALT_CHECK(file >= 0 || errno == ENOENT, "cannot write '{}': {}", path.string(),
                std::strerror(errno));
  return file;
}

// Why a file system has no lock to give; empty where this process has it. Closes the file and
// throws Error where another has it.
std::string lock_file(int file, const fs::path& what, const char* doing, WhileInUse while_in_use) {
  const int wait = while_in_use == WhileInUse::wait ? 0 : LOCK_NB;
  int result = 0;
  do {
    result = flock(file, LOCK_EX | wait);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return {};
  if (errno != EWOULDBLOCK) return std::strerror(errno);
  const std::string owner = to_text(owner_in(file));
  close(file);
  throw Error(format("'{}' is in use: {} is {}", what.string(), owner, doing));
}

// Whether the file is still what the name stands for: who had it before has removed it otherwise.
bool is_at(const fs::path& path, int file) {
  struct stat of_file, of_path;
  return fstat(file, &of_file) == 0 && stat(path.c_str(), &of_path) == 0 &&
         of_file.st_dev == of_path.st_dev && of_file.st_ino == of_path.st_ino;
}

}  // namespace

// The file stays, so that no one who waits for it can have one that is there no more.
FolderLock::FolderLock(const fs::path& folder) {
  const fs::path path = folder / ".lock";
  file_ = open_lock(path);
  GESTALT_CHECK(file_ >= 0, "cannot write '{}': {}", path.string(), std::strerror(errno));
  const std::string no_lock = lock_file(file_, folder, "running there", WhileInUse::refuse);
  if (!no_lock.empty()) {
    warning_ =
        format("'{}' cannot be locked ({}): start no second run there", folder.string(), no_lock);
    return;
  }
  before_ = owner_in(file_).pid;
  write_owner(file_);
  remove_leftovers(folder, before_);
  std::error_code error;
  for (fs::directory_iterator each(folder, error); !error && each != fs::directory_iterator();
       each.increment(error)) {
    std::error_code ignored;
    if (each->is_directory(ignored) && !each->is_symlink(ignored)) {
      remove_leftovers_in(each->path());
    }
  }
}

void FolderLock::print_warning() const {
  if (!warning_.empty()) std::fprintf(stderr, "warning: %s\n", warning_.c_str());
}

FolderLock::~FolderLock() {
  close(file_);
}

void FolderLock::remove_leftovers_in(const fs::path& subfolder) const {
  if (warning_.empty()) remove_leftovers(subfolder, before_);
}

// The file and its folder may be removed by another who is done, at any moment before it is locked.
FileLock::FileLock(const fs::path& file, fs::path lock, WhileInUse while_in_use)
    : lock_(std::move(lock)) {
  constexpr int attempts = 1000;  // nobody comes between so often
  for (int attempt = 1;; ++attempt) {
    make_folder(lock_.parent_path());
    file_ = open_lock(lock_);
    GESTALT_CHECK(file_ >= 0 || attempt < attempts, "cannot write '{}': {}", lock_.string(),
                  std::strerror(errno));
    if (file_ < 0) continue;
    const bool has_locks = lock_file(file_, file, "writing it", while_in_use).empty();
    if (!has_locks || is_at(lock_, file_)) break;
    close(file_);
  }
  write_owner(file_);
}

FileLock::~FileLock() {
  std::error_code ignored;
  fs::remove(lock_, ignored);
  close(file_);
}

}  // namespace gestalt::tools
