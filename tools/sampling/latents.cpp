#include "tools/sampling/latents.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "tensor/random.h"

namespace gestalt::tools {
namespace {

double length(const float* v, int64_t size) {
  double squares = 0;
  for (int64_t i = 0; i < size; ++i) squares += static_cast<double>(v[i]) * v[i];
  return std::sqrt(squares);
}

void between(const float* a, const float* b, double t, int64_t size, float* out) {
  const double length_a = length(a, size), length_b = length(b, size);
  double product = 0;
  for (int64_t i = 0; i < size; ++i) product += static_cast<double>(a[i]) * b[i];
  const double lengths = std::max(length_a * length_b, 1e-30);
  const double angle = std::acos(std::clamp(product / lengths, -1.0, 1.0));
  const bool straight = std::sin(angle) < 1e-6;
  const double of_a = straight ? 1 - t : std::sin((1 - t) * angle) / std::sin(angle);
  const double of_b = straight ? t : std::sin(t * angle) / std::sin(angle);
  const double wanted = (1 - t) * length_a + t * length_b;
  const double scale_a = straight ? 1 : wanted / std::max(length_a, 1e-30);
  const double scale_b = straight ? 1 : wanted / std::max(length_b, 1e-30);
  for (int64_t i = 0; i < size; ++i) {
    out[i] = static_cast<float>(of_a * scale_a * a[i] + of_b * scale_b * b[i]);
  }
}

}  // namespace

Tensor draw_latents(uint64_t seed, int64_t count, int64_t size) {
  return Generator(seed).normal({count, size}, 0, 1, {.device = Device{}});
}

Tensor interpolate(const Tensor& stations, int64_t steps) {
  const int64_t count = stations.size(0), size = stations.size(1);
  const std::vector<float> from = stations.to_vector<float>();
  std::vector<float> rows;
  for (int64_t i = 0; i + 1 < count; ++i) {
    for (int64_t step = 0; step < steps; ++step) {
      const double t = static_cast<double>(step) / static_cast<double>(steps);
      rows.resize(rows.size() + static_cast<size_t>(size));
      float* out = &rows[rows.size() - static_cast<size_t>(size)];
      if (step == 0) {
        std::copy_n(&from[i * size], size, out);
      } else {
        between(&from[i * size], &from[(i + 1) * size], t, size, out);
      }
    }
  }
  rows.insert(rows.end(), from.end() - size, from.end());
  const auto total = static_cast<int64_t>(rows.size()) / size;
  return Tensor::from_vector(rows, {total, size}, {.device = Device{}});
}

}  // namespace gestalt::tools
