#include "tensor/io/bytes.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/error.h"

namespace gestalt {

Bytes Bytes::slice(size_t offset, size_t count) const {
  GESTALT_CHECK(offset <= size && count <= size - offset,
                "truncated: {} bytes wanted at {}, the file has {}", count, offset, size);
  return {data + offset, count, owner};
}

Bytes allocate_bytes(size_t size, std::byte*& memory) {
  std::shared_ptr<std::byte[]> owner(new std::byte[size]);
  memory = owner.get();
  return {memory, size, std::move(owner)};
}

namespace {

struct FileHandle {
  int fd;
  ~FileHandle() {
    if (fd >= 0) ::close(fd);
  }
};

[[noreturn]] void fail() {
  throw Error(std::strerror(errno));
}

}  // namespace

Bytes map_file(const std::string& path) {
  const FileHandle file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  GESTALT_CHECK(file.fd >= 0 || errno != ENOENT, "no such file");
  if (file.fd < 0) fail();
  struct stat status;
  if (::fstat(file.fd, &status) != 0) fail();
  GESTALT_CHECK(!S_ISDIR(status.st_mode), "is a folder");
  GESTALT_CHECK(S_ISREG(status.st_mode), "is not a regular file");
  const auto size = static_cast<size_t>(status.st_size);
  if (size == 0) return {};
  void* mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.fd, 0);
  if (mapped == MAP_FAILED) fail();
  std::shared_ptr<const void> owner(
      mapped, [size](const void* data) { ::munmap(const_cast<void*>(data), size); });
  return {static_cast<const std::byte*>(mapped), size, std::move(owner)};
}

const std::byte* Cursor::need(size_t count) {
  GESTALT_CHECK(count <= left(), "truncated: {} more bytes wanted at {} of {}", count, position_,
                bytes_.size);
  const std::byte* data = bytes_.data + position_;
  position_ += count;
  return data;
}

Bytes Cursor::take(size_t count) {
  return {need(count), count, bytes_.owner};
}

std::string_view Cursor::line() {
  const std::string_view rest = bytes_.text().substr(position_);
  const size_t length = rest.find('\n');
  GESTALT_CHECK(length != std::string_view::npos, "truncated: a line has no end");
  position_ += length + 1;
  return rest.substr(0, length);
}

}  // namespace gestalt
