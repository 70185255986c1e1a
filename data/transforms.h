#pragma once

// What happens to an image between its file and the batch, as torchvision's transforms do it with
// Pillow images: crops, antialiased resizing (data/resample.h), padding, mirroring; then ToTensor
// and Normalize.
//
// A Transform says from the image's size alone which pixels go where (Geometry), so that only they
// are decoded (OpenedImage::decode); `apply` does the rest. Given the same boxes, the bytes are
// those of torchvision with Pillow (tests/fixtures/transforms).

#include <array>
#include <cstdint>
#include <functional>

#include "data/opened_image.h"
#include "tensor/random.h"

namespace gestalt::data {

// In this order:
struct Geometry {
  Rectangle part;                             // 1. this part of the image, cut out first,
  int resized_height = 0, resized_width = 0;  // 2. is resized to this;
  int window_left = 0, window_top = 0;        // 3. a window of the output's size is taken, black
  int output_height = 0, output_width = 0;    //    where it reaches outside;
  bool flip = false;                          // 4. mirrored left to right
  Filter filter = Filter::bilinear;
};

struct Transform {
  int height = 0, width = 0;  // of every output: what plan gives; the loader throws otherwise
  std::function<Geometry(int height, int width, Generator& random)> plan;
};

// RandomResizedCrop(size, scale, ratio), then RandomHorizontalFlip(flip).
struct TrainTransform {
  int size = 224;
  std::array<double, 2> scale = {0.08, 1};           // of the area
  std::array<double, 2> ratio = {3.0 / 4, 4.0 / 3};  // width / height, log-uniform
  double flip = 0.5;                                 // probability
  Filter filter = Filter::bilinear;
};
Transform train_transform(const TrainTransform& options = {});

// What torchvision's networks take: of 256 pixels the central 224.
constexpr int resize_before_crop(int crop) {
  return crop * 256 / 224;
}

// Resize(resize) of the shorter side, then CenterCrop(crop).
struct EvaluationTransform {
  int resize = 256;  // 0: as it is
  int crop = 224;
  Filter filter = Filter::bilinear;
};
Transform evaluation_transform(const EvaluationTransform& options = {});

// Resize((resize, resize)), then RandomCrop(crop), then RandomHorizontalFlip(flip).
struct SquareTransform {
  int resize = 256;
  int crop = 0;  // 0: all of it
  double flip = 0;
  Filter filter = Filter::bilinear;
};
Transform square_transform(const SquareTransform& options = {});

// The pieces, for transforms of one's own: each changes what an earlier one said.
Geometry whole_image(int height, int width);  // as it is
// RandomResizedCrop.get_params: sets the part.
Geometry random_resized_crop(int height, int width, const TrainTransform& options,
                             Generator& random);
void resize_to(Geometry& geometry, int height, int width);
// Resize(size): the shorter side becomes `size`, the longer is truncated to an integer. Error:
// which an int can't hold.
void resize_shorter_side(Geometry& geometry, int size);
// CenterCrop((height, width)) of what is resized.
void center_crop(Geometry& geometry, int height, int width);

// x / 255, minus mean, divided by deviation, each rounded to f32, as ToTensor and Normalize do.
struct Normalization {
  std::array<float, 3> mean = {0.485f, 0.456f, 0.406f};  // ImageNet's, R, G, B
  std::array<float, 3> deviation = {0.229f, 0.224f, 0.225f};
};
inline constexpr Normalization unit_range = {{0, 0, 0}, {1, 1, 1}};  // to [0, 1]

// Steps 2 to 4 on the part that step 1 cut out, RGB, to planes R, G, B of output_height *
// output_width.
void apply(const Geometry& geometry, const DecodedPart& part, uint8_t* planes);
// The same, normalized.
void apply(const Geometry& geometry, const DecodedPart& part, const Normalization& normalization,
           float* planes);

// The same as an image.
Image render(const Geometry& geometry, const DecodedPart& part);

// u8[N,3,H,W] to f32 on its device: what the second `apply` gives.
Tensor normalize(const Tensor& images, const Normalization& normalization);

}  // namespace gestalt::data
