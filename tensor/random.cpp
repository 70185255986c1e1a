#include "tensor/random.h"

#include <numeric>

#include "kernels/error.h"
#include "kernels/table.h"
#include "tensor/autograd.h"

namespace gestalt {
namespace {

uint64_t bits64(PhiloxState state, uint64_t index) {
  const PhiloxBlock block = philox(state, index / 2);
  const int word = index % 2 == 0 ? 0 : 2;
  return static_cast<uint64_t>(block.word[word]) << 32 | block.word[word + 1];
}

// The upper half of the 128-bit product: in [0, bound), biased by less than bound / 2^64.
uint64_t scaled(uint64_t bits, uint64_t bound) {
  return static_cast<uint64_t>(static_cast<unsigned __int128>(bits) * bound >> 64);
}

}  // namespace

Tensor Generator::uniform(const Shape& shape, double low, double high,
                          const TensorOptions& options) {
  Tensor y = Tensor::empty(shape, options);
  fill_uniform(y, low, high);
  return y;
}

Tensor Generator::normal(const Shape& shape, double mean, double deviation,
                         const TensorOptions& options) {
  Tensor y = Tensor::empty(shape, options);
  fill_normal(y, mean, deviation);
  return y;
}

void Generator::fill_uniform(const Tensor& y, double low, double high) {
  check_in_place("uniform", y);
  GESTALT_CHECK(low <= high, "[uniform] expected low <= high, got {} and {}", low, high);
  Context& ctx = context(y.device());
  ctx.kernels().uniform(ctx, next(), low, high, y.view());
  y.bump_version();
}

void Generator::fill_normal(const Tensor& y, double mean, double deviation) {
  check_in_place("normal", y);
  Context& ctx = context(y.device());
  ctx.kernels().normal(ctx, next(), mean, deviation, y.view());
  y.bump_version();
}

double Generator::uniform_value(double low, double high) {
  const double unit = static_cast<double>(bits64(next(), 0) >> 11) * 0x1p-53;
  const double value = low + unit * (high - low);
  return value < high ? value : low;  // rounded up to the end that is not in
}

int64_t Generator::integer(int64_t bound) {
  GESTALT_CHECK(bound > 0, "[integer] expected a positive bound, got {}", bound);
  return static_cast<int64_t>(scaled(bits64(next(), 0), static_cast<uint64_t>(bound)));
}

std::vector<int64_t> Generator::permutation(int64_t size) {
  GESTALT_CHECK(size >= 0, "[permutation] expected a size, got {}", size);
  const PhiloxState state = next();
  std::vector<int64_t> order(static_cast<size_t>(size));
  std::iota(order.begin(), order.end(), 0);
  for (int64_t i = size - 1; i > 0; --i) {
    const uint64_t bits = bits64(state, static_cast<uint64_t>(i));
    std::swap(order[i], order[scaled(bits, static_cast<uint64_t>(i) + 1)]);
  }
  return order;
}

}  // namespace gestalt
