// The curves of a training: the scripts, and what gnuplot makes of them.

#include <algorithm>
#include <gtest/gtest.h>

#include "data/image.h"
#include "tests/temporary_folder.h"
#include "tests/tools/run_tool.h"
#include "tools/common/metrics.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;
using tests::read_text;
using tests::TemporaryFolder;

// What stands ahead of each plot, from the plot before on.
std::vector<std::string> panels_of(const std::string& script) {
  std::vector<std::string> panels;
  size_t begin = script.find("set multiplot");
  for (size_t end = script.find("\nplot ", begin); end != std::string::npos;
       end = script.find("\nplot ", begin)) {
    panels.push_back(script.substr(begin, end - begin));
    begin = end + 1;
  }
  return panels;
}

TEST(Curves, NoPanelHasTheSettingsOfAnother) {
  const TemporaryFolder folder;
  Metrics metrics({"step", "a", "b"});
  metrics.add({1, 0.5, 0.01});
  metrics.add({2, 0.3, 0.02});
  metrics.write_csv(folder / "metrics.csv");
  draw_curves(folder.path(), metrics,
              {{"first", {{"a", "a"}}, "set logscale y"}, {"second", {{"b", "b"}}, ""}});
  const std::vector<std::string> panels = panels_of(read_text(folder / "curves.gp"));
  ASSERT_EQ(panels.size(), 2u);
  const size_t fresh = panels[0].find("unset logscale"), own = panels[0].find("\nset logscale y");
  ASSERT_NE(fresh, std::string::npos);
  ASSERT_NE(own, std::string::npos);
  EXPECT_LT(fresh, own);
  EXPECT_EQ(panels[1].find("\nset logscale"), std::string::npos);
  for (const char* setting : {"unset logscale", "set autoscale", "set format"}) {
    EXPECT_NE(panels[1].find(setting), std::string::npos) << setting;
  }
}

// On the right, where the accuracies are, [0:1] is linear: its lowest tenth holds what is below.
TEST(Curves, SmallNumbersAreDrawnBesideALogarithmicPanel) {
  if (std::system("gnuplot --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no gnuplot";
  const TemporaryFolder folder;
  Metrics metrics({"epoch", "loss", "accuracy"});
  metrics.add({1, 7, 0.01});
  metrics.add({2, 6, 0.03});
  metrics.add({3, 5, 0.02});
  metrics.write_csv(folder / "metrics.csv");
  draw_curves(folder.path(), metrics,
              {{"cross-entropy", {{"loss", "train"}}, "set logscale y"},
               {"accuracy", {{"accuracy", "train"}}, "set yrange [0:1]"}});
  const data::Image picture = data::decode_image(folder / "curves.png");
  ASSERT_EQ(picture.width, 1100);
  int64_t coloured = 0;
  // Below the legend, whose lines have the curves' colours.
  for (int y = picture.height / 2; y < picture.height; ++y) {
    for (int x = picture.width / 2; x < picture.width; ++x) {
      const uint8_t* pixel = &picture.pixels[3 * static_cast<size_t>(y * picture.width + x)];
      const auto [low, high] = std::minmax({pixel[0], pixel[1], pixel[2]});
      coloured += high - low > 60;
    }
  }
  EXPECT_GT(coloured, 300);
}

}  // namespace
}  // namespace gestalt::tools
