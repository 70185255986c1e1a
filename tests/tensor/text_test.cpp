// Tensors as text.

#include "tensor/text.h"

#include <gtest/gtest.h>
#include <limits>

#include "tensor/ops/shape.h"

namespace gestalt {
namespace {

TEST(Text, ShowsValuesInLogicalOrder) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor x = Tensor::from_vector<float>({0, 0.5, 1, -1, float(nan), 2e10f}, {2, 3});
  EXPECT_EQ(to_text(x), "f32[2,3]\n[[0, 0.5, 1],\n [-1, nan, 2e+10]]");
  EXPECT_EQ(to_text(transpose(x, 0, 1)), "f32[3,2]\n[[0, -1],\n [0.5, nan],\n [1, 2e+10]]");
  EXPECT_EQ(to_text(Tensor::ones({2, 1, 2})), "f32[2,1,2]\n[[[1, 1]],\n\n [[1, 1]]]");
}

TEST(Text, ShowsScalarsIntegersAndNothing) {
  EXPECT_EQ(to_text(Tensor::full({}, 2.5)), "f32[]\n2.5");
  const int64_t most = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(to_text(Tensor::from_vector<int64_t>({most}, {1})), "i64[1]\n[9223372036854775807]");
  EXPECT_EQ(to_text(Tensor::ones({2, 0})), "f32[2,0]\n[[],\n []]");
  EXPECT_EQ(to_text({}), "undefined");
}

TEST(Text, LeavesOutTheMiddleOfWhatIsLong) {
  std::vector<float> values(2000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const Tensor x = Tensor::from_vector(values, {2, 1000});
  EXPECT_EQ(
      to_text(x),
      "f32[2,1000]\n[[0, 1, 2, ..., 997, 998, 999],\n [1000, 1001, 1002, ..., 1997, 1998, 1999]]");
  EXPECT_EQ(to_text(narrow(x, 1, 0, 3), {.most_elements = 2, .at_each_end = 1}),
            "f32[2,3]\n[[0, 1, 2],\n [1000, 1001, 1002]]");
}

}  // namespace
}  // namespace gestalt
