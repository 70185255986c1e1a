#include "tools/common/event_file.h"

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <unistd.h>

#include "kernels/error.h"

namespace gestalt::tools {
namespace {

// The reflected Castagnoli polynomial.
std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82F63B78u : 0);
    table[i] = value;
  }
  return table;
}

// As TensorFlow stores it, so that a checksum of data with checksums in it is a good one.
uint32_t masked(uint32_t crc) {
  return std::rotr(crc, 15) + 0xA282EAD8u;
}

template <class T>
std::string bytes_of(T value) {
  static_assert(std::endian::native == std::endian::little);
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

// ---- protobuf's wire format: a key is field << 3 | type ----
std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

std::string varint_field(uint32_t field, uint64_t value) {
  return varint(field << 3) + varint(value);
}

std::string fixed_field(uint32_t field, double value) {
  return varint(field << 3 | 1) + bytes_of(value);
}

std::string fixed_field(uint32_t field, float value) {
  return varint(field << 3 | 5) + bytes_of(value);
}

std::string bytes_field(uint32_t field, const std::string& value) {
  return varint(field << 3 | 2) + varint(value.size()) + value;
}

// Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5;
//         SessionLog session_log = 7; }
std::string event(int64_t step, const std::string& what) {
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  return fixed_field(1, now) + varint_field(2, static_cast<uint64_t>(step)) + what;
}

}  // namespace

uint32_t crc32c(const std::string& data) {
  static const std::array<uint32_t, 256> table = make_crc_table();
  uint32_t crc = 0xFFFFFFFFu;
  for (const char byte : data) crc = crc >> 8 ^ table[(crc ^ static_cast<uint8_t>(byte)) & 0xFF];
  return ~crc;
}

std::string tf_record(const std::string& data) {
  const std::string length = bytes_of(static_cast<uint64_t>(data.size()));
  return length + bytes_of(masked(crc32c(length))) + data + bytes_of(masked(crc32c(data)));
}

EventFile::EventFile(const std::filesystem::path& folder, int64_t first_step) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(
                           std::chrono::system_clock::now().time_since_epoch())
                           .count();
  const std::filesystem::path path =
      folder / format("events.out.tfevents.{}.gestalt.{}", seconds, getpid());
  file_ = std::fopen(path.c_str(), "ab");
  GESTALT_CHECK(file_ != nullptr, "cannot write '{}': {}", path.string(), std::strerror(errno));
  try {
    write_record(event(0, bytes_field(3, "brain.Event:2")));
    // SessionLog { enum SessionStatus { START = 1; } SessionStatus status = 1; }
    write_record(event(first_step, bytes_field(7, varint_field(1, 1))));
    flush();
  } catch (...) {
    std::fclose(file_);
    throw;
  }
}

EventFile::~EventFile() {
  std::fclose(file_);
}

void EventFile::scalar(const std::string& tag, int64_t step, double value) {
  // Summary { repeated Value value = 1; }  Value { string tag = 1; float simple_value = 2; }
  const std::string scalar = bytes_field(1, tag) + fixed_field(2, static_cast<float>(value));
  write_record(event(step, bytes_field(5, bytes_field(1, scalar))));
}

void EventFile::write_record(const std::string& bytes) {
  const std::string record = tf_record(bytes);
  GESTALT_CHECK(std::fwrite(record.data(), 1, record.size(), file_) == record.size(),
                "cannot write the event file: {}", std::strerror(errno));
}

void EventFile::flush() {
  GESTALT_CHECK(std::fflush(file_) == 0, "cannot write the event file: {}", std::strerror(errno));
}

}  // namespace gestalt::tools
