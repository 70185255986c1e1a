#pragma once

// The convolutions of VGG-19 up to pool4, for an image of 256x256.

#include <array>
#include <cstdint>

namespace gestalt::bench {

struct VggLayer {
  const char* name;
  int64_t inputs, outputs, size;  // size of its input and output
  bool pool_after;
};

inline constexpr std::array<VggLayer, 12> vgg19_to_pool4 = {{
    {"conv1_1", 3, 64, 256, false},
    {"conv1_2", 64, 64, 256, true},
    {"conv2_1", 64, 128, 128, false},
    {"conv2_2", 128, 128, 128, true},
    {"conv3_1", 128, 256, 64, false},
    {"conv3_2", 256, 256, 64, false},
    {"conv3_3", 256, 256, 64, false},
    {"conv3_4", 256, 256, 64, true},
    {"conv4_1", 256, 512, 32, false},
    {"conv4_2", 512, 512, 32, false},
    {"conv4_3", 512, 512, 32, false},
    {"conv4_4", 512, 512, 32, true},
}};

}  // namespace gestalt::bench
