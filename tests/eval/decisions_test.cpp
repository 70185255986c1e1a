#include "eval/decisions.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/eval/files.h"

namespace gestalt::eval {
namespace {

namespace fs = std::filesystem;
using tests::TemporaryFolder;
using tests::thrown_by;

const std::string header = "subj,session,trial,rt,object_response,category,condition,imagename\n";

TEST(Categories, AreThePublishedOnes) {
  const Categories& categories = sixteen_categories();
  EXPECT_EQ(categories.size(), 16u);
  EXPECT_EQ(categories.all().front().name, "airplane");
  EXPECT_EQ(categories.index_of("truck"), 15u);
  size_t classes = 0;
  for (const Category& category : categories.all()) classes += category.classes.size();
  EXPECT_EQ(classes, 207u);

  const fs::path path = tests::test_data() / "categories16.json";
  if (!fs::exists(path)) GTEST_SKIP() << "no published list at " << path;
  const Categories published = read_categories(path);
  ASSERT_EQ(published.size(), categories.size());
  for (size_t i = 0; i < categories.size(); ++i) {
    EXPECT_EQ(published.name(i), categories.name(i));
    EXPECT_EQ(published.all()[i].classes, categories.all()[i].classes) << categories.name(i);
  }
}

TEST(Categories, BadFilesAreNamed) {
  const TemporaryFolder folder;
  const auto message = [&](const std::string& text) {
    const fs::path path = folder.write("c.json", text);
    return thrown_by([&] { read_categories(path); });
  };
  EXPECT_NE(message("{").find("c.json': "), std::string::npos);
  EXPECT_NE(message("[1]").find("expected {\"category\""), std::string::npos);
  EXPECT_NE(message("{}").find("no categories"), std::string::npos);
  EXPECT_NE(message("{\"cat\": []}").find("category 'cat' has no classes"), std::string::npos);
  EXPECT_NE(message("{\"cat\": [-1]}").find("class -1"), std::string::npos);
  EXPECT_NE(message("{\"cat\": \"x\"}").find("c.json': "), std::string::npos);
  EXPECT_NE(thrown_by([] { read_categories("/no/such.json"); }).find("/no/such.json"),
            std::string::npos);
}

TEST(Stimulus, OfNetworksAndPeopleHasOneName) {
  const Categories& categories = sixteen_categories();
  const Stimulus network = parse_stimulus("bird3-bear2.png", categories);
  EXPECT_EQ(network.name, "bird3-bear2");
  EXPECT_EQ(network.shape, "bird");
  EXPECT_EQ(network.texture, "bear");
  EXPECT_TRUE(network.has_conflict());
  const Stimulus person = parse_stimulus("0002_s5n_s01_0_bird_00_bird10-bird2.png", categories);
  EXPECT_EQ(person.name, "bird10-bird2");
  EXPECT_FALSE(person.has_conflict());
}

TEST(Stimulus, OfOtherCategories) {
  const Categories categories({{"light", {0}}, {"traffic_light", {1}}, {"dog", {2}}});
  EXPECT_EQ(parse_stimulus("traffic_light12-dog.jpg", categories).shape, "traffic_light");
  EXPECT_EQ(parse_stimulus("0001_s_light_00_light1-dog3.jpg", categories).name, "light1-dog3");
}

TEST(Stimulus, BadNamesAreNamed) {
  const Categories& categories = sixteen_categories();
  EXPECT_EQ(thrown_by([&] { parse_stimulus("holiday.png", categories); }),
            "image name 'holiday.png' is not {shape}{i}-{texture}{j}");
  EXPECT_EQ(thrown_by([&] { parse_stimulus("zebra1-cat2.png", categories); }),
            "image name 'zebra1-cat2.png': unknown shape category 'zebra'");
  EXPECT_EQ(thrown_by([&] { parse_stimulus("cat1-zebra2.png", categories); }),
            "image name 'cat1-zebra2.png': unknown texture category 'zebra'");
  EXPECT_NE(thrown_by([&] { parse_stimulus("wildcat1-dog2.png", categories); }).find("'wildcat'"),
            std::string::npos);
}

TEST(Decisions, AreWrittenAsTheyWerePublished) {
  const TemporaryFolder folder;
  for (const char* name :
       {"cue-conflict_net-normal_session-1.csv", "cue-conflict_guesser_session-1.csv"}) {
    const fs::path path = tests::fixture_decisions() / name;
    const auto decisions = read_decisions(path, sixteen_categories());
    EXPECT_EQ(decisions.size(), 64u);
    write_decisions(folder.path() / name, decisions);
    EXPECT_EQ(tests::read_text(folder.path() / name), tests::read_text(path));
  }
}

TEST(Decisions, PublishedFilesOfNetworksComeBackToTheByte) {
  const fs::path raw = tests::test_data() / "model-vs-human-raw";
  if (!fs::exists(raw)) GTEST_SKIP() << "no published decisions at " << raw;
  const TemporaryFolder folder;
  int files = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(raw)) {
    const auto decisions = read_decisions(entry.path(), sixteen_categories());
    EXPECT_EQ(decisions.size(), 1280u) << entry.path();
    if (decisions.front().subject.starts_with("subject-")) continue;  // these end their lines in LF
    write_decisions(folder.path() / "copy.csv", decisions);
    EXPECT_EQ(tests::read_text(folder.path() / "copy.csv"), tests::read_text(entry.path()));
    ++files;
  }
  EXPECT_GE(files, 6);
}

TEST(Decisions, ColumnsComeInAnyOrderAmongOthers) {
  const TemporaryFolder folder;
  const fs::path path =
      folder.write("order.csv",
                   "imagename,extra,subj,session,trial,rt,category,object_response,condition\r\n"
                   "cat1-dog2.png,?,\"a, b\",1,1,NaN,cat,dog,NaN\r\n");
  const auto decisions = read_decisions(path, sixteen_categories());
  ASSERT_EQ(decisions.size(), 1u);
  EXPECT_EQ(decisions[0].subject, "a, b");
  EXPECT_EQ(decisions[0].response, "dog");
  EXPECT_EQ(decisions[0].stimulus.name, "cat1-dog2");
}

TEST(Decisions, BadFilesAreNamedWithLineAndReason) {
  const TemporaryFolder folder;
  const std::string good = "x,1,1,NaN,cat,cat,NaN,cat1-dog1.png\n";
  const auto reason = [&](const std::string& text) {
    const fs::path path = folder.write("bad.csv", text);
    const std::string message = thrown_by([&] { read_decisions(path, sixteen_categories()); });
    const std::string start = format("cannot read '{}': ", path.string());
    EXPECT_TRUE(message.starts_with(start)) << message;
    return message.substr(start.size());
  };
  EXPECT_EQ(
      reason("subj,session,trial,category,condition,imagename\nx,1,1,cat,NaN,cat1-dog1.png\n"),
      "missing columns: rt, object_response");
  EXPECT_EQ(reason("\n"), "the file is empty");
  EXPECT_EQ(reason(header), "there are no decisions below the header");
  EXPECT_EQ(reason(header + good + "x,1,2,NaN,ca"), "line 3: 5 fields, the header has 8");
  EXPECT_EQ(reason(header + "x,1,1,NaN,zebra,cat,NaN,cat1-dog1.png\n"),
            "line 2: unknown response 'zebra'");
  EXPECT_EQ(reason(header + "x,1,1,NaN,cat,zebra,NaN,cat1-dog1.png\n"),
            "line 2: unknown category 'zebra'");
  EXPECT_EQ(reason(header + "x,1,1,NaN,cat,dog,NaN,cat1-dog1.png\n"),
            "line 2: category 'dog', but the shape of 'cat1-dog1.png' is 'cat'");
  EXPECT_EQ(reason(header + good + good), "line 3: stimulus 'cat1-dog1' for the second time");
  EXPECT_NE(thrown_by([&] {
              read_decisions(folder.path() / "none.csv", sixteen_categories());
            }).find("none.csv': no such file"),
            std::string::npos);
}

}  // namespace
}  // namespace gestalt::eval
