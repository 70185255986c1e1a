#include "data/coral.h"

#include <array>
#include <cmath>

#include "kernels/error.h"

namespace gestalt::data {
namespace {

using Matrix = std::array<std::array<double, 3>, 3>;
using Vector = std::array<double, 3>;

struct Colors {
  Vector mean{}, deviation{};
  Matrix covariance{};  // of the normalized channels, plus the identity over the pixels
};

Colors colors_of(const char* which, const Tensor& image) {
  GESTALT_CHECK(
      image.rank() == 4 && image.size(0) == 1 && image.size(1) == 3 &&
          image.dtype() == DType::f32 && image.device().is_cpu() && image.is_contiguous(),
      "[match_colors] expected the {} as f32 [1,3,H,W], contiguous, on the CPU, got {} with "
      "strides {} on {}",
      which, image, image.strides(), image.device());
  const int64_t pixels = image.numel() / 3;
  GESTALT_CHECK(pixels >= 2, "[match_colors] expected the {} to have two pixels or more, got {}",
                which, image);
  const float* data = image.data<float>();
  Colors colors;
  for (int c = 0; c < 3; ++c) {
    const float* plane = data + c * pixels;
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < pixels; ++i) sum += plane[i];
    colors.mean[c] = sum / static_cast<double>(pixels);
    for (int64_t i = 0; i < pixels; ++i) {
      squares += (plane[i] - colors.mean[c]) * (plane[i] - colors.mean[c]);
    }
    colors.deviation[c] = std::sqrt(squares / static_cast<double>(pixels - 1));
    GESTALT_CHECK(colors.deviation[c] > 0, "[match_colors] channel {} of the {} is constant", c,
                  which);
  }
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) {
      double sum = 0;
      for (int64_t i = 0; i < pixels; ++i) {
        sum += (data[a * pixels + i] - colors.mean[a]) * (data[b * pixels + i] - colors.mean[b]);
      }
      colors.covariance[a][b] =
          (sum / (colors.deviation[a] * colors.deviation[b]) + (a == b ? 1 : 0)) /
          static_cast<double>(pixels);
    }
  }
  return colors;
}

Matrix multiply(const Matrix& a, const Matrix& b) {
  Matrix product{};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      for (int k = 0; k < 3; ++k) product[i][j] += a[i][k] * b[k][j];
    }
  }
  return product;
}

// A rotation of axes p and q that makes m[p][q] zero (Jacobi).
void rotate(Matrix& m, Matrix& vectors, int p, int q) {
  if (m[p][q] == 0) return;
  const double theta = (m[q][q] - m[p][p]) / (2 * m[p][q]);
  const double t = (theta >= 0 ? 1 : -1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
  const double cosine = 1 / std::sqrt(t * t + 1), sine = t * cosine;
  Matrix rotation = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}}, back = rotation;
  rotation[p][p] = rotation[q][q] = back[p][p] = back[q][q] = cosine;
  rotation[p][q] = back[q][p] = sine;
  rotation[q][p] = back[p][q] = -sine;
  m = multiply(back, multiply(m, rotation));
  vectors = multiply(vectors, rotation);
}

// m^exponent of a symmetric positive definite m.
Matrix power(Matrix m, double exponent) {
  Matrix vectors = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  for (int sweep = 0; sweep < 30; ++sweep) {
    rotate(m, vectors, 0, 1);
    rotate(m, vectors, 0, 2);
    rotate(m, vectors, 1, 2);
  }
  Matrix result{};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      for (int k = 0; k < 3; ++k) {
        result[i][j] += vectors[i][k] * std::pow(m[k][k], exponent) * vectors[j][k];
      }
    }
  }
  return result;
}

}  // namespace

Tensor match_colors(const Tensor& source, const Tensor& target) {
  const Colors from = colors_of("source", source), to = colors_of("target", target);
  const Matrix map = multiply(power(to.covariance, 0.5), power(from.covariance, -0.5));
  Tensor result = Tensor::empty(source.shape(), {.device = Device{}});
  const int64_t pixels = source.numel() / 3;
  const float* in = source.data<float>();
  float* out = result.data<float>();
  for (int64_t i = 0; i < pixels; ++i) {
    Vector normal;
    for (int c = 0; c < 3; ++c) {
      normal[c] = (in[c * pixels + i] - from.mean[c]) / from.deviation[c];
    }
    for (int c = 0; c < 3; ++c) {
      const double value = map[c][0] * normal[0] + map[c][1] * normal[1] + map[c][2] * normal[2];
      out[c * pixels + i] = static_cast<float>(value * to.deviation[c] + to.mean[c]);
    }
  }
  return result;
}

}  // namespace gestalt::data
