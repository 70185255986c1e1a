#pragma once

#include <optional>
#include <string>

#include "tensor/io/bytes.h"

namespace gestalt {

// The name of a well-known weights file with these bytes, found by its SHA-256 or MD5; nothing
// where it is none of them, or where the build has no OpenSSL. Reads every byte.
std::optional<std::string> known_file(const Bytes& bytes);

// 64 hexadecimal digits; empty where the build has no OpenSSL.
std::string sha256(const Bytes& bytes);

}  // namespace gestalt
