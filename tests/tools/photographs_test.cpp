// Both experiments on real photographs, where the data are at hand.

#include <gtest/gtest.h>

#include "data/encode.h"
#include "data/folder.h"
#include "data/image.h"
#include "tests/source_folder.h"
#include "tests/tools/run_tool.h"

namespace gestalt::tests {
namespace {

namespace fs = std::filesystem;

fs::path photographs() {
  return test_data() / "fewshot/jeep";
}

// Mean absolute difference of two pictures of one size, in grey levels.
double difference(const data::Image& a, const data::Image& b) {
  double sum = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(a.pixels[i] - b.pixels[i]);
  return sum / static_cast<double>(a.pixels.size());
}

class Photographs : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!fs::exists(photographs())) GTEST_SKIP() << "no photographs at " << photographs();
    fs::create_directories(folder_ / "in");
    const fs::path photograph = data::list_images(photographs()).front();
    name_ = photograph.stem().string();
    fs::copy(photograph, folder_ / "in" / photograph.filename());
    original_ = data::decode_image(photograph);
  }

  data::Image run(const std::string& tool, const std::string& out, std::vector<std::string> more) {
    std::vector<std::string> arguments = {"-i",           (folder_ / "in").string(),
                                          "-o",           (folder_ / out).string(),
                                          "--image_size", "64",
                                          "--quiet",      "--device",
                                          "cpu"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ToolResult result = run_tool(tool, arguments);
    EXPECT_EQ(result.exit_code, 0) << result.output;
    return data::decode_image(folder_ / out / ("seed_0_" + name_ + ".jpg"));
  }

  TemporaryFolder folder_;
  std::string name_;
  data::Image original_;
};

// Activations hold where things are, Gram matrices do not: the visualization of all activations is
// near the photograph, the texture is not.
TEST_P(Photographs, VisualizationComesBackToThePhotographAndTextureDoesNot) {
  const std::vector<std::string> dtype = {"--dtype", GetParam()};
  std::vector<std::string> longer = dtype;
  longer.insert(longer.end(), {"--topk", "1.0", "-n", "2", "--iter", "12"});
  const data::Image seen = run("visualize_topk", "seen", longer);
  const data::Image texture = run("synthesize_texture", "texture", longer);
  ASSERT_EQ(seen.height, original_.height);
  ASSERT_EQ(texture.width, original_.width);
  EXPECT_LT(difference(seen, original_), 0.5 * difference(texture, original_));
}

INSTANTIATE_TEST_SUITE_P(dtypes, Photographs, testing::Values("f32", "bf16"),
                         [](const auto& info) { return std::string(info.param); });

TEST(ContactSheet, HasACellForEveryPicture) {
  const TemporaryFolder folder;
  data::save_image(folder / "a.png", data::Image(20, 30));
  const std::string picture = (folder / "a.png").string(), sheet = (folder / "sheet.png").string();
  const ToolResult good = run_tool(
      "contact_sheet", {"-o", sheet, "--columns", "one,two", "--rows", "row", picture, picture});
  ASSERT_EQ(good.exit_code, 0) << good.output;
  const data::Image drawn = data::decode_image(sheet);
  EXPECT_GT(drawn.width, 2 * 256);
  const ToolResult bad =
      run_tool("contact_sheet", {"-o", sheet, "--columns", "one,two", "--rows", "row", picture});
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_NE(bad.output.find("need 2 images, got 1"), std::string::npos) << bad.output;
}

}  // namespace
}  // namespace gestalt::tests
