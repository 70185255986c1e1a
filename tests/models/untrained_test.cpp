// Networks without training are the same on every machine: results of one can be compared with
// those of another.

#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "models/adain.h"
#include "models/inception.h"
#include "models/vgg.h"
#include "tensor/context.h"
#include "tests/cuda_device.h"

namespace gestalt::models {
namespace {

struct Values {
  std::string name;
  std::vector<float> values;
  bool operator==(const Values&) const = default;
};

std::vector<Values> values_of(const nn::Module& network) {
  std::vector<Values> all;
  for (const NamedTensor& entry : network.state_dict()) {
    EXPECT_EQ(entry.tensor.device(), Device{}) << entry.name;
    all.push_back({entry.name, entry.tensor.to_vector<float>()});
  }
  return all;
}

class Untrained : public testing::TestWithParam<DeviceType> {
 protected:
  void SetUp() override { GESTALT_NEEDS_DEVICE(device_); }
  void TearDown() override { set_default_device(Device{}); }

  // With the device as the default and in exact mode the weights are those of the CPU without.
  void expect_same(const std::function<std::vector<Values>()>& make) const {
    const std::vector<Values> expected = make();
    set_default_device(device_);
    const ExactGuard on_device(device_, true), on_cpu(Device{}, true);
    const std::vector<Values> values = make();
    ASSERT_EQ(values.size(), expected.size());
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_TRUE(values[i] == expected[i]) << expected[i].name;
    }
    EXPECT_TRUE(context(Device{}).exact()) << "it is the caller's again";
  }

  const Device device_{GetParam(), 0};
};

TEST_P(Untrained, VggIsTheSame) {
  expect_same([] {
    Generator generator(1);
    const auto network = make_vgg_features(11, VggNorm::none, generator);
    init_well_scaled(*network, generator);
    return values_of(*network);
  });
}

TEST_P(Untrained, AdainsEncoderIsTheSame) {
  expect_same([] {
    Generator generator(1);
    const auto network = make_adain_encoder(generator);
    init_untrained_encoder(*network, generator);
    return values_of(*network);
  });
}

TEST_P(Untrained, InceptionIsTheSame) {
  expect_same([] {
    Generator generator(1);
    Inception network(generator);
    init_untrained_inception(network, generator);
    return values_of(network);
  });
}

INSTANTIATE_TEST_SUITE_P(Devices, Untrained, testing::Values(DeviceType::cpu, DeviceType::cuda),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace gestalt::models
