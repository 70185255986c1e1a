#pragma once

// Whether what a program printed got where it was to go: a full disk behind `> figures.json` is no
// success.

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <unistd.h>

namespace gestalt::tools {

// Made before anything is printed.
class StandardOutput {
 public:
  // Flushes; what is wrong, "cannot write to stdout: ...", empty where nothing is. Nothing is
  // either where stdout was closed from the start: nobody wants it.
  std::string failure() const {
    if (!is_open_) return {};
    errno = 0;
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return {};
    const char* reason = errno != 0 ? std::strerror(errno) : "an earlier write failed";
    return std::string("cannot write to stdout: ") + reason;
  }

 private:
  bool is_open_ = fcntl(STDOUT_FILENO, F_GETFD) != -1;
};

}  // namespace gestalt::tools
