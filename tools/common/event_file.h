#pragma once

// TensorBoard's event files: scalars over steps.
//
// A file is a sequence of TFRecords: length u64, masked CRC-32C of the length, the bytes, their
// masked CRC-32C, all little-endian; each record is one protobuf message `Event` (wall_time, step,
// file_version | session_log | summary). Sources: tensorflow/core/lib/io/record_writer.h,
// core/util/event.proto, core/framework/summary.proto.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

namespace gestalt::tools {

// Appends; a job that goes on writes a new file beside the old ones, as TensorBoard expects.
class EventFile {
 public:
  // FOLDER/events.out.tfevents.SECONDS.gestalt.PID. Scalars of earlier files from `first_step` on,
  // which a killed job wrote after its checkpoint, come again: TensorBoard drops them at the start
  // of a session that begins there, but not at the first one that it meets, so that every file has
  // one. Throws Error where it can't be made.
  EventFile(const std::filesystem::path& folder, int64_t first_step);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  void scalar(const std::string& tag, int64_t step, double value);
  void flush();

 private:
  void write_record(const std::string& bytes);

  std::FILE* file_;
};

// The bytes of one record around `data`, and the checksum it uses.
std::string tf_record(const std::string& data);
uint32_t crc32c(const std::string& data);

}  // namespace gestalt::tools
