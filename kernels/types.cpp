#include "kernels/types.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "kernels/error.h"

namespace gestalt {

float16::float16(float value) {
  const uint32_t u = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (u >> 16) & 0x8000u;
  const uint32_t magnitude = u & 0x7fffffffu;
  uint32_t half;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u | ((magnitude >> 13) & 0x1ffu);
  } else if (magnitude >= 0x477ff000u) {  // 65520 and above round to inf
    half = 0x7c00u;
  } else if (magnitude < 0x38800000u) {  // below 2^-14: denormal, in units of 2^-24
    half = static_cast<uint32_t>(std::nearbyint(std::bit_cast<float>(magnitude) * 16777216.0f));
  } else {
    const uint32_t rebased = magnitude - 0x38000000u;
    half = (rebased + 0xfffu + ((rebased >> 13) & 1u)) >> 13;
  }
  bits = static_cast<uint16_t>(sign | half);
}

float16::operator float() const {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1fu;
  const uint32_t mantissa = bits & 0x3ffu;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | sign);
  }
  const uint32_t wide = exponent == 31 ? 0x7f800000u : (exponent + 112u) << 23;
  return std::bit_cast<float>(sign | wide | (mantissa << 13));
}

namespace {

struct DTypeInfo {
  DType dtype;
  const char* name;
  int64_t size;
  bool floating;
};

constexpr DTypeInfo dtype_infos[] = {
    {DType::f32, "f32", 4, true}, {DType::bf16, "bf16", 2, true}, {DType::f16, "f16", 2, true},
    {DType::f64, "f64", 8, true}, {DType::i64, "i64", 8, false},  {DType::u8, "u8", 1, false},
};

const DTypeInfo& info(DType dtype) {
  return dtype_infos[static_cast<int>(dtype)];
}

}  // namespace

int64_t size_of(DType dtype) {
  return info(dtype).size;
}
std::string to_string(DType dtype) {
  return info(dtype).name;
}
bool is_floating(DType dtype) {
  return info(dtype).floating;
}

DType parse_dtype(const std::string& name) {
  for (const DTypeInfo& entry : dtype_infos) {
    if (name == entry.name) return entry.dtype;
  }
  throw Error(format("unknown dtype '{}' (known: f32, bf16, f16, f64, i64, u8)", name));
}

std::string to_string(DeviceType type) {
  return type == DeviceType::cpu ? "cpu" : "cuda";
}

std::string to_string(Device device) {
  return device.is_cpu() ? "cpu" : format("cuda:{}", device.index);
}

Device parse_device(const std::string& name) {
  if (name == "cpu") return {};
  if (name == "cuda") return {DeviceType::cuda, 0};
  int index = -1;
  if (name.starts_with("cuda:")) {
    const char* end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(name.data() + 5, end, index);
    if (error == std::errc() && stop == end && index >= 0) return {DeviceType::cuda, index};
  }
  throw Error(format("unknown device '{}' (known: cpu, cuda, cuda:N)", name));
}

Shape::Shape(std::span<const int64_t> sizes) {
  for (int64_t size : sizes) push_back(size);
}

Shape Shape::filled(int rank, int64_t value) {
  Shape shape;
  for (int i = 0; i < rank; ++i) shape.push_back(value);
  return shape;
}

int64_t Shape::numel() const {
  int64_t n = 1;
  for (int64_t size : *this) n *= size;
  return n;
}

void Shape::push_back(int64_t size) {
  insert(rank_, size);
}

void Shape::insert(int dim, int64_t size) {
  GESTALT_CHECK(rank_ < max_rank, "shapes have at most {} dimensions", max_rank);
  std::copy_backward(sizes_.begin() + dim, sizes_.begin() + rank_, sizes_.begin() + rank_ + 1);
  sizes_[dim] = size;
  ++rank_;
}

void Shape::erase(int dim) {
  std::copy(sizes_.begin() + dim + 1, sizes_.begin() + rank_, sizes_.begin() + dim);
  --rank_;
}

bool Shape::operator==(const Shape& other) const {
  return std::equal(begin(), end(), other.begin(), other.end());
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (int i = 0; i < shape.rank(); ++i) {
    if (i > 0) text += ',';
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

int checked_dim(int dim, int rank, const char* op) {
  const int wrapped = dim < 0 ? dim + rank : dim;
  GESTALT_CHECK(wrapped >= 0 && wrapped < rank, "[{}] dimension {} is out of range for rank {}", op,
                dim, rank);
  return wrapped;
}

std::string to_string(Format format) {
  return format == Format::contiguous ? "contiguous" : "channels_last";
}

Strides strides_of(const Shape& shape, Format format) {
  Strides strides = Shape::filled(shape.rank(), 1);
  int64_t stride = 1;
  const auto assign = [&](int dim) {
    strides[dim] = stride;
    stride *= std::max<int64_t>(shape[dim], 1);
  };
  if (format == Format::channels_last && shape.rank() == 4) {
    for (int dim : {1, 3, 2, 0}) assign(dim);
  } else {
    for (int dim = shape.rank() - 1; dim >= 0; --dim) assign(dim);
  }
  return strides;
}

bool View::is_format(Format format) const {
  const Strides expected = strides_of(shape, format);
  for (int i = 0; i < rank(); ++i) {
    if (shape[i] > 1 && strides[i] != expected[i]) return shape.numel() == 0;
  }
  return true;
}

std::string to_string(const View& view) {
  return to_string(view.dtype) + to_string(view.shape);
}

}  // namespace gestalt
