#include "data/encode.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include "data/codecs.h"
#include "data/folder.h"
#include "kernels/error.h"

namespace gestalt::data {
namespace {

void write_all(int file, const std::vector<uint8_t>& bytes, const std::filesystem::path& path) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t count = ::write(file, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    GESTALT_CHECK(count > 0, "[image] cannot write {}: {}", path.string(), std::strerror(errno));
    done += static_cast<size_t>(count);
  }
}

void write_atomically(const std::filesystem::path& path, const std::vector<uint8_t>& bytes) {
  std::string temporary = path.string() + ".XXXXXX";
  const int file = ::mkstemp(temporary.data());
  GESTALT_CHECK(file >= 0, "[image] cannot write {}: {}", path.string(), std::strerror(errno));
  try {
    write_all(file, bytes, path);
    // mkstemp made it private; give it the rights that any new file gets.
    const mode_t mask = ::umask(0);
    ::umask(mask);
    const bool stored = ::fchmod(file, 0666 & ~mask) == 0 && ::fsync(file) == 0;
    GESTALT_CHECK(stored && std::rename(temporary.c_str(), path.c_str()) == 0,
                  "[image] cannot write {}: {}", path.string(), std::strerror(errno));
  } catch (...) {
    ::close(file);
    ::unlink(temporary.c_str());
    throw;
  }
  ::close(file);
}

}  // namespace

std::vector<uint8_t> encode_image(const Image& image, std::string_view extension, int quality) {
  const std::string kind = lower_case(extension);
  GESTALT_CHECK(image.height >= 1 && image.width >= 1, "[image] cannot encode an empty image");
  GESTALT_CHECK(quality >= 1 && quality <= 100, "[image] JPEG quality must be 1..100, got {}",
                quality);
  if (kind == ".png") return codecs::encode_png(image);
  GESTALT_CHECK(kind == ".jpg" || kind == ".jpeg",
                "[image] cannot write '{}' files (.jpg, .jpeg and .png are known)", extension);
  return codecs::encode_jpeg(image, quality);
}

void save_image(const std::filesystem::path& path, const Image& image, int quality) {
  write_atomically(path, encode_image(image, path.extension().string(), quality));
}

}  // namespace gestalt::data
