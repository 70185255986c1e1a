#include "data/preprocess.h"

#include <algorithm>
#include <utility>

#include "kernels/error.h"

namespace gestalt::data {
namespace {

constexpr float mean_bgr[3] = {0.40760392f, 0.45795686f, 0.48501961f};

}  // namespace

Tensor to_texture_input(const Image& image) {
  GESTALT_CHECK(image.channels == 3, "[to_texture_input] expected 3 channels, got {}",
                image.channels);
  const int64_t pixels = static_cast<int64_t>(image.height) * image.width;
  std::vector<float> values(3 * pixels);
  for (int c = 0; c < 3; ++c) {
    for (int64_t i = 0; i < pixels; ++i) {
      const float unit = static_cast<float>(image.pixels[3 * i + 2 - c]) / 255.0f;
      values[c * pixels + i] = (unit - mean_bgr[c]) * 255.0f;
    }
  }
  return Tensor::from_vector(values, {1, 3, image.height, image.width}, {.device = Device{}});
}

std::vector<float> from_texture_input(const Tensor& input) {
  GESTALT_CHECK(input.rank() == 4 && input.size(0) == 1 && input.size(1) == 3,
                "[from_texture_input] expected [1,3,H,W], got {}", input);
  const std::vector<float> values = input.to_vector<float>();
  const size_t pixels = values.size() / 3;
  std::vector<float> planes(values.size());
  for (int c = 0; c < 3; ++c) {
    for (size_t i = 0; i < pixels; ++i) {
      planes[(2 - c) * pixels + i] = values[c * pixels + i] / 255.0f + mean_bgr[c];
    }
  }
  return planes;
}

Image planes_to_image(const std::vector<float>& planes, int height, int width, float white) {
  Image image(height, width);
  const size_t pixels = static_cast<size_t>(height) * width;
  GESTALT_CHECK(planes.size() == 3 * pixels, "[planes_to_image] {} values for {} x {}",
                planes.size(), height, width);
  for (int c = 0; c < 3; ++c) {
    for (size_t i = 0; i < pixels; ++i) {
      const float value = std::clamp(planes[c * pixels + i], 0.0f, white) * (255.0f / white);
      image.pixels[3 * i + c] = static_cast<uint8_t>(value);
    }
  }
  return image;
}

Tensor to_unit_tensor(const ImageView& image) {
  GESTALT_CHECK(image.channels == 3, "[to_unit_tensor] expected 3 channels, got {}",
                image.channels);
  Tensor result = Tensor::empty({1, 3, image.height, image.width}, {.device = Device{}});
  float* planes = result.data<float>();
  const size_t plane = static_cast<size_t>(image.height) * image.width;
  for (int y = 0; y < image.height; ++y) {
    const uint8_t* row = image.row(y);
    float* to = planes + static_cast<size_t>(y) * image.width;
    for (int x = 0; x < image.width; ++x) {
      for (size_t c = 0; c < 3; ++c) {
        to[c * plane + x] = static_cast<float>(row[3 * x + c]) / 255.0f;
      }
    }
  }
  return result;
}

Image from_unit_tensor(const Tensor& image) {
  GESTALT_CHECK(image.rank() == 4 && image.size(0) == 1 && image.size(1) == 3,
                "[from_unit_tensor] expected [1,3,H,W], got {}", image);
  return std::move(from_unit_tensors(image)[0]);
}

std::vector<Image> from_unit_tensors(const Tensor& images) {
  GESTALT_CHECK(images.rank() == 4 && images.size(1) == 3,
                "[from_unit_tensors] expected [N,3,H,W], got {}", images);
  const Tensor here = images.detach().to(Device{}).contiguous();
  const float* planes = here.data<float>();
  std::vector<Image> result;
  for (int64_t n = 0; n < images.size(0); ++n) {
    Image& image =
        result.emplace_back(static_cast<int>(images.size(2)), static_cast<int>(images.size(3)));
    const size_t plane = static_cast<size_t>(image.height) * image.width;
    for (size_t c = 0; c < 3; ++c, planes += plane) {
      for (size_t i = 0; i < plane; ++i) {
        const float value = std::clamp(planes[i] * 255.0f + 0.5f, 0.0f, 255.0f);
        image.pixels[3 * i + c] = static_cast<uint8_t>(value);
      }
    }
  }
  return result;
}

}  // namespace gestalt::data
