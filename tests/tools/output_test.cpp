// What the tools share about their outputs: folders, inputs that stay, tables, hashes; in this
// process.

#include "tools/common/output.h"

#include <cmath>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "data/dataset.h"
#include "data/packed.h"
#include "tensor/counted.h"
#include "tensor/io/known_files.h"
#include "tests/error_of.h"
#include "tests/tools/hashes.h"
#include "tests/tools/run_tool.h"
#include "tools/common/config.h"
#include "tools/common/file_hash.h"
#include "tools/common/image_hash.h"
#include "tools/common/metrics.h"
#include "tools/common/tool.h"
#include "tools/common/utf8.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

using tests::error_of;

// Its checkpoint could not be resumed beside another tool's config.json.
TEST(OutputFolder, OfATrainingIsNotAnothersToolsOutput) {
  const tests::TemporaryFolder folder;
  write_config(folder.path(), "train_classifier", {{"lr", 1}});
  EXPECT_PRED_FORMAT2(testing::IsSubstring, "is the folder of a run of train_classifier",
                      error_of([&] { prepare_output_folder(folder.path(), "visualize_topk"); }));
  EXPECT_NO_THROW(prepare_output_folder(folder.path(), "train_classifier"));
  write_config(folder.path(), "visualize_topk", {{"topk", 1}});
  EXPECT_NO_THROW(prepare_output_folder(folder.path(), "synthesize_texture"));
}

TEST(OutputFolder, WithAConfigOfTheUsersOwnIsRefused) {
  const tests::TemporaryFolder folder;
  const fs::path config = folder / "config.json";
  const auto refusal = [&] {
    return error_of([&] { prepare_output_folder(folder.path(), "visualize_topk"); });
  };
  for (const std::string text :
       {"", "{", "[1]", R"({"model_type": "vit"})", R"({"tool": 1, "settings": {}})",
        R"({"tool": "visualize_topk", "settings": 1})"}) {
    write_text(config, text);
    EXPECT_EQ(refusal(), "'" + config.string() + "' is not of these tools: give another --output");
    EXPECT_EQ(tests::read_text(config), text);
  }
  write_config(folder.path(), "visualize_topk", {{"topk", 1}});
  EXPECT_EQ(refusal(), "");
}

class Output : public testing::Test {
 protected:
  const tests::TemporaryFolder folder_;
};

TEST_F(Output, AnOutputIsNotItsOwnInputByAnyName) {
  const fs::path file = folder_ / "file";
  std::ofstream(file) << "weights";
  fs::create_symlink(file, folder_ / "symlink");
  fs::create_hard_link(file, folder_ / "hard_link");
  std::ofstream(folder_ / "copy") << "weights";
  const std::string other_spelling =
      folder_.path().string() + "/../" + folder_.path().filename().string() + "/./file";
  for (const fs::path& name : std::vector<fs::path>{folder_ / "file", folder_ / "symlink",
                                                    folder_ / "hard_link", other_spelling}) {
    EXPECT_THROW(check_not_input(name, file), UsageError) << name;
    EXPECT_THROW(check_not_input(file, name), UsageError) << name;
  }
  EXPECT_NO_THROW(check_not_input(folder_ / "copy", file));
  EXPECT_NO_THROW(check_not_input(folder_ / "new", file));
}

// By the checksums in it, without reading the pixels.
TEST_F(Output, APackedSetIsKnownByItsChecksums) {
  GESTALT_NEEDS_HASHES();
  const fs::path path = folder_ / "set.packed";
  const auto pack = [&](const std::string& second, uint8_t value) {
    data::PackWriter writer(path, {});
    data::Image image(4, 4);
    writer.add("1.png", 0, image);
    image.pixels[5] = value;
    writer.add(second, 0, image);
    writer.finish();
    return data::open_packed(path);
  };
  const auto before = pack("2.png", 7);
  const std::string listing = hash_listing(*before), content = hash_images(*before, path);
  const std::vector<std::string> each = hash_each(*before);
  const std::string of_part = hash_listing(*data::subset(before, {1}));
  const auto same = pack("2.png", 7);
  EXPECT_EQ(hash_listing(*same), listing);
  EXPECT_EQ(hash_images(*same, path), content);
  EXPECT_EQ(hash_each(*same), each);
  const auto other = pack("2.png", 8);
  EXPECT_NE(hash_listing(*other), listing);
  EXPECT_NE(hash_images(*other, path), content);
  EXPECT_NE(hash_listing(*data::subset(other, {1})), of_part);
  EXPECT_EQ(hash_each(*other)[0], each[0]);
  EXPECT_NE(hash_each(*other)[1], each[1]);
  EXPECT_NE(hash_listing(*pack("3.png", 7)), listing);
}

TEST_F(Output, ARowIsAppendedToATable) {
  Metrics metrics({"step", "loss"});
  const fs::path path = folder_ / "metrics.csv";
  metrics.add({1, 0.5});
  metrics.write_csv(path);
  fs::create_hard_link(path, folder_ / "same");
  metrics.add({2, 0.25});
  metrics.append_csv(path);
  EXPECT_EQ(tests::read_text(path), "step,loss\n1,0.5\n2,0.25\n");
  metrics.add({3, NAN});  // what has no value
  metrics.append_csv(path);
  EXPECT_TRUE(tests::read_text(path).ends_with("\n3,\n"));
  EXPECT_TRUE(fs::equivalent(path, folder_ / "same"));  // not written anew
  EXPECT_THROW(metrics.append_csv(folder_ / "nowhere/metrics.csv"), Error);
}

TEST(AsUtf8, KeepsWhatIsUtf8AndGivesNoTwoTextsTheSameForm) {
  for (const char* text : {"", "plain", "caf\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) {
    EXPECT_EQ(as_utf8(text), text);
  }
  EXPECT_EQ(as_utf8("\\xE9"), "\\x5CxE9");
  // Latin-1, cut short, overlong, a surrogate, too large.
  for (const char* text : {"\xe9", "\xe9y", "\xe2\x82", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",
                           "\xf4\x90\x80\x80", "\xff"}) {
    const std::string form = as_utf8(text);
    EXPECT_TRUE(form.starts_with("\\x")) << form;
    EXPECT_NO_THROW(json(form).dump()) << form;
  }
}

TEST_F(Output, HashesAreOfContent) {
  GESTALT_NEEDS_HASHES();
  std::ofstream(folder_ / "one") << "content";
  std::ofstream(folder_ / "same") << "content";
  std::ofstream(folder_ / "other") << "Content";
  const std::vector<std::string> hashes =
      sha256_of_files({folder_ / "one", folder_ / "same", folder_ / "other", folder_ / "missing"});
  EXPECT_EQ(hashes[0], sha256_of_text("content"));
  EXPECT_EQ(hashes[1], hashes[0]);
  EXPECT_NE(hashes[2], hashes[0]);
  EXPECT_EQ(hashes[3], sha256_of_text(""));
}

TEST(Counted, OneIsSingular) {
  EXPECT_EQ(counted(0, "picture"), "0 pictures");
  EXPECT_EQ(counted(1, "picture"), "1 picture");
  EXPECT_EQ(counted(2, "picture"), "2 pictures");
}

}  // namespace
}  // namespace gestalt::tools
