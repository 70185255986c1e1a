#pragma once

// Vectors and procedural noise for render_demo_image.

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace demo {

// Vectors -----------------------------------------------------------------------------------------

struct Vec {
  double x = 0, y = 0, z = 0;
};

inline Vec operator+(Vec a, Vec b) {
  return {a.x + b.x, a.y + b.y, a.z + b.z};
}
inline Vec operator-(Vec a, Vec b) {
  return {a.x - b.x, a.y - b.y, a.z - b.z};
}
inline Vec operator*(Vec a, Vec b) {
  return {a.x * b.x, a.y * b.y, a.z * b.z};
}
inline Vec operator*(Vec a, double s) {
  return {a.x * s, a.y * s, a.z * s};
}
inline double dot(Vec a, Vec b) {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}
inline double length(Vec a) {
  return std::sqrt(dot(a, a));
}
inline Vec normalize(Vec a) {
  return a * (1 / length(a));
}
inline Vec cross(Vec a, Vec b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
inline Vec mix(Vec a, Vec b, double t) {
  return a + (b - a) * t;
}
inline double mix(double a, double b, double t) {
  return a + (b - a) * t;
}
inline double fract(double x) {
  return x - std::floor(x);
}
inline double smoothstep(double low, double high, double x) {
  const double t = std::clamp((x - low) / (high - low), 0.0, 1.0);
  return t * t * (3 - 2 * t);
}
inline Vec rotate_y(Vec p, double angle) {
  const double c = std::cos(angle), s = std::sin(angle);
  return {c * p.x + s * p.z, p.y, c * p.z - s * p.x};
}

// Noise -------------------------------------------------------------------------------------------

inline double hash(int x, int y, int z = 0) {
  uint32_t h = static_cast<uint32_t>(x) * 0x8da6b343u ^ static_cast<uint32_t>(y) * 0xd8163841u ^
               static_cast<uint32_t>(z) * 0xcb1ab31fu;
  h = (h ^ (h >> 15)) * 0x2c1b3c6du;
  h = (h ^ (h >> 12)) * 0x297a2d39u;
  return (h ^ (h >> 15)) / 4294967296.0;
}

// Smooth, in [0, 1].
inline double noise(Vec p) {
  const int x = static_cast<int>(std::floor(p.x)), y = static_cast<int>(std::floor(p.y)),
            z = static_cast<int>(std::floor(p.z));
  const double u = smoothstep(0, 1, p.x - x), v = smoothstep(0, 1, p.y - y),
               w = smoothstep(0, 1, p.z - z);
  const auto row = [&](int dy, int dz) {
    return mix(hash(x, y + dy, z + dz), hash(x + 1, y + dy, z + dz), u);
  };
  return mix(mix(row(0, 0), row(1, 0), v), mix(row(0, 1), row(1, 1), v), w);
}

// Noise of several scales, in [0, 1].
inline double fractal_noise(Vec p, int octaves) {
  double sum = 0, weight = 0.5, total = 0;
  for (int i = 0; i < octaves; ++i) {
    sum += weight * noise(p);
    total += weight;
    weight *= 0.5;
    p = p * 2.03 + Vec{17.1, 9.2, 5.7};
  }
  return sum / total;
}

}  // namespace demo
