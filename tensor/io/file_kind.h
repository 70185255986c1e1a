#pragma once

// What a file is, by its first bytes, or why it is no checkpoint (internal to tensor/io/).

#include "tensor/io/bytes.h"

namespace gestalt {

enum class FileKind { safetensors, zip, pickle };

bool is_zip(const Bytes& bytes);

// Throws Error with the reason where it is none of them: empty, a Git LFS pointer, HTML, text, HDF5
// ...
FileKind kind_of_file(const Bytes& bytes);

}  // namespace gestalt
