#include "tools/common/gnuplot.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/error.h"
#include "tools/common/output.h"

namespace gestalt::tools {

namespace fs = std::filesystem;

namespace {

// The last that is not blank; gnuplot says there where it stopped and why.
std::string last_line(FILE* file) {
  if (file == nullptr) return "";
  std::rewind(file);
  std::string last;
  char line[512];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    std::string text = line;
    text.erase(text.find_last_not_of(" \n") + 1);
    if (!text.empty()) last = text;
  }
  return last;
}

// Of the child, where gnuplot was not begun.
constexpr int no_program = 127, no_folder = 126;

// How it ended, for the user; empty where it succeeded.
std::string failure_of(pid_t child, FILE* messages, const fs::path& folder) {
  if (child < 0) return format("cannot be started: {}", std::strerror(errno));
  int status = 0;
  if (waitpid(child, &status, 0) != child) return format("was lost: {}", std::strerror(errno));
  if (WIFSIGNALED(status)) return format("ended by signal {}", WTERMSIG(status));
  switch (WEXITSTATUS(status)) {
    case 0:
      return "";
    case no_program:
      return "is missing";
    case no_folder:
      return format("cannot run in '{}'", folder.string());
  }
  const std::string said = last_line(messages);
  return "failed" + (said.empty() ? "" : ": " + said);
}

}  // namespace

bool run_gnuplot(const fs::path& script_path, const std::string& script, const fs::path& folder) {
  write_text(script_path, script);
  const fs::path absolute = fs::absolute(script_path);
  const fs::path where = folder.empty() ? absolute.parent_path() : folder;
  // Its warnings are not the user's: they are kept in a file without a name, shown where it fails.
  // Where there is no such file, they go to stderr.
  FILE* messages = std::tmpfile();
  const pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);  // Ctrl-C asks the tool to save, and its plot is part of that
    if (chdir(where.c_str()) != 0) _exit(no_folder);
    if (messages != nullptr) dup2(fileno(messages), STDERR_FILENO);
    execlp("gnuplot", "gnuplot", absolute.c_str(), static_cast<char*>(nullptr));
    _exit(no_program);
  }
  const std::string failure = failure_of(child, messages, where);
  if (messages != nullptr) std::fclose(messages);
  if (failure.empty()) return true;
  std::fprintf(stderr, "no plot: gnuplot %s; the script is %s\n", failure.c_str(),
               script_path.c_str());
  return false;
}

}  // namespace gestalt::tools
