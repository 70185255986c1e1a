#pragma once

// (internal to tensor/io/) The element types that files may hold, under the names PyTorch,
// safetensors and NumPy give them, and what they become here: i32, i16, i8, u16 and u32 widen to
// i64, bool becomes u8.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kernels/types.h"
#include "tensor/io/bytes.h"
#include "tensor/storage.h"

namespace gestalt {

struct ElementType {
  std::string_view torch;        // "float32", of torch.float32
  std::string_view storage;      // "FloatStorage"; empty where there is none
  std::string_view safetensors;  // "F32"; empty where there is none
  std::string_view numpy;        // "f4", without the byte order; empty where there is none
  int64_t size;                  // bytes of an element in a file
  std::optional<DType> dtype;    // nothing: not supported
};

// Null where there is no such type.
const ElementType* element_type_of_torch(std::string_view name);
const ElementType* element_type_of_storage(std::string_view name);
const ElementType* element_type_of_safetensors(std::string_view name);
const ElementType* element_type_of_numpy(std::string_view name);
// The one that keeps the dtype.
const ElementType& element_type_of(DType dtype);

// The shape that a file claims. Throws Error ("WHAT has 9 dimensions (at most 8)", "... is larger
// than any memory") where it can't be one, or its strides could not be counted.
Shape shape_in_file(const std::string& what, std::span<const uint64_t> extents,
                    int64_t element_size);

// `count` elements as a storage of type.dtype: the very bytes where they can be used as they are
// (same type, aligned, little-endian), else a converted copy.
std::shared_ptr<Storage> make_storage(const Bytes& bytes, const ElementType& type, int64_t count,
                                      bool big_endian = false);

}  // namespace gestalt
