#include "tensor/io/zip_archive.h"

#include <memory>

#include "kernels/error.h"

#ifdef GESTALT_WITH_LIBZIP
#include <zip.h>
#endif

namespace gestalt {

#ifdef GESTALT_WITH_LIBZIP
namespace {

// Deflate cannot shrink further than this; an entry that claims more is not what it says.
constexpr uint64_t highest_ratio = 1040;

// The earliest day that a zip archive can tell: 1980-01-01, at midnight.
constexpr zip_uint16_t first_date = 1 << 5 | 1, midnight = 0;

// An archive that grows in memory; discarded where it was not finished.
class ZipWriter {
 public:
  ZipWriter() {
    zip_error_t error;
    zip_error_init(&error);
    memory_ = zip_source_buffer_create(nullptr, 0, 0, &error);
    if (memory_ != nullptr) zip_ = zip_open_from_source(memory_, ZIP_TRUNCATE, &error);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    if (zip_ == nullptr) zip_source_free(memory_);
    GESTALT_CHECK(zip_ != nullptr, "no zip archive can be made ({})", reason);
    zip_source_keep(memory_);
  }
  ~ZipWriter() {
    if (zip_ != nullptr) zip_discard(zip_);
    zip_source_free(memory_);
  }
  ZipWriter(const ZipWriter&) = delete;
  ZipWriter& operator=(const ZipWriter&) = delete;

  // The content must last until finish().
  void add(const ZipEntry& entry) {
    zip_source_t* source = zip_source_buffer(zip_, entry.content.data, entry.content.size, 0);
    const zip_int64_t index = zip_file_add(zip_, entry.name.c_str(), source, ZIP_FL_ENC_UTF_8);
    if (index < 0) zip_source_free(source);
    GESTALT_CHECK(index >= 0 && zip_set_file_compression(zip_, index, ZIP_CM_STORE, 0) == 0 &&
                      zip_file_set_dostime(zip_, index, midnight, first_date, 0) == 0,
                  "entry '{}': {}", entry.name, zip_strerror(zip_));
  }

  Bytes finish() {
    GESTALT_CHECK(zip_close(zip_) == 0, "{}", zip_strerror(zip_));
    zip_ = nullptr;
    zip_stat_t status;
    const bool opened = zip_source_stat(memory_, &status) == 0 && zip_source_open(memory_) == 0;
    std::byte* content;
    Bytes bytes = allocate_bytes(opened ? status.size : 0, content);
    GESTALT_CHECK(opened && zip_source_read(memory_, content, bytes.size) ==
                                static_cast<zip_int64_t>(bytes.size),
                  "{}", zip_error_strerror(zip_source_error(memory_)));
    zip_source_close(memory_);
    return bytes;
  }

 private:
  zip_source_t* memory_ = nullptr;
  ::zip* zip_ = nullptr;
};

}  // namespace

ZipArchive::ZipArchive(const Bytes& bytes) : bytes_(bytes) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(bytes.data, bytes.size, 0, &error);
  if (source != nullptr) {
    zip_ = zip_open_from_source(source, ZIP_RDONLY, &error);
    if (zip_ == nullptr) zip_source_free(source);
  }
  const std::string reason = zip_error_strerror(&error);
  zip_error_fini(&error);
  GESTALT_CHECK(zip_ != nullptr, "truncated or damaged zip archive ({})", reason);
}

ZipArchive::~ZipArchive() {
  if (zip_ != nullptr) zip_discard(zip_);
}

std::vector<std::string> ZipArchive::names() const {
  std::vector<std::string> names;
  const zip_int64_t count = zip_get_num_entries(zip_, 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const char* name = zip_get_name(zip_, i, ZIP_FL_ENC_RAW);
    if (name != nullptr) names.emplace_back(name);
  }
  return names;
}

bool ZipArchive::has(const std::string& name) const {
  return zip_name_locate(zip_, name.c_str(), ZIP_FL_ENC_RAW) >= 0;
}

Bytes ZipArchive::read(const std::string& name) {
  zip_stat_t status;
  GESTALT_CHECK(zip_stat(zip_, name.c_str(), ZIP_FL_ENC_RAW, &status) == 0,
                "the archive has no entry '{}'", name);
  GESTALT_CHECK(status.comp_size <= bytes_.size && status.size <= status.comp_size * highest_ratio,
                "entry '{}' claims {} bytes from {}", name, status.size, status.comp_size);
  charge(status.size);
  zip_file_t* file = zip_fopen_index(zip_, status.index, 0);
  GESTALT_CHECK(file != nullptr, "entry '{}': {}", name, zip_strerror(zip_));
  const std::unique_ptr<zip_file_t, decltype(&zip_fclose)> closer(file, zip_fclose);
  std::byte* memory;
  Bytes content = allocate_bytes(status.size, memory);
  // One byte more than there should be, so that the end, and with it the checksum, is reached.
  size_t done = 0;
  std::byte beyond;
  while (true) {
    const bool is_full = done == status.size;
    const zip_int64_t got =
        is_full ? zip_fread(file, &beyond, 1) : zip_fread(file, memory + done, status.size - done);
    GESTALT_CHECK(got >= 0, "entry '{}': {}", name, zip_file_strerror(file));
    GESTALT_CHECK(!is_full || got == 0, "entry '{}' is longer than it says", name);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  GESTALT_CHECK(done == status.size, "entry '{}' is truncated", name);
  return content;
}

// Entries may overlap inside the file, so the sum is bounded too.
void ZipArchive::charge(uint64_t size) {
  inflated_ += size;
  GESTALT_CHECK(inflated_ <= bytes_.size * highest_ratio,
                "the entries claim {} bytes from a file of {}", inflated_, bytes_.size);
}

void check_can_make_zip() {}

Bytes make_zip(std::span<const ZipEntry> entries) {
  ZipWriter writer;
  for (const ZipEntry& entry : entries) writer.add(entry);
  return writer.finish();
}

#else

ZipArchive::ZipArchive(const Bytes&) {
  throw Error("a zip archive; this build has no libzip to read it");
}

ZipArchive::~ZipArchive() = default;

std::vector<std::string> ZipArchive::names() const {
  return {};
}

bool ZipArchive::has(const std::string&) const {
  return false;
}

Bytes ZipArchive::read(const std::string&) {
  return {};
}

void check_can_make_zip() {
  throw Error("this build has no libzip to write a zip archive");
}

Bytes make_zip(std::span<const ZipEntry>) {
  check_can_make_zip();
  return {};
}

#endif

}  // namespace gestalt
