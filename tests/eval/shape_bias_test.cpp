#include "eval/shape_bias.h"

#include <cmath>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "eval/error_consistency.h"
#include "eval/statistics.h"
#include "eval/summary.h"
#include "tests/eval/files.h"

namespace gestalt::eval {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using tests::TemporaryFolder;
using tests::thrown_by;

constexpr double tolerance = 1e-12;

json summary_of(const std::vector<fs::path>& paths, StimulusSet stimuli = StimulusSet::all) {
  const Categories& categories = sixteen_categories();
  return to_json(summarize(read_observations(paths, categories, stimuli), categories));
}

void expect_same(const json& actual, const json& expected, const std::string& name) {
  for (const auto& [key, value] : expected.items()) {
    if (key == "ci95") {
      EXPECT_NEAR(actual[key][0], value[0], tolerance) << name;
      EXPECT_NEAR(actual[key][1], value[1], tolerance) << name;
    } else {
      EXPECT_NEAR(actual[key], value, tolerance) << name << " " << key;
    }
  }
}

TEST(ShapeBias, OfTheFixtureIsWhatItsScriptCounts) {
  const json expected = json::parse(tests::read_text(tests::fixture_decisions() / "expected.json"));
  const json summary = summary_of({tests::fixture_decisions()});
  EXPECT_EQ(summary["stimuli"], 64);
  EXPECT_EQ(summary["observers"].size(), 4u);
  EXPECT_TRUE(summary["left_out"].empty());
  for (const auto& [name, numbers] : expected["observers"].items()) {
    expect_same(summary["observers"][name], numbers, name);
  }
  for (const auto& [name, numbers] : expected["members"].items()) {
    expect_same(summary["observers"]["humans"]["members"][name], numbers, name);
  }
}

TEST(ErrorConsistency, OfTheFixtureIsWhatItsScriptCounts) {
  const json expected = json::parse(tests::read_text(tests::fixture_decisions() / "expected.json"));
  const json consistency = summary_of({tests::fixture_decisions()})["error_consistency"];
  ASSERT_EQ(consistency["pairs"].size(), expected["kappa"].size());
  for (const json& wanted : expected["kappa"]) {
    int found = 0;
    for (const json& pair : consistency["pairs"]) {
      const bool same = pair["a"] == wanted[0] && pair["b"] == wanted[1];
      const bool turned = pair["a"] == wanted[1] && pair["b"] == wanted[0];
      if (!same && !turned) continue;
      EXPECT_NEAR(pair["kappa"], wanted[2], tolerance) << wanted;
      EXPECT_EQ(pair["n"], 64);
      ++found;
    }
    EXPECT_EQ(found, 1) << wanted;
  }
  EXPECT_TRUE(consistency["mean_kappa"]["guesser"]["guesser"].is_null());
  EXPECT_EQ(consistency["mean_kappa"]["guesser"]["humans"],
            consistency["mean_kappa"]["humans"]["guesser"]);
}

// The table of the paper, recomputed from the published files.
TEST(ShapeBias, OfThePublishedDecisions) {
  const fs::path raw = tests::test_data() / "model-vs-human-raw";
  if (!fs::exists(raw)) GTEST_SKIP() << "no published decisions at " << raw;
  const Categories& categories = sixteen_categories();
  const Summary summary = summarize(read_observations({raw}, categories), categories);
  struct Published {
    const char *name, *shape_bias, *hit_rate;
  };
  for (const Published& published : {Published{"AlexNet_normal", "0.2394", "0.630"},
                                     {"AlexNet_topK_10", "0.7195", "0.321"},
                                     {"VGG_normal", "0.0795", "0.808"},
                                     {"VGG_topK_5", "0.5842", "0.337"},
                                     {"vit_large_patch16_224", "0.5381", "0.787"},
                                     {"clip", "0.5734", "0.709"},
                                     {"humans", "0.9587", "0.803"}}) {
    const auto group = std::find_if(
        summary.groups.begin(), summary.groups.end(),
        [&](const GroupSummary& each) { return each.name == std::string(published.name); });
    ASSERT_NE(group, summary.groups.end()) << published.name;
    const CueCounts& counts = group->bias.total;
    EXPECT_EQ(decimal_ratio(counts.shape, counts.hits(), 4), published.shape_bias)
        << published.name;
    EXPECT_EQ(decimal_ratio(counts.hits(), counts.n, 3), published.hit_rate) << published.name;
    EXPECT_EQ(counts.n, published.name == std::string(humans) ? 12000 : 1200);
  }
  EXPECT_EQ(summary.groups.size(), 7u);
  EXPECT_TRUE(warnings(summary).empty());
}

TEST(Statistics, WilsonInterval) {
  // Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
  struct Case {
    int64_t successes, trials;
    double low, high;
  };
  for (const Case& c : {Case{81, 263, .2553, .3662},
                        {15, 148, .0624, .1605},
                        {0, 20, 0, .1611},
                        {1, 29, .0061, .1718}}) {
    const Interval interval = wilson95(c.successes, c.trials);
    EXPECT_NEAR(interval.low, c.low, 5e-5);
    EXPECT_NEAR(interval.high, c.high, 5e-5);
  }
  EXPECT_EQ(wilson95(0, 0).low, 0);
  EXPECT_EQ(wilson95(0, 0).high, 1);
  EXPECT_EQ(wilson95(5, 5).high, 1);
}

TEST(Statistics, HalvesRoundAwayFromZero) {
  EXPECT_EQ(decimal_ratio(969, 1200, 3), "0.808");  // 0.8075, which a double holds as 0.80749...
  EXPECT_EQ(decimal_ratio(1, 16, 3), "0.063");
  EXPECT_EQ(decimal_ratio(7, 7, 4), "1.0000");
  EXPECT_EQ(decimal_ratio(0, 7, 2), "0.00");
  EXPECT_EQ(decimal_ratio(0, 0, 2), "-");
}

TEST(ErrorConsistency, OfThoseWhoNeverErrIs1) {
  std::vector<Decision> right(3);
  for (size_t i = 0; i < right.size(); ++i) {
    right[i].response = "cat";
    right[i].stimulus = {"cat" + std::to_string(i) + "-dog1", "cat", "dog"};
  }
  EXPECT_EQ(error_consistency(right, right).kappa, 1);
  std::vector<Decision> wrong = right;
  wrong[0].response = "dog";
  EXPECT_NEAR(error_consistency(wrong, wrong).kappa, 1, tolerance);
  EXPECT_NEAR(error_consistency(right, wrong).kappa, 0, tolerance);
  wrong[0].stimulus.name = "cat9-dog1";
  EXPECT_EQ(error_consistency(right, wrong).n, 2);
}

TEST(Summary, GuessingIsWarnedOf) {
  const Categories& categories = sixteen_categories();
  const auto lines =
      warnings(summarize(read_observations({tests::fixture_decisions()}, categories), categories));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0],
            "guesser: hit rate 0.146 is near chance (0.125); guesses have a shape bias of 0.5");
}

class Observations : public testing::Test {
 protected:
  // The fixture's file `name` without its last `rows` rows.
  std::string shortened(const std::string& name, int rows) {
    std::string text = tests::read_text(tests::fixture_decisions() / name);
    for (int i = 0; i < rows; ++i) text.erase(text.rfind('\n', text.size() - 2) + 1);
    return text;
  }
  const std::string normal_ = "cue-conflict_net-normal_session-1.csv";
  const std::string guesser_ = "cue-conflict_guesser_session-1.csv";
  TemporaryFolder folder_;
};

TEST_F(Observations, PartialMissingAndBrokenFilesAreLeftOutByName) {
  const fs::path partial = folder_.write("partial.csv", shortened(normal_, 10));
  const fs::path broken = folder_.write("broken.csv", "subj\nx\n");
  const json summary = summary_of(
      {partial, tests::fixture_decisions() / guesser_, broken, folder_.path() / "missing.csv"});
  EXPECT_EQ(summary["observers"].size(), 1u);
  ASSERT_EQ(summary["left_out"].size(), 3u);
  EXPECT_NE(std::string(summary["left_out"][0]["reason"]).find("broken.csv': missing columns"),
            std::string::npos);
  EXPECT_NE(std::string(summary["left_out"][1]["reason"]).find("missing.csv': no such file"),
            std::string::npos);
  EXPECT_NE(std::string(summary["left_out"][2]["reason"])
                .find("partial.csv': partial, 'net_normal' has 54 of the 64 stimuli"),
            std::string::npos);
}

TEST_F(Observations, CommonStimuliAreThoseThatAllSaw) {
  const fs::path partial = folder_.write("partial.csv", shortened(normal_, 10));
  const json summary =
      summary_of({partial, tests::fixture_decisions() / guesser_}, StimulusSet::common);
  EXPECT_EQ(summary["stimuli"], 54);
  EXPECT_EQ(summary["observers"]["guesser"]["n"], summary["observers"]["net_normal"]["n"]);
}

TEST_F(Observations, SessionsOfOneObserverAreOne) {
  const std::string whole = tests::read_text(tests::fixture_decisions() / normal_);
  const std::string first = shortened(normal_, 30);
  const std::string rest = whole.substr(0, whole.find('\n') + 1) + whole.substr(first.size());
  const json summary = summary_of({folder_.write("1.csv", first), folder_.write("2.csv", rest)});
  EXPECT_EQ(summary["stimuli"], 64);
  EXPECT_EQ(summary["observers"]["net_normal"]["shape"], 12);
  EXPECT_EQ(summary["observers"]["net_normal"]["files"].size(), 2u);
}

TEST_F(Observations, ACopyDoesNotCountTwice) {
  const fs::path original = tests::fixture_decisions() / normal_;
  const fs::path copy = folder_.write("copy.csv", tests::read_text(original));
  const json summary = summary_of({original, copy});
  EXPECT_EQ(summary["observers"]["net_normal"]["n"], 48);
  ASSERT_EQ(summary["left_out"].size(), 1u);
  EXPECT_NE(std::string(summary["left_out"][0]["reason"]).find("has been read from"),
            std::string::npos);
}

TEST_F(Observations, NothingLeftIsAnError) {
  EXPECT_NE(thrown_by([&] { summary_of({folder_.path()}); }).find("no .csv file"),
            std::string::npos);
  EXPECT_NE(thrown_by([&] { summary_of({folder_.path() / "x.csv"}); }).find("no such file"),
            std::string::npos);
}

}  // namespace
}  // namespace gestalt::eval
