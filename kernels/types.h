#pragma once

// The vocabulary of every kernel: element types, devices, shapes, memory formats and raw views.

#include <array>
#include <bit>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace gestalt {

enum class DType : uint8_t { f32, bf16, f16, f64, i64, u8 };

// The brain float: the upper half of an f32. Storage only; arithmetic is done in f32.
struct bfloat16 {
  uint16_t bits = 0;
  bfloat16() = default;
  explicit bfloat16(float value) {  // rounds to nearest even; NaN stays NaN
    const uint32_t u = std::bit_cast<uint32_t>(value);
    const uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    const uint32_t quiet = (u >> 16) | 0x0040u;  // so that truncation can't make it inf
    bits = static_cast<uint16_t>((u & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
  }
  operator float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
};

// IEEE binary16. Storage only; arithmetic is done in f32.
struct float16 {
  uint16_t bits = 0;
  float16() = default;
  explicit float16(float value);  // rounds to nearest even; overflow gives inf
  operator float() const;
};

int64_t size_of(DType dtype);           // bytes of an element
std::string to_string(DType dtype);     // "f32"
DType parse_dtype(const std::string&);  // throws Error on an unknown name
bool is_floating(DType dtype);

// The DType of a C++ type.
template <class T>
inline constexpr DType dtype_of = [] {
  static_assert(sizeof(T) == 0, "no DType for this type");
  return DType::f32;
}();
template <>
inline constexpr DType dtype_of<float> = DType::f32;
template <>
inline constexpr DType dtype_of<bfloat16> = DType::bf16;
template <>
inline constexpr DType dtype_of<float16> = DType::f16;
template <>
inline constexpr DType dtype_of<double> = DType::f64;
template <>
inline constexpr DType dtype_of<int64_t> = DType::i64;
template <>
inline constexpr DType dtype_of<uint8_t> = DType::u8;

enum class DeviceType : uint8_t { cpu, cuda };

struct Device {
  DeviceType type = DeviceType::cpu;
  int index = 0;
  bool is_cpu() const { return type == DeviceType::cpu; }
  bool is_cuda() const { return type == DeviceType::cuda; }
  bool operator==(const Device&) const = default;
};

std::string to_string(DeviceType type);   // "cpu", "cuda"
std::string to_string(Device device);     // "cpu", "cuda:0"
Device parse_device(const std::string&);  // "cpu", "cuda", "cuda:1"; throws Error

// Sizes of up to 8 dimensions, outermost first. Logical image shapes are always N, C, H, W.
class Shape {
 public:
  static constexpr int max_rank = 8;

  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}
  explicit Shape(std::span<const int64_t> sizes);
  static Shape filled(int rank, int64_t value);

  int rank() const { return rank_; }
  int64_t numel() const;  // 1 for rank 0
  // A negative dimension counts from the end. Not range-checked; see checked_dim.
  int64_t operator[](int dim) const { return sizes_[dim < 0 ? dim + rank_ : dim]; }
  int64_t& operator[](int dim) { return sizes_[dim < 0 ? dim + rank_ : dim]; }
  void push_back(int64_t size);
  void insert(int dim, int64_t size);
  void erase(int dim);

  const int64_t* begin() const { return sizes_.data(); }
  const int64_t* end() const { return sizes_.data() + rank_; }
  bool operator==(const Shape& other) const;

 private:
  std::array<int64_t, max_rank> sizes_{};
  int rank_ = 0;
};

using Strides = Shape;  // in elements, not bytes

std::string to_string(const Shape& shape);  // "[1,3,256,256]"

// A dimension of `rank`, with negative ones counted from the end; throws Error naming `op`.
int checked_dim(int dim, int rank, const char* op);

// How the logical NCHW elements lie in memory. Ranks other than 4 are always contiguous.
enum class Format : uint8_t { contiguous, channels_last };

std::string to_string(Format format);
Strides strides_of(const Shape& shape, Format format);

// Memory seen as an array. Owns nothing. Strides may be zero (broadcast) where a kernel only reads.
struct View {
  void* data = nullptr;
  DType dtype = DType::f32;
  Device device;
  Shape shape;
  Strides strides;

  int rank() const { return shape.rank(); }
  int64_t numel() const { return shape.numel(); }
  // Elements lie without gaps in the order of `format`; dimensions of size 1 may have any stride.
  bool is_format(Format format) const;
  bool is_contiguous() const { return is_format(Format::contiguous); }
  bool is_channels_last() const { return rank() == 4 && is_format(Format::channels_last); }

  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

std::string to_string(const View& view);  // "f32[1,3,256,256]", what error messages show

}  // namespace gestalt
