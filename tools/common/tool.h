#pragma once

// What every tool shares: common flags, exit codes, interruption.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/error.h"
#include "kernels/types.h"

namespace gestalt::tools {

enum ExitCode { exit_done = 0, exit_failed = 1, exit_usage = 2, exit_interrupted = 130 };

// The command line asks for what can't be: flags that don't go together, names that don't exist.
class UsageError : public Error {
 public:
  using Error::Error;
};

// Ctrl-C, before anything was done that a user could miss.
class Interrupted : public Error {
 public:
  Interrupted() : Error("interrupted; nothing was changed") {}
};

// Runs a check of the command line: its Errors are of usage.
template <class Check>
void as_usage(const Check& check) {
  try {
    check();
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
}

// Which of --device, --seed, --threads and --quiet a tool has: one that computes nothing has none.
enum class CommonFlags { all, without_seed, none };

// --device, --seed, --threads, --quiet.
struct CommonOptions {
  std::string device = "auto";  // auto: CUDA where there is one
  uint64_t seed = 0;
  int threads = 0;  // of the CPU; 0: all cores
  bool quiet = false;
};

class Tool {
 public:
  // `name` begins the error lines; `description` heads --help.
  Tool(std::string name, const std::string& description, CommonFlags flags = CommonFlags::all);

  CLI::App& app() { return app_; }
  // The common flags for one subcommand, of a tool that has CommonFlags::none itself. Behind the
  // subcommand's own, since --help shows them in this order.
  void add_common_flags(CLI::App& app, CommonFlags flags = CommonFlags::all);
  const CommonOptions& common() const { return common_; }
  // As it was given to run(), arguments quoted for a shell where they need it.
  const std::string& command_line() const { return command_line_; }

  // Adds the common flags, parses, sets the default device and the threads (where the common flags
  // are), and runs `body`, which returns the exit code. An Error becomes one line on stderr and
  // exit code 1; a UsageError, and what the parser refuses, 2; Interrupted 130. Standard streams
  // that are closed lead to /dev/null, and a file that may not grow is an Error. Call first thing
  // in main.
  int run(int argc, char** argv, const std::function<int()>& body);

 private:
  void apply_common() const;

  std::string name_;
  CommonFlags flags_;
  CLI::App app_;
  std::vector<CLI::App*> with_common_flags_;
  CommonOptions common_;
  std::string command_line_;
};

// After this, SIGINT, SIGTERM and SIGHUP set a flag instead of ending the process; a second one of
// the first two ends it. SIGHUP stays ignored where it was (nohup). Nor does it end where nobody
// reads what it prints any more.
void catch_interrupts();
bool interrupted();

// Throws Interrupted where it was. Before files of an earlier run are taken away: what comes before
// (hashes, networks) takes long enough for a change of mind.
void check_not_interrupted();

}  // namespace gestalt::tools
