#include "tools/common/folder_lock.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "kernels/error.h"

namespace gestalt::tools {

// The file stays: were it removed, a process that waits to lock it and one that makes it anew would
// both have one. Programs that are started meanwhile (gnuplot) don't take it over.
FolderLock::FolderLock(const std::filesystem::path& folder) {
  const std::string path = (folder / ".lock").string();
  file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  GESTALT_CHECK(file_ >= 0, "cannot write '{}': {}", path, std::strerror(errno));
  if (flock(file_, LOCK_EX | LOCK_NB) == 0) return;
  const int reason = errno;
  if (reason != EWOULDBLOCK) {
    warning_ = format("'{}' cannot be locked ({}): start no second run there", folder.string(),
                      std::strerror(reason));
    return;
  }
  close(file_);
  throw Error(format("'{}' is in use: another process is running there", folder.string()));
}

FolderLock::~FolderLock() {
  close(file_);
}

}  // namespace gestalt::tools
