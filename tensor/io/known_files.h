#pragma once

// Recognizes published weights files by their checksums, so that an error or a record can say which
// one a file is. Nothing throws; without OpenSSL nothing is recognized.

#include <optional>
#include <string>

#include "tensor/io/bytes.h"

namespace gestalt {

// 64 hexadecimal digits; empty where the build has no OpenSSL. Reads every byte.
std::string sha256(const Bytes& bytes);

// The name of a well-known weights file with these bytes; nothing where it is none of them, or
// where the build has no OpenSSL. Found by `sha`, their sha256(), or, if they may be a plain pickle
// and only then, by their MD5, for which every byte is read once more.
std::optional<std::string> known_file(const Bytes& bytes, const std::string& sha);

}  // namespace gestalt
