#include "eval/figures.h"

#include <gtest/gtest.h>
#include <set>

#include "eval/html.h"
#include "eval/report.h"
#include "eval/text.h"
#include "tests/eval/files.h"

namespace gestalt::eval {
namespace {

using tests::thrown_by;

Observations fixture() {
  return read_observations({tests::fixture_decisions()}, sixteen_categories());
}

TEST(Text, NumbersAreComparedByValue) {
  EXPECT_TRUE(natural_less("topK-5", "topK-10"));
  EXPECT_FALSE(natural_less("topK-10", "topK-5"));
  EXPECT_TRUE(natural_less("a2b10", "a2b11"));
  EXPECT_TRUE(natural_less("a", "a1"));
  EXPECT_FALSE(natural_less("a1", "a1"));
}

TEST(Html, Base64OfRfc4648) {
  const std::pair<const char*, const char*> cases[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [text, encoded] : cases) {
    EXPECT_EQ(data_uri("text/plain", std::string_view(text)),
              format("data:text/plain;base64,{}", encoded));
  }
  EXPECT_EQ(escape_html("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
}

TEST(FigureStyle, NamesOfSparseNetworks) {
  EXPECT_EQ(parse_sparse_name("VGG_topK_7.5").network, "VGG");
  EXPECT_EQ(parse_sparse_name("VGG_topK_7.5").percent, 7.5);
  EXPECT_EQ(parse_sparse_name("AlexNet_normal").percent, 100);
  EXPECT_EQ(parse_sparse_name("clip").percent, 0);
  for (const char* name : {"x_topK_many", "x_topK_nan", "x_topK_inf", "x_topK_-5", "x_topK_0x10",
                           "x_topK_0", "x_topK_101", "x_topK_"}) {
    EXPECT_EQ(parse_sparse_name(name).percent, 0) << name;
    EXPECT_EQ(parse_sparse_name(name).network, name);
  }
  EXPECT_EQ(readable_name("AlexNet_topK_10"), "AlexNet, Top-K 10 %");
}

TEST(FigureStyle, NoTwoObserversLookAlike) {
  std::vector<std::string> names = {"AlexNet_topK_5", "AlexNet_topK_10", "humans"};
  for (int i = 0; i < 40; ++i) names.push_back(format("network_{}", i));
  const auto styled = assign_styles(names, default_figure_style());
  ASSERT_EQ(styled.size(), names.size());
  EXPECT_EQ(styled[0].label, "Humans");
  EXPECT_EQ(styled[1].label, "AlexNet, Top-K 5 %");
  std::set<std::pair<std::string, int>> looks;
  for (const StyledObserver& each : styled) looks.emplace(each.color, each.point_type);
  EXPECT_EQ(looks.size(), names.size());
}

TEST(Figures, HoldTheFractionsSortedByPeople) {
  const Summary summary = summarize(fixture(), sixteen_categories());
  const std::string script =
      figure_script(FigureKind::categories, summary, default_figure_style(), "f.svg");
  // People lie on top: the last of four data blocks.
  const size_t begin = script.find("$categories_3 << EOD\n");
  ASSERT_NE(begin, std::string::npos);
  std::istringstream lines(script.substr(script.find('\n', begin)));
  double x, row, previous = 1, expected_row = 16;
  while (lines >> x >> row) {
    EXPECT_LE(x, previous);
    EXPECT_EQ(row, expected_row--);
    previous = x;
  }
  EXPECT_EQ(expected_row, 0);
  EXPECT_NE(script.find("set terminal svg"), std::string::npos);
  EXPECT_NE(script.find("\"net, Top-K 10 %\""), std::string::npos);
}

TEST(Figures, OtherExtensionsAreRefused) {
  const Summary summary = summarize(fixture(), sixteen_categories());
  EXPECT_EQ(
      thrown_by([&] { figure_script(FigureKind::box, summary, default_figure_style(), "f.jpg"); }),
      "a figure is .svg, .png or .pdf, not '.jpg'");
}

TEST(Report, ExamplesAreThoseWithTheMostDifferentAnswers) {
  const Observations observations = fixture();
  std::vector<std::string> names = {"no-stimulus"};
  for (const Decision& decision : observations.find("guesser")->members[0].decisions) {
    names.push_back(decision.stimulus.name);
  }
  const std::vector<Stimulus> examples = choose_examples(observations, names, 5);
  ASSERT_EQ(examples.size(), 5u);
  std::set<std::string> shapes;
  for (const Stimulus& example : examples) {
    shapes.insert(example.shape);
    EXPECT_TRUE(example.has_conflict()) << example.name;
  }
  EXPECT_EQ(shapes.size(), 5u);
  EXPECT_TRUE(choose_examples(observations, {"no-stimulus"}, 5).empty());
}

}  // namespace
}  // namespace gestalt::eval
