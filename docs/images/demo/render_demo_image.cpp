// Renders docs/images/demo.jpg, the picture that `make demo` works on: a still life in which every
// object has a shape and a texture of its own. Signed distance fields, marched along each ray
// (J. C. Hart, "Sphere Tracing", 1996); textures are procedural.
//
//   render_demo_image OUTPUT [SAMPLES]      SAMPLES x SAMPLES rays a pixel, 4 by default

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <opencv2/imgcodecs.hpp>
#include <vector>

#include "docs/images/demo/demo_image_math.h"

namespace {

using namespace demo;

constexpr int image_size = 512;

// Shapes ------------------------------------------------------------------------------------------

enum class Thing {
  none,
  wall,
  frame,
  sky,
  table,
  cloth,
  ball,
  cup,
  coffee,
  orange,
  stem,
  pot,
  soil,
  leaf
};

struct Hit {
  double distance = 1e9;
  Thing thing = Thing::none;

  void add(double other, Thing what) {
    if (other < distance) *this = {other, what};
  }
};

constexpr double wall_z = 3.0;
constexpr Vec ball_center{-1.28, 0.86, -0.1};
constexpr double ball_radius = 0.86;
constexpr Vec orange_center{-0.62, 0.40, -1.75};
constexpr double orange_radius = 0.40;
constexpr Vec cup_center{0.62, 0, -1.25};
constexpr Vec pot_center{1.35, 0, 0.75};

double box(Vec p, Vec half, double rounding = 0) {
  const Vec q{std::abs(p.x) - half.x + rounding, std::abs(p.y) - half.y + rounding,
              std::abs(p.z) - half.z + rounding};
  const Vec outside{std::max(q.x, 0.0), std::max(q.y, 0.0), std::max(q.z, 0.0)};
  return length(outside) + std::min(std::max({q.x, q.y, q.z}), 0.0) - rounding;
}

// Around the y axis, from y = 0 to `height`, with the radius going from `bottom` to `top`.
double cone(Vec p, double bottom, double top, double height) {
  const double t = std::clamp(p.y / height, 0.0, 1.0);
  const double slope = (top - bottom) / height;
  const double side = (std::hypot(p.x, p.z) - mix(bottom, top, t)) / std::sqrt(1 + slope * slope);
  const double cap = std::max(-p.y, p.y - height);
  return std::min(std::max(side, cap), 0.0) + std::hypot(std::max(side, 0.0), std::max(cap, 0.0));
}

struct Window {
  static constexpr double left = -2.15, right = -0.25, bottom = 1.75, top = 3.75;
  static bool holds(Vec p) { return p.x > left && p.x < right && p.y > bottom && p.y < top; }
};

constexpr double brick_width = 0.62, brick_height = 0.235;

struct Brick {
  int column, row;
  double x, y;  // within the brick, 0..1
};

Brick brick_at(Vec p) {
  const double row = std::floor(p.y / brick_height);
  const double shifted = p.x / brick_width + (static_cast<int>(row) & 1 ? 0.5 : 0);
  return {static_cast<int>(std::floor(shifted)), static_cast<int>(row), fract(shifted),
          fract(p.y / brick_height)};
}

// 0 in the mortar, 1 on the brick.
double brick_height_at(Vec p) {
  const Brick brick = brick_at(p);
  const double wobble = 0.02 * (fractal_noise(p * 9, 2) - 0.5);
  const double dx = std::min(brick.x, 1 - brick.x) * brick_width + wobble;
  const double dy = std::min(brick.y, 1 - brick.y) * brick_height + wobble;
  return smoothstep(0.008, 0.035, std::min(dx, dy));
}

// The cloth lies askew; u and v run along its threads.
struct ClothPoint {
  double u, v;
};
ClothPoint on_cloth(Vec p) {
  const Vec q = rotate_y(p - Vec{-0.1, 0, -1.6}, 0.62);
  return {q.x, q.z};
}
double cloth(Vec p) {
  const auto [u, v] = on_cloth(p);
  const double folds = 0.035 * fractal_noise({u * 1.7, v * 1.7, 3}, 2) +
                       0.012 * std::sin(u * 2.2 + v * 5.1 + 2 * noise({u, v, 1}));
  return 0.7 * box({u, p.y - folds, v}, {1.75, 0.025, 1.55}, 0.02);
}

// A leaf grows from the middle of the pot; u runs along it, v across, w off its surface.
struct Leaf {
  Vec along, across, up;
  double size, width, bend;
};
struct LeafPoint {
  double u, v, w;
};

const std::vector<Leaf>& leaves() {
  static const std::vector<Leaf> all = [] {
    std::vector<Leaf> result;
    for (int i = 0; i < 17; ++i) {
      const double azimuth = i * 2.39996 + 0.4;
      const double elevation = mix(1.42, 0.55, i / 16.0) + 0.15 * (hash(i, 1) - 0.5);
      const Vec along{std::cos(elevation) * std::cos(azimuth), std::sin(elevation),
                      std::cos(elevation) * std::sin(azimuth)};
      const Vec across = normalize(cross(along, Vec{0.03, 1, 0.02}));
      result.push_back({along, across, cross(across, along), 1.25 + 0.45 * hash(i, 2),
                        0.25 + 0.08 * hash(i, 3), 0.22 + 0.2 * hash(i, 4)});
    }
    return result;
  }();
  return all;
}

const Vec leaf_root = pot_center + Vec{0, 0.85, 0};

LeafPoint on_leaf(const Leaf& leaf, Vec p) {
  p = p - leaf_root;
  const double u = dot(p, leaf.along), v = dot(p, leaf.across), w = dot(p, leaf.up);
  // Leaves hang down towards their tip and are folded a little along their middle.
  return {u, v, w + leaf.bend * std::max(u, 0.0) * u - 0.45 * std::abs(v)};
}

double leaf_half_width(const Leaf& leaf, double u) {
  const double t = std::clamp(u / leaf.size, 0.0, 1.0);
  const double blade = std::clamp((t - 0.22) / 0.78, 0.0, 1.0);
  return 0.018 + leaf.width * 2.1 * std::sqrt(blade) * (1 - blade);
}

double leaf_distance(const Leaf& leaf, Vec p) {
  const auto [u, v, w] = on_leaf(leaf, p);
  const double across = std::max(std::abs(v) - leaf_half_width(leaf, u), 0.0);
  const double beyond = std::max({-u, u - leaf.size, 0.0});
  return 0.55 * (length({across, w, beyond}) - 0.012);
}

double nearest_leaf(Vec p, const Leaf** which = nullptr) {
  const double outside = length(p - leaf_root - Vec{0, 0.7, 0}) - 1.75;
  if (outside > 0.3) return outside;
  double nearest = 1e9;
  for (const Leaf& leaf : leaves()) {
    const double distance = leaf_distance(leaf, p);
    if (distance < nearest) {
      nearest = distance;
      if (which != nullptr) *which = &leaf;
    }
  }
  return nearest;
}

void add_cup(Vec p, Hit& hit) {
  p = p - cup_center;
  if (length(p - Vec{0.1, 0.4, 0}) > 1.3)
    return hit.add(length(p - Vec{0.1, 0.4, 0}) - 0.9, Thing::cup);
  const double outer = cone(p - Vec{0, 0.03, 0}, 0.36, 0.46, 0.76) - 0.03;
  const double inner = cone(p - Vec{0, 0.12, 0}, 0.33, 0.425, 0.9);
  const Vec q = rotate_y(p, 0.5) - Vec{0.50, 0.42, 0};
  const double ring = std::hypot(std::hypot(q.x, q.y * 0.85) - 0.22, q.z) - 0.055;
  const double handle = std::max(ring, -(std::hypot(p.x, p.z) - 0.40));
  hit.add(0.85 * std::min(std::max(outer, -inner), handle), Thing::cup);
  hit.add(cone(p - Vec{0, 0.10, 0}, 0.34, 0.42, 0.52), Thing::coffee);
}

void add_pot(Vec p, Hit& hit) {
  p = p - pot_center;
  const double body = cone(p, 0.46, 0.62, 0.78) - 0.02;
  const double rim = cone(p - Vec{0, 0.72, 0}, 0.69, 0.71, 0.2) - 0.02;
  const double hollow = cone(p - Vec{0, 0.4, 0}, 0.55, 0.63, 0.8);
  hit.add(std::max(std::min(body, rim), -hollow), Thing::pot);
  hit.add(cone(p - Vec{0, 0.3, 0}, 0.5, 0.62, 0.5), Thing::soil);
}

Hit scene(Vec p) {
  Hit hit;
  hit.add(p.y + (fract(p.z / 0.62) < 0.02 ? 0.01 : 0), Thing::table);
  hit.add(cloth(p), Thing::cloth);
  // The wall, and the window in it.
  const double to_wall = wall_z - p.z;
  if (to_wall > 0.3) {
    hit.add(to_wall - 0.2, Thing::wall);
  } else {
    const Vec middle{(Window::left + Window::right) / 2, (Window::bottom + Window::top) / 2,
                     wall_z};
    const Vec half{(Window::right - Window::left) / 2, (Window::top - Window::bottom) / 2, 0.5};
    const double opening = box(p - middle, half);
    hit.add(std::max(0.6 * (to_wall - 0.035 * brick_height_at(p)), -opening), Thing::wall);
    hit.add(to_wall + 0.3, Thing::sky);
    const Vec q = p - middle;
    const double border =
        std::max(box(q, half + Vec{0.09, 0.09, -0.42}, 0.01), -box(q, half + Vec{-0.06, -0.06, 1}));
    const double bars = std::min(box(q - Vec{0, 0, 0.1}, {0.035, half.y, 0.05}),
                                 box(q - Vec{0, 0.1, 0.1}, {half.x, 0.035, 0.05}));
    hit.add(std::min(border, bars), Thing::frame);
    hit.add(box(q + Vec{0, half.y + 0.1, 0.12}, {half.x + 0.2, 0.045, 0.2}, 0.01), Thing::frame);
  }
  hit.add(length(p - ball_center) - ball_radius, Thing::ball);
  const double to_orange = length((p - orange_center) * Vec{1, 1.05, 1}) - orange_radius;
  hit.add(to_orange > 0.1 ? to_orange - 0.01
                          : 0.8 * (to_orange + 0.006 * noise((p - orange_center) * 38)),
          Thing::orange);
  hit.add(box(p - orange_center - Vec{0, 0.385, 0}, {0.035, 0.02, 0.035}, 0.015), Thing::stem);
  add_cup(p, hit);
  add_pot(p, hit);
  hit.add(nearest_leaf(p), Thing::leaf);
  return hit;
}

// Textures ----------------------------------------------------------------------------------------

struct Surface {
  Vec color;
  double gloss = 0;  // strength of highlights and reflections
};

Vec sky_color(double x, double y) {
  const Vec clear = mix(Vec{0.55, 0.76, 0.95}, Vec{0.16, 0.42, 0.82}, smoothstep(1.6, 4.2, y));
  const double cloud = fractal_noise({x * 1.25 + 4, y * 1.9, 2.5}, 6);
  const double shade = fractal_noise({x * 1.25 + 4.15, y * 1.9 + 0.2, 2.5}, 6);
  const Vec white = mix(Vec{1.0, 0.99, 0.97}, Vec{0.66, 0.70, 0.78}, smoothstep(0.45, 0.8, shade));
  return mix(clear, white, smoothstep(0.46, 0.60, cloud));
}

Vec brick_color(Vec p) {
  const Brick brick = brick_at(p);
  const double tone = hash(brick.column, brick.row, 7), grain = fractal_noise(p * 14, 4);
  Vec color = mix(Vec{0.44, 0.12, 0.07}, Vec{0.66, 0.27, 0.16}, tone);
  if (hash(brick.column, brick.row, 9) > 0.86) color = {0.30, 0.13, 0.11};
  color = color * (0.60 + 0.75 * grain);
  const Vec mortar = Vec{0.62, 0.58, 0.52} * (0.75 + 0.4 * fractal_noise(p * 22, 3));
  return mix(mortar, color, brick_height_at(p));
}

Vec wood_color(Vec p) {
  const double plank = std::floor(p.z / 0.62);
  const double shift = hash(static_cast<int>(plank), 3) * 40;
  const Vec q{p.x * 0.35 + shift, plank * 7, p.z * 2.4};
  const double warp = fractal_noise(q, 3);
  const double rings = 0.5 + 0.5 * std::sin(26 * warp + 5 * p.z);
  const double fibers = fractal_noise({p.x * 3 + shift, 0, p.z * 60}, 3);
  Vec color = mix(Vec{0.13, 0.048, 0.015}, Vec{0.42, 0.21, 0.085},
                  std::clamp(0.45 * rings + 0.9 * fibers - 0.15, 0.0, 1.0));
  color = color * (0.85 + 0.3 * hash(static_cast<int>(plank), 5));
  const double gap = std::min(fract(p.z / 0.62), 1 - fract(p.z / 0.62)) * 0.62;
  return color * mix(0.25, 1.0, smoothstep(0.004, 0.018, gap));
}

Vec cloth_color(Vec p) {
  const auto [u, v] = on_cloth(p);
  const double a = fract(u * 2.4) < 0.5, b = fract(v * 2.4) < 0.5;
  const double weave = 0.92 + 0.08 * std::sin(u * 190) * std::sin(v * 190);
  return mix(Vec{0.93, 0.90, 0.85}, Vec{0.70, 0.045, 0.06}, (a + b) / 2) * weave;
}

Vec ball_color(Vec p) {
  const Vec q = rotate_y(p - ball_center, -0.5);
  const double bend = fractal_noise(q * 1.9 + Vec{3, 8, 1}, 2) - 0.5;
  const double stripes = std::sin(21 * (q.x + 0.3 * q.y) + 13 * bend);
  return mix(Vec{0.92, 0.91, 0.87}, Vec{0.025, 0.022, 0.025}, smoothstep(-0.15, 0.15, stripes));
}

Vec cup_color(Vec p) {
  const Vec q = p - cup_center;
  const Vec glaze{0.93, 0.94, 0.95}, blue{0.05, 0.16, 0.52};
  const double radius = std::hypot(q.x, q.z);
  if (radius < 0.40 || radius > 0.52 || q.y > 0.80) return q.y > 0.80 ? blue : glaze;
  // Dots, every other row shifted by half a step.
  const double row = std::floor(q.y / 0.19);
  const double across =
      fract(std::atan2(q.z, q.x) / (2 * M_PI) * 15 + 0.5 * (static_cast<int>(row) & 1));
  const double dx = (across - 0.5) * 0.185, dy = (fract(q.y / 0.19) - 0.5) * 0.19;
  return mix(blue, glaze, smoothstep(0.056, 0.066, std::hypot(dx, dy)));
}

Vec leaf_color(Vec p) {
  const Leaf* leaf = &leaves().front();
  nearest_leaf(p, &leaf);
  const auto [u, v, w] = on_leaf(*leaf, p);
  const double t = u / leaf->size;
  const double tone = hash(static_cast<int>((leaf - leaves().data())), 11);
  Vec color = mix(Vec{0.035, 0.20, 0.045}, Vec{0.13, 0.36, 0.07}, tone);
  const double veins = std::abs(fract((u - 0.75 * std::abs(v)) * 9) - 0.5);
  color = mix(Vec{0.42, 0.62, 0.25}, color, smoothstep(0.03, 0.15, veins));
  const double edge = std::abs(v) / leaf_half_width(*leaf, u);
  color = mix(color, Vec{0.60, 0.70, 0.32}, 0.8 * smoothstep(0.82, 0.95, edge) * (t > 0.25));
  return mix(Vec{0.62, 0.74, 0.38}, color, smoothstep(0.008, 0.02, std::abs(v)));
}

Surface surface_at(Vec p, Thing thing) {
  switch (thing) {
    case Thing::wall:
      return {brick_color(p), 0.02};
    case Thing::frame:
      return {Vec{0.88, 0.86, 0.80} * (0.9 + 0.1 * fractal_noise(p * Vec{30, 3, 3}, 2)), 0.1};
    case Thing::table:
      return {wood_color(p), 0.18};
    case Thing::cloth:
      return {cloth_color(p), 0};
    case Thing::ball:
      return {ball_color(p), 0.5};
    case Thing::cup:
      return {cup_color(p), 0.7};
    case Thing::coffee:
      return {{0.075, 0.03, 0.012}, 0.5};
    case Thing::orange:
      return {mix(Vec{0.80, 0.19, 0.005}, Vec{0.90, 0.28, 0.008}, fractal_noise(p * 6, 3)), 0.25};
    case Thing::stem:
      return {{0.16, 0.22, 0.05}, 0};
    case Thing::pot:
      return {Vec{0.66, 0.29, 0.15} * (0.75 + 0.4 * fractal_noise(p * Vec{5, 16, 5}, 4)), 0.05};
    case Thing::soil:
      return {Vec{0.11, 0.07, 0.045} * (0.4 + 1.2 * fractal_noise(p * 30, 3)), 0};
    default:
      return {leaf_color(p), 0.22};
  }
}

// Light -------------------------------------------------------------------------------------------

const Vec sun = normalize({-0.62, 0.95, -0.62});
constexpr Vec sun_color{2.55, 2.30, 1.95};
constexpr Vec ambient_color{0.42, 0.46, 0.55};

Hit march(Vec origin, Vec direction, double& distance, double limit) {
  for (int step = 0; step < 260 && distance < limit; ++step) {
    const Hit hit = scene(origin + direction * distance);
    if (hit.distance < 0.0006 * distance + 1e-4) return hit;
    distance += hit.distance;
  }
  return {};
}

Vec normal_at(Vec p) {
  constexpr double e = 8e-4;
  Vec normal;
  for (const Vec d : {Vec{1, -1, -1}, Vec{-1, -1, 1}, Vec{-1, 1, -1}, Vec{1, 1, 1}}) {
    normal = normal + d * scene(p + d * e).distance;
  }
  return normalize(normal);
}

// 0 in the shadow, 1 in the light; soft by how closely the ray passes by.
double sunlight(Vec p) {
  double light = 1;
  for (double t = 0.02; t < 6;) {
    const double distance = scene(p + sun * t).distance;
    light = std::min(light, 0.5 + 0.5 * distance * 11 / t);
    if (light <= 0.01) return 0;
    t += std::clamp(distance, 0.015, 0.35);
  }
  return smoothstep(0.0, 1.0, light);
}

// How open the surroundings are, 0..1.
double openness(Vec p, Vec normal) {
  double hidden = 0, weight = 1;
  for (int i = 1; i <= 5; ++i) {
    const double reach = 0.02 + 0.09 * i;
    hidden += weight * std::max(reach - scene(p + normal * reach).distance, 0.0);
    weight *= 0.78;
  }
  return std::clamp(1 - 0.95 * hidden, 0.0, 1.0);
}

// What a mirror would show: a bright window on the left, a dim room elsewhere.
Vec surroundings(Vec direction) {
  const double a = dot(direction, normalize({-0.75, 0.62, -0.45})), side = direction.x;
  const double pane = smoothstep(0.90, 0.925, a) * smoothstep(0.012, 0.02, std::abs(side + 0.70));
  return mix(Vec{0.20, 0.17, 0.14}, Vec{0.62, 0.70, 0.80}, 0.5 + 0.5 * direction.y) +
         Vec{4.2, 4.2, 4.1} * pane;
}

Vec shade(Vec p, Vec direction, Thing thing) {
  if (thing == Thing::sky) return sky_color(p.x, p.y) * 1.12;
  const Vec normal = normal_at(p);
  const Vec lifted = p + normal * 0.004;
  const Surface surface = surface_at(p, thing);
  const double facing = dot(normal, sun);
  // Leaves let some light through.
  const double direct =
      thing == Thing::leaf ? 0.25 + 0.75 * std::abs(facing) : std::max(facing, 0.0);
  const double lit = direct > 0 ? sunlight(lifted) : 0;
  const double open = openness(lifted, normal);
  const Vec bounce = Vec{0.26, 0.17, 0.11} * (open * std::max(0.25 - 0.5 * normal.y, 0.0));
  Vec color = surface.color * (sun_color * (direct * lit) +
                               ambient_color * (open * (0.65 + 0.35 * normal.y)) + bounce);
  if (surface.gloss > 0) {
    const Vec mirrored = direction - normal * (2 * dot(direction, normal));
    const double fresnel = 0.05 + 0.6 * std::pow(1 - std::max(-dot(direction, normal), 0.0), 5);
    const double highlight = std::pow(std::max(dot(mirrored, sun), 0.0), 60) * lit * 0.9;
    color = color + (surroundings(mirrored) * (fresnel * open) + sun_color * highlight * 0.35) *
                        surface.gloss;
  }
  return color;
}

Vec render(double x, double y) {
  const Vec eye{0.1, 2.35, -6.9}, target{-0.05, 1.22, 0.3};
  const Vec forward = normalize(target - eye);
  const Vec right = normalize(cross({0, 1, 0}, forward)), up = cross(forward, right);
  const Vec direction = normalize(forward + right * (x * 0.345) + up * (y * 0.345));
  double distance = 2.5;
  const Hit hit = march(eye, direction, distance, 20);
  if (hit.thing == Thing::none) return {0.3, 0.3, 0.3};
  const Vec color = shade(eye + direction * distance, direction, hit.thing);
  return color * (1 - 0.16 * (x * x + y * y));  // corners darken a little, as through a lens
}

// Filmic curve (K. Narkowicz's fit of ACES), then sRGB's gamma.
double develop(double x) {
  x *= 0.52;
  x = std::clamp(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0.0, 1.0);
  return x <= 0.0031308 ? 12.92 * x : 1.055 * std::pow(x, 1 / 2.4) - 0.055;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s OUTPUT [SAMPLES]\n", argv[0]);
    return 2;
  }
  const int samples = argc > 2 ? std::max(std::atoi(argv[2]), 1) : 4;
  cv::Mat image(image_size, image_size, CV_8UC3);
  cv::parallel_for_({0, image_size}, [&](const cv::Range& rows) {
    for (int row = rows.start; row < rows.end; ++row) {
      for (int column = 0; column < image_size; ++column) {
        Vec sum;
        for (int i = 0; i < samples * samples; ++i) {
          const double dx = (i % samples + 0.5) / samples, dy = (i / samples + 0.5) / samples;
          const Vec color =
              render(2 * (column + dx) / image_size - 1, 1 - 2 * (row + dy) / image_size);
          // Developed before averaging, so that bright edges stay smooth.
          sum = sum + Vec{develop(color.x), develop(color.y), develop(color.z)};
        }
        sum = sum * (255.0 / (samples * samples));
        image.at<cv::Vec3b>(row, column) = {cv::saturate_cast<uint8_t>(sum.z),
                                            cv::saturate_cast<uint8_t>(sum.y),
                                            cv::saturate_cast<uint8_t>(sum.x)};
      }
    }
  });
  if (!cv::imwrite(argv[1], image, {cv::IMWRITE_JPEG_QUALITY, 93})) {
    std::fprintf(stderr, "cannot write %s\n", argv[1]);
    return 1;
  }
  return 0;
}
