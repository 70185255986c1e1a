#pragma once

// safetensors files, both ways: an 8-byte little-endian header length, a JSON header {name: {dtype,
// shape, data_offsets}}, then the tensors' bytes without holes.
// Source: https://github.com/huggingface/safetensors (format section of its README).

#include <map>
#include <span>
#include <string>

#include "tensor/io/bytes.h"
#include "tensor/state_dict.h"

namespace gestalt {

using Metadata = std::map<std::string, std::string>;  // the header's __metadata__

// Whether the bytes start as a safetensors file does.
bool is_safetensors(const Bytes& bytes);

// Tensors in the order of their data; they use the file's mapped memory where it is aligned for
// them. Throws Error with the reason, without the path.
StateDict read_safetensors(const Bytes& bytes, Metadata* metadata = nullptr);

// Replaces the file whole or not at all. Keys are sorted, the data begins at a multiple of 8 bytes
// and wide elements come before narrow ones, so that all are aligned. Tensors of any device and any
// strides; names must be unique. Throws Error with the path and the reason.
void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                       const Metadata& metadata = {});

}  // namespace gestalt
