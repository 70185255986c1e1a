// That text in figures has room: what it takes, where it is broken, and the scripts that result.

#include <cstdio>
#include <gtest/gtest.h>
#include <sstream>
#include <string>
#include <string_view>

#include "eval/figures.h"
#include "eval/gnuplot.h"
#include "eval/text.h"
#include "tests/eval/files.h"

namespace gestalt::eval {
namespace {

using Lines = std::vector<std::string>;

const std::string long_name = "AlexNet_untrained_features.12_reverse, Top-K 10 %";

TEST(FigureText, WidthsAreThoseOfAWideFont) {
  // DejaVu Sans at 72 points: "W" 0.989 inches, "@" 1; fixed-width fonts have 0.602 for any letter.
  EXPECT_DOUBLE_EQ(text_width("W", 72), 0.989);
  EXPECT_DOUBLE_EQ(text_width("@", 72), 1);
  EXPECT_DOUBLE_EQ(text_width("il", 72), 2 * 0.602);
  EXPECT_DOUBLE_EQ(text_width("\xE5\xBD\xA2", 72), 1);  // one ideograph, three bytes
  EXPECT_DOUBLE_EQ(text_width("WWW", 7), 3 * text_width("W", 7));
  EXPECT_EQ(text_width("", 7), 0);
}

TEST(FigureText, LinesBreakBetweenThePartsOfAName) {
  EXPECT_EQ(wrap(long_name, 1.63, 7),
            (Lines{"AlexNet_untrained_", "features.12_reverse,", "Top-K 10 %"}));
  EXPECT_EQ(wrap(long_name, 3, 7), Lines{long_name});
  EXPECT_EQ(wrap("ResNet50_layer3.0.downsample", 0.9, 7),
            (Lines{"ResNet50_", "layer3.0.", "downsample"}));
  EXPECT_EQ(wrap("a\nb", 3, 7), (Lines{"a", "b"}));
  EXPECT_EQ(wrap("", 3, 7), Lines{""});
}

TEST(FigureText, AWordBreaksWhereNoLineHoldsIt) {
  const double four = text_width("mmmm", 7) + 1e-9;
  EXPECT_EQ(wrap("mmmmmmmmm", four, 7), (Lines{"mmmm", "mmmm", "m"}));
  EXPECT_EQ(wrap("mm-mmmmmm", four, 7), (Lines{"mm-", "mmmm", "mm"}));
  EXPECT_EQ(wrap("mmm", 0, 7), (Lines{"m", "m", "m"}));
  const std::string letter = "\xC3\xBC";  // never within a letter's bytes
  EXPECT_EQ(wrap(letter + letter + letter, 2.1 * 7 / 72, 7), (Lines{letter + letter, letter}));
}

TEST(FigureText, NothingIsLostOrTooWide) {
  for (const double width : {0.2, 0.5, 1.0, 1.5, 2.5}) {
    for (const std::string& text : {long_name, std::string(60, 'W'), std::string("a _._ b..  c")}) {
      std::string joined, expected = text;
      for (const std::string& line : wrap(text, width, 7)) {
        EXPECT_LE(text_width(line, 7), width) << line;
        joined += line;
      }
      std::erase(joined, ' ');
      std::erase(expected, ' ');
      EXPECT_EQ(joined, expected);
    }
  }
}

TEST(FigureText, NumbersOfAnAxisHaveRoom) {
  EXPECT_EQ(fraction_step(2, 7), 0.2);
  EXPECT_EQ(fraction_step(1, 7), 0.5);
  EXPECT_EQ(fraction_step(2, 14), 0.5);
}

std::vector<LegendEntry> entries(const Lines& labels) {
  std::vector<LegendEntry> all;
  for (const std::string& label : labels) all.push_back({label, "#000000", 7});
  return all;
}

TEST(Legend, HasAsManyColumnsAsFit) {
  const FigureStyle style;
  const auto columns = [&](const Lines& labels, double width) {
    const Legend legend = lay_out_legend(entries(labels), width, 2, style);
    EXPECT_LE(legend.width, width);
    return 1 + (legend.places.back().left > 0);
  };
  EXPECT_EQ(columns({"Humans", "AlexNet", "AlexNet, Top-K 10 %", "VGG-16, Top-K 5 %"}, 3.15), 2);
  EXPECT_EQ(columns({"Humans", "AlexNet", "AlexNet_features.2, Top-K 10 %", "VGG-16"}, 3.15), 2);
  EXPECT_EQ(columns({"AlexNet_features.2, Top-K 10 %", "AlexNet_features.2, Top-K 20 %"}, 3.15), 1);
  EXPECT_EQ(columns({long_name, long_name, long_name}, 3.15), 1);
}

TEST(Legend, IsAsHighAsItsLines) {
  const FigureStyle style;
  const double line = line_height(style.font_size);
  const Legend two = lay_out_legend(entries({"a", "b", "c"}), 3, 2, style);
  EXPECT_DOUBLE_EQ(two.height, 2 * line);
  EXPECT_EQ(two.places[1].row, 1u);
  EXPECT_EQ(two.places[2].row, 0u);
  EXPECT_GT(two.places[2].left, two.places[0].left);

  const Legend broken = lay_out_legend(entries({long_name, long_name}), 1.63 + 0.12, 2, style);
  EXPECT_DOUBLE_EQ(broken.height, 6 * line);
  EXPECT_EQ(broken.places[1].row, 3u);
  EXPECT_LE(broken.width, 1.63 + 0.12);
}

// Observers with these names, each with the decisions of one of the fixture's.
Summary named(const Lines& names) {
  Observations observations = read_observations({tests::fixture_decisions()}, sixteen_categories());
  while (observations.groups.size() < names.size()) {
    observations.groups.push_back(observations.groups.front());
  }
  for (size_t i = 0; i < names.size(); ++i) observations.groups[i].name = names[i];
  return summarize(observations, sixteen_categories());
}

struct Canvas {
  double width, height;  // inches
};

Canvas canvas_of(const std::string& script) {
  Canvas canvas{};
  for (size_t at = script.find("size "); at != std::string::npos;
       at = script.find("size ", at + 1)) {
    const char* size = script.c_str() + at;
    if (std::sscanf(size, "size %lfin,%lfin", &canvas.width, &canvas.height) == 2) return canvas;
  }
  ADD_FAILURE() << "no size in " << script;
  return canvas;
}

// Every label of the script lies on the canvas from left to right; returns their texts.
std::string labels_within(const std::string& script, double font_size) {
  constexpr std::string_view begin = "set label \"", place = "\" at screen ";
  const Canvas canvas = canvas_of(script);
  std::string texts, line;
  for (std::istringstream lines(script); std::getline(lines, line);) {
    const size_t end = line.rfind(place);
    if (!line.starts_with(begin) || end == std::string::npos) continue;
    const std::string text = line.substr(begin.size(), end - begin.size());
    double x = 0, y = 0;
    char axis[16] = {}, side[16] = {};
    const char* where = line.c_str() + end + place.size();
    EXPECT_EQ(std::sscanf(where, "%lf, %15[a-z] %lf %15[a-z]", &x, axis, &y, side), 4) << line;
    const double width = text_width(text, font_size);
    double left = x * canvas.width;
    if (std::string_view(side) == "right") left -= width;
    if (std::string_view(side) == "center") left -= width / 2;
    EXPECT_GE(left, 0) << text;
    EXPECT_LE(left + width, canvas.width) << text;
    if (std::string_view(axis) == "screen") {
      y *= canvas.height;
      EXPECT_GE(y, line_height(font_size) / 3) << text;
      EXPECT_LE(y, canvas.height - line_height(font_size) / 3) << text;
    }
    texts += text;
  }
  std::erase(texts, ' ');
  return texts;
}

TEST(Figures, NoNameIsCut) {
  const std::string network = "AlexNet_untrained_features.12_reverse";
  const Summary summary =
      named({std::string(80, 'W'), network + "_normal", network + "_topK_10", "x"});
  for (const auto kind : {FigureKind::categories, FigureKind::box, FigureKind::ablation}) {
    for (const double font_size : {7.0, 12.0}) {
      for (const double width : {2.0, 3.5, 7.0}) {
        FigureStyle style = default_figure_style();
        style.font_size = font_size;
        style.width = width;
        const std::string script = figure_script(kind, summary, style, "f.pdf");
        const std::string texts = labels_within(script, font_size);
        EXPECT_NE(texts.find(network), std::string::npos) << script;
        if (kind == FigureKind::ablation) continue;  // others than networks are not in it
        EXPECT_NE(texts.find(network + ",Top-K10%"), std::string::npos) << script;
        EXPECT_NE(texts.find(std::string(80, 'W')), std::string::npos) << script;
      }
    }
  }
}

TEST(Figures, AnAxisKeepsItsRoomBesideLongNames) {
  const Summary summary = named({std::string(80, 'W'), long_name, "b", "c"});
  const std::string script =
      figure_script(FigureKind::box, summary, default_figure_style(), "f.pdf");
  const size_t margin = script.find("set lmargin at screen ");
  ASSERT_NE(margin, std::string::npos);
  double left = 0;
  ASSERT_EQ(std::sscanf(script.c_str() + margin, "set lmargin at screen %lf", &left), 1);
  EXPECT_LE(left, 0.5);
  EXPECT_DOUBLE_EQ(canvas_of(script).width, 3.5);
}

TEST(Figures, TwoNetworksStandSideBySideInTheAblation) {
  const auto canvas = [](const Lines& names) {
    return canvas_of(
        figure_script(FigureKind::ablation, named(names), default_figure_style(), "f.pdf"));
  };
  Lines names;
  Canvas before{0, 0};
  for (int network = 1; network <= 4; ++network) {
    for (const std::string sparsity : {"_normal", "_topK_10"}) {
      names.push_back(format("n{}{}", network, sparsity));
    }
    const Canvas now = canvas(names);
    EXPECT_DOUBLE_EQ(now.width, network == 1 ? 3.5 : 7);
    if (network == 3) {
      EXPECT_GT(now.height, 2 * before.height);
      EXPECT_LT(now.height, 2 * before.height + 0.5);
    } else if (network > 1) {
      EXPECT_DOUBLE_EQ(now.height, before.height);
    }
    before = now;
  }
}

// gnuplot's cairo terminals draw fonts for 96 dots an inch on a canvas of 72.
TEST(Figures, FontsAreAsLargeAsTheStyleSays) {
  const Summary summary = named({});
  const auto script = [&](const std::string& picture) {
    return figure_script(FigureKind::box, summary, default_figure_style(), picture);
  };
  EXPECT_NE(script("f.pdf").find("font \"sans-serif,7\" fontscale 0.75 "), std::string::npos);
  EXPECT_NE(script("f.png").find("font \"sans-serif,7\" fontscale 3.125 "), std::string::npos);
  EXPECT_NE(script("f.svg").find("font \"sans-serif,9.33"), std::string::npos);  // pixels of 1/96"
}

}  // namespace
}  // namespace gestalt::eval
