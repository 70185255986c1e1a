#include "eval/figures.h"

#include <algorithm>
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

// The fixture's net_normal and net_topK_10 under other names, and all who are not `net`.
Summary renamed(const std::string& normal, const std::string& sparse) {
  Observations observations = fixture();
  for (ObserverGroup& group : observations.groups) {
    if (group.name == "net_normal") group.name = normal;
    if (group.name == "net_topK_10") group.name = sparse;
  }
  return summarize(observations, sixteen_categories());
}

// Percentages of the curve of the first network.
std::vector<double> kept(const Summary& summary) {
  const std::string script =
      figure_script(FigureKind::ablation, summary, default_figure_style(), "f.svg");
  EXPECT_EQ(script.find("$curve_network_1"), std::string::npos);
  std::istringstream lines(script.substr(script.find("$curve_network_0 << EOD")));
  std::string line;
  std::getline(lines, line);
  std::vector<double> percents;
  while (std::getline(lines, line) && line != "EOD") percents.push_back(std::stod(line));
  return percents;
}

// Names as evaluate gives them: with all kept there is neither layer nor mode.
TEST(Figures, AllKeptStandsInTheAblationOfLayersAndModesToo) {
  for (const char* sparse : {"net_topK_10", "net_features.2_topK_10",
                             "net_features.2+features.5_mean_replace_topK_10"}) {
    EXPECT_EQ(kept(renamed("net_normal", sparse)), (std::vector<double>{100, 10})) << sparse;
  }
  EXPECT_EQ(kept(renamed("net_normal", "net_reverse_topK_10")), (std::vector<double>{100, 90}));
  EXPECT_EQ(kept(renamed("net_untrained_normal", "net_untrained_layer1_topK_10")),
            (std::vector<double>{100, 10}));
  for (const char* other : {"network_topK_10", "net_untrained_topK_10", "guest_topK_10"}) {
    EXPECT_FALSE(has_sparsities(renamed("net_normal", other))) << other;
  }
}

// A network's own is not that of a shorter name.
TEST(Figures, AllKeptIsLentByTheNearestName) {
  Observations observations = fixture();
  const auto copy_as = [&](const std::string& from, const std::string& name) {
    ObserverGroup group = *observations.find(from);
    group.name = name;
    observations.groups.push_back(group);
  };
  copy_as("net_topK_10", "net_b_layer1_topK_10");
  copy_as("guesser", "net_b_normal");
  std::erase_if(observations.groups,
                [](const ObserverGroup& group) { return group.name == "net_topK_10"; });
  const Summary summary = summarize(observations, sixteen_categories());
  EXPECT_EQ(kept(summary), (std::vector<double>{100, 10}));
  const auto group = std::find_if(summary.groups.begin(), summary.groups.end(),
                                  [](const auto& each) { return each.name == "net_b_normal"; });
  const CueCounts& counts = group->bias.total;
  const std::string script =
      figure_script(FigureKind::ablation, summary, default_figure_style(), "f.svg");
  EXPECT_NE(script.find(format("\n100 {} ", static_cast<double>(counts.shape) /
                                                static_cast<double>(counts.hits()))),
            std::string::npos);
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
