#pragma once

// Numbers of processes, as locks and temporary files have them.

#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace gestalt::tests {

inline pid_t pid_that_is_gone() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  return child;
}

inline std::string host_name() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

}  // namespace gestalt::tests
