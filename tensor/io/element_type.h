#pragma once

// The element types that files may hold, under the names PyTorch and safetensors give them, and
// what they become here: i32, i16, i8, u16 and u32 widen to i64, bool becomes u8.

#include <cstdint>
#include <optional>
#include <string_view>

#include "kernels/types.h"
#include "tensor/io/bytes.h"
#include "tensor/storage.h"

namespace gestalt {

struct ElementType {
  std::string_view torch;        // "float32", of torch.float32
  std::string_view storage;      // "FloatStorage"; empty where there is none
  std::string_view safetensors;  // "F32"; empty where there is none
  int64_t size;                  // bytes of an element in a file
  std::optional<DType> dtype;    // nothing: not supported
};

// Null where there is no such type.
const ElementType* element_type_of_torch(std::string_view name);
const ElementType* element_type_of_storage(std::string_view name);
const ElementType* element_type_of_safetensors(std::string_view name);
std::string_view safetensors_name(DType dtype);

// `count` elements as a storage of type.dtype: the very bytes where they can be used as they are
// (same type, aligned, little-endian), else a converted copy.
std::shared_ptr<Storage> make_storage(const Bytes& bytes, const ElementType& type, int64_t count,
                                      bool big_endian = false);

}  // namespace gestalt
