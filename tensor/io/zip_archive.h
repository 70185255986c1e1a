#pragma once

// Zip archives in memory (internal to tensor/io/). Read: entries stored or deflated, whose
// checksums are checked. Written: stored.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tensor/io/bytes.h"

struct zip;

namespace gestalt {

class ZipArchive {
 public:
  // Throws Error with the reason: truncated or damaged, a build without libzip.
  explicit ZipArchive(const Bytes& bytes);
  ~ZipArchive();
  ZipArchive(const ZipArchive&) = delete;
  ZipArchive& operator=(const ZipArchive&) = delete;

  std::vector<std::string> names() const;
  bool has(const std::string& name) const;
  // All calls together give no more bytes than deflate could make of the archive.
  Bytes read(const std::string& name);

 private:
  void charge(uint64_t size);

  Bytes bytes_;
  ::zip* zip_ = nullptr;
  uint64_t inflated_ = 0;
};

struct ZipEntry {
  std::string name;
  Bytes content;
};

// Throws Error in a build without libzip.
void check_can_make_zip();

// An archive of those, with no time of its own: the same entries give the same bytes. Throws Error
// with the reason: names that are not UTF-8 or come twice, a build without libzip.
Bytes make_zip(std::span<const ZipEntry> entries);

}  // namespace gestalt
