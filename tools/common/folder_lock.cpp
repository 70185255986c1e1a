#include "tools/common/folder_lock.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sstream>
#include <sys/file.h>
#include <unistd.h>

#include "kernels/error.h"

namespace gestalt::tools {
namespace {

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

// "process 1234", "process 1234 on HOST"; "another process" where the file does not tell, or tells
// of one that is gone: the new one is about to write it.
std::string owner_in(int file) {
  char text[512] = {};
  std::istringstream words(pread(file, text, sizeof text - 1, 0) > 0 ? text : "");
  pid_t pid = 0;
  std::string host;
  if (!(words >> pid) || pid <= 0) return "another process";
  words >> host;
  if (host != host_name()) return format("process {} on {}", pid, host);
  const bool is_gone = kill(pid, 0) != 0 && errno == ESRCH;
  return is_gone ? "another process" : format("process {}", pid);
}

}  // namespace

// The file stays: were it removed, a process that waits to lock it and one that makes it anew would
// both have one. Programs that are started meanwhile (gnuplot) don't take it over.
FolderLock::FolderLock(const std::filesystem::path& folder) {
  const std::string path = (folder / ".lock").string();
  file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  GESTALT_CHECK(file_ >= 0, "cannot write '{}': {}", path, std::strerror(errno));
  if (flock(file_, LOCK_EX | LOCK_NB) == 0) {
    write_owner(file_);
    return;
  }
  const int reason = errno;
  if (reason != EWOULDBLOCK) {
    warning_ = format("'{}' cannot be locked ({}): start no second run there", folder.string(),
                      std::strerror(reason));
    return;
  }
  const std::string owner = owner_in(file_);
  close(file_);
  throw Error(format("'{}' is in use: {} is running there", folder.string(), owner));
}

FolderLock::~FolderLock() {
  close(file_);
}

}  // namespace gestalt::tools
