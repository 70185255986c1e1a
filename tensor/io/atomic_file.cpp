#include "tensor/io/atomic_file.h"

#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <string_view>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "kernels/error.h"

namespace gestalt {
namespace {

namespace fs = std::filesystem;

// Ours alone: what other programs left is not to be taken for it.
constexpr std::string_view temporary_mark = ".gestalt-tmp.";
constexpr std::chrono::hours longest_write{24};

// The process in a temporary file's name; none in other names.
std::optional<int64_t> writer_of(std::string_view name) {
  const size_t mark = name.rfind(temporary_mark);
  if (mark == std::string_view::npos || mark == 0) return std::nullopt;
  const std::string_view digits = name.substr(mark + temporary_mark.size());
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), pid);
  const bool is_pid = error == std::errc() && end == digits.data() + digits.size() && pid > 0;
  return is_pid ? std::optional<int64_t>(pid) : std::nullopt;
}

// Of each write alone: another thread may write to the same path.
std::string own_temporary_path(const std::string& path) {
  static std::atomic<int64_t> writes{0};
  return temporary_path(path + "." + std::to_string(writes++));
}

// The temporary file; gone again unless committed.
class Temporary {
 public:
  explicit Temporary(const std::string& path) : path_(path), name_(own_temporary_path(path)) {
    struct stat found;
    if (::stat(path.c_str(), &found) == 0 && !S_ISREG(found.st_mode)) {
      throw Error(format("cannot write '{}': is {}", path,
                         S_ISDIR(found.st_mode) ? "a folder, not a file" : "no regular file"));
    }
    file_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file_ < 0) fail();
  }
  ~Temporary() {
    if (file_ >= 0) ::close(file_);
    if (!committed_) ::unlink(name_.c_str());
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  void write(const void* data, size_t bytes) {
    const char* next = static_cast<const char*>(data);
    while (bytes > 0) {
      const ssize_t written = ::write(file_, next, bytes);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail();
      next += written;
      bytes -= static_cast<size_t>(written);
    }
  }

  void commit() {
    if (::fsync(file_) != 0) fail();
    const int file = file_;
    file_ = -1;
    if (::close(file) != 0) fail();
    if (std::rename(name_.c_str(), path_.c_str()) != 0) fail();
    committed_ = true;
    sync_folder();
  }

 private:
  // So that the new name outlives a loss of power.
  void sync_folder() const {
    const std::string parent = fs::path(path_).parent_path().string();
    const int folder = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_CLOEXEC);
    if (folder < 0) return;  // one may write in a folder that one may not read
    const bool synced = ::fsync(folder) == 0 || errno == EINVAL;  // EINVAL: it has no such call
    const int reason = errno;
    ::close(folder);
    errno = reason;
    if (!synced) fail();
  }

  [[noreturn]] void fail() const {
    throw Error(format("cannot write '{}': {}", path_, std::strerror(errno)));
  }

  std::string path_, name_;
  int file_ = -1;
  bool committed_ = false;
};

}  // namespace

std::string temporary_path(const std::string& path) {
  return path + std::string(temporary_mark) + std::to_string(::getpid());
}

bool process_is_gone(int64_t pid) {
  return ::kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH;
}

void remove_leftovers(const fs::path& folder, int64_t gone) {
  std::error_code error;
  fs::directory_iterator each(folder.empty() ? "." : folder, error);
  for (; !error && each != fs::directory_iterator(); each.increment(error)) {
    const std::optional<int64_t> pid = writer_of(each->path().filename().native());
    std::error_code ignored;
    if (!pid || !each->is_regular_file(ignored) || !process_is_gone(*pid)) continue;
    const auto age = fs::file_time_type::clock::now() - each->last_write_time(ignored);
    if (!ignored && (*pid == gone || age > longest_write)) fs::remove(each->path(), ignored);
  }
}

void write_file_atomically(const std::string& path,
                           const std::function<void(const ByteSink&)>& write) {
  Temporary file(path);
  write([&](const void* data, size_t bytes) { file.write(data, bytes); });
  file.commit();
}

void check_can_write(const std::string& path) {
  const Temporary nothing(path);
}

void write_file_atomically(const std::string& path, const void* data, size_t bytes) {
  write_file_atomically(path, [&](const ByteSink& sink) { sink(data, bytes); });
}

}  // namespace gestalt
