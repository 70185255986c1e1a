#include "tests/tools/run_tool.h"

#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <sstream>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

#include "tests/processes.h"
#include "tests/tools/unheard_run.h"

namespace gestalt::tests {

namespace fs = std::filesystem;

namespace {

// Beside this test, wherever it has been taken to; else where it was built.
std::string path_of(const std::string& tool) {
  std::error_code none;
  const fs::path beside = fs::read_symlink("/proc/self/exe", none).parent_path() / tool;
  if (fs::exists(beside, none)) return beside;
  return std::string(GESTALT_BINARY_DIR) + "/bin/" + tool;
}

enum class Reader { stays, ends_with_signal };

// In the place of this process, with these for its output.
[[noreturn]] void become(const std::string& tool, const std::vector<std::string>& arguments,
                         int output, int errors) {
  const std::string program = path_of(tool);
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  dup2(output, STDOUT_FILENO);
  dup2(errors, STDERR_FILENO);
  close(output);
  if (errors != output) close(errors);
  execv(program.c_str(), argv.data());
  _exit(127);
}

ToolResult run(const std::string& name, const std::vector<std::string>& arguments,
               const std::function<bool()>& interrupt_when, int signal, Reader reader) {
  int ends[2];
  ToolResult result;
  if (pipe(ends) != 0) return result;
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    become(name, arguments, ends[1], ends[1]);
  }
  close(ends[1]);

  bool interrupt = static_cast<bool>(interrupt_when);
  char buffer[4096];
  while (true) {
    pollfd waiting{ends[0], POLLIN, 0};
    poll(&waiting, 1, 20);
    if (interrupt && interrupt_when()) {
      if (reader == Reader::ends_with_signal) break;
      kill(child, signal);
      interrupt = false;
    }
    if (waiting.revents == 0) continue;
    const ssize_t bytes = read(ends[0], buffer, sizeof buffer);
    if (bytes <= 0) break;
    result.output.append(buffer, static_cast<size_t>(bytes));
  }
  close(ends[0]);
  if (interrupt && reader == Reader::ends_with_signal) kill(child, signal);
  int status = 0;
  waitpid(child, &status, 0);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace

ToolResult run_tool(const std::string& name, const std::vector<std::string>& arguments,
                    const std::function<bool()>& interrupt_when, int signal) {
  return run(name, arguments, interrupt_when, signal, Reader::stays);
}

ToolResult run_unheard(const std::string& name, const std::vector<std::string>& arguments,
                       const std::function<bool()>& interrupt_when, int signal) {
  return run(name, arguments, interrupt_when, signal, Reader::ends_with_signal);
}

Streams run_apart(const std::string& name, const std::vector<std::string>& arguments) {
  const TemporaryFolder folder;
  const std::string output = folder / "output", errors = folder / "errors";
  Streams result;
  result.exit_code = ends([&] {
    become(name, arguments, open(output.c_str(), O_WRONLY | O_CREAT, 0600),
           open(errors.c_str(), O_WRONLY | O_CREAT, 0600));
    return 127;
  });
  result.output = read_text(output);
  result.errors = read_text(errors);
  return result;
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace gestalt::tests
