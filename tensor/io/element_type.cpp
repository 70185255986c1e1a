#include "tensor/io/element_type.h"

#include <algorithm>

#include "kernels/error.h"

namespace gestalt {
namespace {

constexpr ElementType types[] = {
    {"float32", "FloatStorage", "F32", "f4", 4, DType::f32},
    {"float64", "DoubleStorage", "F64", "f8", 8, DType::f64},
    {"float16", "HalfStorage", "F16", "f2", 2, DType::f16},
    {"bfloat16", "BFloat16Storage", "BF16", "", 2, DType::bf16},
    {"int64", "LongStorage", "I64", "i8", 8, DType::i64},
    {"int32", "IntStorage", "I32", "i4", 4, DType::i64},
    {"int16", "ShortStorage", "I16", "i2", 2, DType::i64},
    {"int8", "CharStorage", "I8", "i1", 1, DType::i64},
    {"uint8", "ByteStorage", "U8", "u1", 1, DType::u8},
    {"bool", "BoolStorage", "BOOL", "b1", 1, DType::u8},
    {"uint16", "", "U16", "u2", 2, DType::i64},
    {"uint32", "", "U32", "u4", 4, DType::i64},
    {"uint64", "", "U64", "u8", 8, {}},
    {"complex32", "", "", "", 4, {}},
    {"complex64", "ComplexFloatStorage", "C64", "c8", 8, {}},
    {"complex128", "ComplexDoubleStorage", "", "c16", 16, {}},
    {"float8_e4m3fn", "", "F8_E4M3", "", 1, {}},
    {"float8_e5m2", "", "F8_E5M2", "", 1, {}},
    {"float8_e4m3fnuz", "", "", "", 1, {}},
    {"float8_e5m2fnuz", "", "", "", 1, {}},
    {"quint8", "QUInt8Storage", "", "", 1, {}},
    {"qint8", "QInt8Storage", "", "", 1, {}},
    {"qint32", "QInt32Storage", "", "", 4, {}},
};

const ElementType* find(std::string_view ElementType::*member, std::string_view name) {
  if (name.empty()) return nullptr;
  const auto found = std::find_if(std::begin(types), std::end(types),
                                  [&](const ElementType& type) { return type.*member == name; });
  return found == std::end(types) ? nullptr : found;
}

template <class T>
void widen(const std::byte* source, int64_t count, int64_t* target) {
  for (int64_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, source + i * sizeof(T), sizeof(T));
    target[i] = value;
  }
}

struct Widening {
  std::string_view torch;
  void (*run)(const std::byte* source, int64_t count, int64_t* target);
};

constexpr Widening widenings[] = {{"int32", widen<int32_t>},
                                  {"int16", widen<int16_t>},
                                  {"int8", widen<int8_t>},
                                  {"uint16", widen<uint16_t>},
                                  {"uint32", widen<uint32_t>}};

Bytes byte_swapped(const Bytes& bytes, int64_t element_size) {
  std::byte* memory;
  Bytes swapped = allocate_bytes(bytes.size, memory);
  for (size_t i = 0; i + element_size <= bytes.size; i += element_size) {
    std::reverse_copy(bytes.data + i, bytes.data + i + element_size, memory + i);
  }
  return swapped;
}

}  // namespace

const ElementType* element_type_of_torch(std::string_view name) {
  return find(&ElementType::torch, name);
}
const ElementType* element_type_of_storage(std::string_view name) {
  return find(&ElementType::storage, name);
}
const ElementType* element_type_of_safetensors(std::string_view name) {
  return find(&ElementType::safetensors, name);
}
const ElementType* element_type_of_numpy(std::string_view name) {
  return find(&ElementType::numpy, name);
}

const ElementType& element_type_of(DType dtype) {
  // The narrow types come after the type they widen to.
  return *std::find_if(std::begin(types), std::end(types),
                       [&](const ElementType& type) { return type.dtype == dtype; });
}

Shape shape_in_file(const std::string& what, std::span<const uint64_t> extents,
                    int64_t element_size) {
  GESTALT_CHECK(extents.size() <= static_cast<size_t>(Shape::max_rank),
                "{} has {} dimensions (at most {})", what, extents.size(),
                static_cast<int>(Shape::max_rank));
  Shape shape;
  int64_t bytes = element_size;  // without the extents of 0, so that the strides count too
  for (const uint64_t extent : extents) {
    GESTALT_CHECK(extent <= INT64_MAX &&
                      !__builtin_mul_overflow(bytes, std::max<uint64_t>(extent, 1), &bytes),
                  "{} is larger than any memory", what);
    shape.push_back(static_cast<int64_t>(extent));
  }
  return shape;
}

std::shared_ptr<Storage> make_storage(const Bytes& bytes, const ElementType& type, int64_t count,
                                      bool big_endian) {
  GESTALT_CHECK(type.dtype.has_value(), "the element type {} is not supported", type.torch);
  GESTALT_CHECK(count >= 0 && static_cast<uint64_t>(count) <= bytes.size / type.size,
                "a storage of {} {} elements has only {} bytes", count, type.torch, bytes.size);
  const size_t size = static_cast<size_t>(count) * type.size;
  if (size == 0) return std::make_shared<Storage>(Device{}, 0);
  if (big_endian && type.size > 1) {
    return make_storage(byte_swapped(bytes.slice(0, size), type.size), type, count);
  }
  const auto widening = std::find_if(std::begin(widenings), std::end(widenings),
                                     [&](const Widening& w) { return w.torch == type.torch; });
  if (widening != std::end(widenings)) {
    auto storage = std::make_shared<Storage>(Device{}, count * sizeof(int64_t));
    widening->run(bytes.data, count, static_cast<int64_t*>(storage->data()));
    return storage;
  }
  if (type.torch == "bool") {
    auto storage = std::make_shared<Storage>(Device{}, size);
    std::transform(bytes.data, bytes.data + size, static_cast<uint8_t*>(storage->data()),
                   [](std::byte value) { return value != std::byte{0}; });
    return storage;
  }
  if (reinterpret_cast<uintptr_t>(bytes.data) % type.size == 0) {
    // Bytes come from a private mapping or from memory of our own, so that writing is allowed.
    return std::make_shared<Storage>(Device{}, const_cast<std::byte*>(bytes.data), size,
                                     bytes.owner);
  }
  auto storage = std::make_shared<Storage>(Device{}, size);
  std::memcpy(storage->data(), bytes.data, size);
  return storage;
}

}  // namespace gestalt
