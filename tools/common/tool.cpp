#include "tools/common/tool.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

#include "kernels/runtime.h"
#include "tensor/context.h"
#include "tools/common/numbers.h"
#include "tools/common/ranges.h"
#include "tools/common/spinning.h"
#include "tools/common/standard_output.h"
#include "tools/common/version.h"

namespace gestalt::tools {
namespace {

volatile std::sig_atomic_t interrupt_flag = 0;

void on_interrupt(int) {
  interrupt_flag = 1;
  // Whichever of both comes next ends the process. Not so SIGHUP: of a terminal that is closed the
  // kernel and the shell each send one.
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

// Where a standard stream is closed, the next file to be opened would get its number, and what is
// printed.
void fill_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) != -1) continue;
    const int file = open("/dev/null", O_RDWR);  // the lowest number that is free: this one
    if (file != stream && file >= 0) close(file);
  }
}

Device chosen_device(const std::string& name) {
  if (name != "auto") return parse_device(name);
  const Device cuda{DeviceType::cuda, 0};
  if (is_available(cuda)) return cuda;
  if (const Runtime* backend = runtime(DeviceType::cuda); backend != nullptr) {
    // A driver that is too old should not pass for a machine without a GPU.
    const NoDevice why = backend->why_no_device();
    if (why.has_driver) {
      std::fprintf(stderr, "warning: on the CPU: %s (see doctor)\n", why.finding.what.c_str());
    }
  }
  return Device{};
}

std::string quoted(const std::string& argument) {
  const bool plain = !argument.empty() &&
                     argument.find_first_of(" \t\n\"'\\$&|;<>()*?[]{}!#~`") == std::string::npos;
  if (plain) return argument;
  std::string text = "'";
  for (const char c : argument) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

// CLI11 takes "[a] b [c]" for a list where an option has several values, which a folder's name may
// be.
std::string not_a_list(const std::string& argument) {
  const size_t begin = argument.starts_with("--") ? argument.find('=') + 1 : 0;  // --flag=VALUE
  const std::string value = argument.substr(begin);
  std::error_code ignored;
  const bool is_path =
      value.starts_with('[') && value.ends_with(']') && std::filesystem::exists(value, ignored);
  return is_path ? argument.substr(0, begin) + "./" + value : argument;
}

// "auto" or what parse_device knows; whether there is one is found out later.
std::string check_device(const std::string& name) {
  try {
    if (name != "auto") parse_device(name);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

Tool::Tool(std::string name, const std::string& description, CommonFlags flags)
    : name_(std::move(name)), flags_(flags), app_(description, name_) {
  // As a function: it asks the driver for devices, which takes long where there is one.
  app_.set_version_flag("--version", version_text);
  app_.option_defaults()->always_capture_default();
  app_.get_formatter()->column_width(36);
  app_.failure_message([this](const CLI::App*, const CLI::Error& error) {
    return name_ + ": " + parse_error_text(app_, error) + " (--help lists the flags)\n";
  });
}

void Tool::add_common_flags(CLI::App& app, CommonFlags flags) {
  if (flags == CommonFlags::none) return;
  app.add_option("--device", common_.device, "auto, cpu, cuda or cuda:N")
      ->check(CLI::Validator(check_device, ""))
      ->group("Common");
  if (flags == CommonFlags::all) {
    app.add_option("--seed", common_.seed, "seed of every random number")->group("Common");
  }
  app.add_option("--threads", common_.threads, "CPU threads; 0: all cores")
      ->check(thread_count())
      ->group("Common");
  app.add_flag("--quiet", common_.quiet, "print only errors and results")->group("Common");
  with_common_flags_.push_back(&app);
}

void Tool::apply_common() const {
  if (common_.threads > 0) set_num_threads(common_.threads);
  const Device device = chosen_device(common_.device);
  context(device);  // throws now, not in the middle, where it can't be had
  set_default_device(device);
}

int Tool::run(int argc, char** argv, const std::function<int()>& body) {
  const StandardOutput output;
  fill_standard_streams();
  // Behind `ulimit -f` a write should fail with its reason, as on a full disk, not end the process.
  std::signal(SIGXFSZ, SIG_IGN);
  command_line_ = name_;
  std::vector<std::string> arguments;  // CLI11 takes them from the last to the first
  for (int i = 1; i < argc; ++i) {
    command_line_ += format(" {}", quoted(argv[i]));
    arguments.push_back(not_a_list(argv[i]));
  }
  std::reverse(arguments.begin(), arguments.end());
  add_common_flags(app_, flags_);
  check_numbers(app_);
  try {
    app_.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    return app_.exit(error) == 0 ? exit_done : exit_usage;
  }
  try {
    for (const CLI::App* app : with_common_flags_) {
      if (!app->parsed()) continue;
      if (common_.threads != 1) limit_spinning(argv);
      apply_common();
    }
    const int code = body();
    const std::string failure = code == exit_done ? output.failure() : std::string();
    GESTALT_CHECK(failure.empty(), "{}", failure);
    return code;
  } catch (const std::exception& error) {
    std::fflush(stdout);  // the error comes last also where both go to one file
    std::fprintf(stderr, "%s: %s\n", name_.c_str(), error.what());
    if (dynamic_cast<const Interrupted*>(&error) != nullptr) return exit_interrupted;
    return dynamic_cast<const UsageError*>(&error) != nullptr ? exit_usage : exit_failed;
  }
}

void catch_interrupts() {
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  if (std::signal(SIGHUP, on_interrupt) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);  // nohup
  // Ctrl-C ends the reader of `| tee log`, too; what is printed then is not worth the work.
  std::signal(SIGPIPE, SIG_IGN);
}

bool interrupted() {
  return interrupt_flag != 0;
}

void check_not_interrupted() {
  if (interrupted()) throw Interrupted();
}

}  // namespace gestalt::tools
