// config.json, and which runs --resume goes on with.

#include "tools/common/config.h"

#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "data/dataset.h"
#include "tests/error_of.h"
#include "tests/tools/hashes.h"
#include "tests/tools/run_tool.h"
#include "tools/common/file_hash.h"
#include "tools/common/image_hash.h"
#include "tools/common/json_file.h"
#include "tools/common/output.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

using tests::error_of;

class Config : public testing::Test {
 protected:
  std::string resume(const json& settings) const {
    return error_of([&] {
      check_can_resume(folder_.path(), "some_tool", settings, {{"new_flag", 3}}, {"sheet"});
    });
  }

  const tests::TemporaryFolder folder_;
};

TEST_F(Config, AFolderOfItsNameIsNamed) {
  fs::create_directories(folder_ / "config.json");
  const std::string reason =
      "cannot read '" + (folder_ / "config.json").string() + "': is a folder";
  EXPECT_EQ(resume(json::object()), reason);
  EXPECT_EQ(error_of([&] { prepare_output_folder(folder_.path(), "some_tool"); }), reason);
}

TEST_F(Config, ResumingNamesWhatDiffers) {
  const json before = {{"n", 6},
                       {"topk", 0.05},
                       {"sheet", false},
                       {"quiet", false},
                       {"files", {{"a.png", "aa"}, {"b.png", "bb"}}}};
  EXPECT_NE(resume(before).find("no run to go on with"), std::string::npos);
  write_config(folder_.path(), "another_tool", before);
  EXPECT_EQ(resume(before),
            "--resume: the run in '" + folder_.path().string() + "' is of \"another_tool\"");
  write_config(folder_.path(), "some_tool", before);
  EXPECT_EQ(resume(before), "");
  const auto with = [&](const char* key, const json& value) {
    json settings = before;
    settings[key] = value;
    return resume(settings);
  };
  EXPECT_EQ(with("n", 7), "--resume: -n was 6, is now 7");
  EXPECT_EQ(with("topk", 1), "--resume: --topk was 0.05, is now 1");
  EXPECT_EQ(with("sheet", true), "");
  EXPECT_EQ(with("quiet", true), "");
  EXPECT_EQ(with("files", {{"a.png", "aa"}, {"b.png", "cc"}}),
            "--resume: 'b.png' has changed since the run began");
  EXPECT_EQ(with("files", {{"a.png", "aa"}, {"new.png", "cc"}}), "");
  EXPECT_EQ(with("files", {{"a.png", "aa"}, {"b.png", nullptr}}), "--resume: 'b.png' is missing");
}

// Where both have the hash of what lies there.
TEST_F(Config, ResumingTakesAnyPathToTheSameInput) {
  const std::vector<InputPath> inputs = {{"data", "images", "train"},
                                         {"weights", "files", "weights"},
                                         {"sets", "images", "each by its name"}};
  const auto resumes = [&](const json& settings) {
    return error_of([&] {
      check_can_resume(folder_.path(), "some_tool", settings, json::object(), {}, inputs);
    });
  };
  const auto set = [](const char* hash) { return json{{"count", 2}, {"hash", hash}}; };
  const json before = {{"data", "/a/data"},
                       {"weights", "/a/weights"},
                       {"sets", {"x=/a/x", "y=/a/y"}},
                       {"files", {{"weights", "ww"}}},
                       {"images", {{"train", set("tt")}, {"x", set("xx")}, {"y", set("yy")}}}};
  write_config(folder_.path(), "some_tool", before);
  json moved = before;
  moved["data"] = "/b/data";
  moved["weights"] = "/b/weights";
  moved["sets"] = {"x=/b/x", "y=/b/y"};
  EXPECT_EQ(resumes(before), "");
  EXPECT_EQ(resumes(moved), "");
  const auto with = [&](const json::json_pointer& place, const json& value) {
    json settings = moved;
    settings[place] = value;
    return resumes(settings);
  };
  using pointer = json::json_pointer;
  EXPECT_EQ(with(pointer("/files/weights"), "other"),
            "--resume: '/b/weights' has changed since the run began");
  EXPECT_EQ(with(pointer("/files/weights"), nullptr), "--resume: '/b/weights' is missing");
  EXPECT_EQ(with(pointer("/images/x"), set("other")),
            "--resume: images of 'x' have changed since the run began");
  EXPECT_EQ(with(pointer("/sets"), {"y=/b/y", "x=/b/x"}),
            R"(--resume: --sets was ["x","y"], is now ["y","x"])");
  EXPECT_EQ(with(pointer("/sets"), json::array({"x=/b/x"})),
            R"(--resume: --sets was ["x","y"], is now ["x"])");
  EXPECT_EQ(with(pointer("/weights"), ""), "");  // the hash says that it is given
  // A build without OpenSSL has no hashes: then the paths count.
  EXPECT_EQ(with(pointer("/images/train/hash"), ""),
            R"(--resume: --data was "/a/data", is now "/b/data")");
  moved["files"] = json::object();
  EXPECT_EQ(resumes(moved), R"(--resume: --weights was "/a/weights", is now "/b/weights")");
}

// As older versions noted them.
TEST_F(Config, AnInputThatIsNotedByItsPathIsFoundByIt) {
  const std::vector<InputPath> inputs = {{"weights", "files", "weights"}};
  write_config(folder_.path(), "some_tool",
               {{"weights", "/a/weights"}, {"files", {{"/a/weights", "ww"}}}});
  const auto resumes = [&](const char* hash) {
    return error_of([&] {
      check_can_resume(folder_.path(), "some_tool",
                       {{"weights", "/b/weights"}, {"files", {{"weights", hash}}}}, json::object(),
                       {}, inputs);
    });
  };
  EXPECT_EQ(resumes("ww"), "");
  EXPECT_EQ(resumes("other"), "--resume: '/b/weights' has changed since the run began");
}

TEST_F(Config, AFileThatIsNotThereHasNoHash) {
  std::ofstream(folder_ / "here") << "content";
  const json hashes = hashes_by_path({folder_ / "here", folder_ / "nowhere", ""});
  EXPECT_EQ(hashes.size(), 2u);
  EXPECT_EQ(hashes[(folder_ / "here").string()], sha256_of_text("content"));
  EXPECT_TRUE(hashes[(folder_ / "nowhere").string()].is_null());
  const json by_role = hashes_by_role({{"weights", folder_ / "here"}, {"none", ""}});
  EXPECT_EQ(by_role, (json{{"weights", hashes[(folder_ / "here").string()]}}));
}

TEST_F(Config, ResumingWithOtherImagesIsRefused) {
  fs::create_directories(folder_ / "set/a");
  const auto write = [&](const char* name, const char* text) {
    std::ofstream(folder_ / "set/a" / name) << text;
  };
  write("1.png", "one");
  write("2.png", "two");
  const auto settings = [&](const auto& hash) {
    const auto source = data::open_image_tree(folder_ / "set");
    return json{{"images", {{"set", image_set(*source, hash(*source))}}}};
  };
  const auto by_listing = [&] { return settings(hash_listing); };
  const auto by_content = [&] {
    return settings(
        [&](const data::ImageSource& source) { return hash_images(source, folder_ / "set"); });
  };
  for (const auto& now : std::vector<std::function<json()>>{by_listing, by_content}) {
    write_config(folder_.path(), "some_tool", now());
    EXPECT_EQ(resume(now()), "");
    write("3.png", "three");
    EXPECT_EQ(resume(now()), "--resume: 'set' had 2 images when the run began, has 3 now");
    fs::remove(folder_ / "set/a/3.png");
    EXPECT_EQ(resume(now()), "");
    if (sha256_of_text("").empty()) continue;  // and skips below
    write("2.png", "longer");
    EXPECT_EQ(resume(now()), "--resume: images of 'set' have changed since the run began");
    write("2.png", "two");
    EXPECT_EQ(resume(now()), "");
  }
  GESTALT_NEEDS_HASHES();
  const json listing = by_listing(), content = by_content();
  write("2.png", "TWO");
  EXPECT_EQ(by_listing(), listing);  // of the same size
  EXPECT_NE(by_content(), content);
  fs::rename(folder_ / "set/a/2.png", folder_ / "set/a/4.png");
  EXPECT_NE(by_listing(), listing);
}

TEST_F(Config, ResumingOnAnotherDeviceIsRefused) {
  write_config(folder_.path(), "some_tool", json::object());
  json config = tools::read_json(folder_ / "config.json");
  const std::string here = config["device"];
  EXPECT_EQ(resume(json::object()), "");
  config["device"] = "cuda:7";
  write_text(folder_ / "config.json", config.dump());
  EXPECT_EQ(resume(json::object()), "--resume: the run was on cuda:7, is now on " + here);
}

// A scheduler deals out numbers; another model computes other bits.
TEST(SameDevice, IsOfTheSameModel) {
  const json on_a100 = {{"device", "cuda:0"},
                        {"gpu", "NVIDIA A100-SXM4-40GB (sm_80, 40326 MiB), driver for CUDA 12.4"}};
  const auto now = [&](const json& config, const Device& device, const std::string& description) {
    return error_of([&] { check_same_device(config, device, description); });
  };
  const Device second{DeviceType::cuda, 1};
  EXPECT_EQ(now(on_a100, second, "NVIDIA A100-SXM4-40GB (sm_80, 40326 MiB), driver for CUDA 13.0"),
            "");
  EXPECT_EQ(now(on_a100, second, "NVIDIA H100 PCIe (sm_90, 81079 MiB), driver for CUDA 13.0"),
            "--resume: the run was on NVIDIA A100-SXM4-40GB, is now on NVIDIA H100 PCIe");
  EXPECT_EQ(now(on_a100, Device{}, "cpu"), "--resume: the run was on cuda:0, is now on cpu");
  EXPECT_EQ(now({{"device", "cuda:0"}}, second, "NVIDIA H100 PCIe (sm_90, 81079 MiB)"), "");
  EXPECT_EQ(now({{"device", "cpu"}}, Device{}, "cpu"), "");
}

TEST_F(Config, ADamagedConfigIsNamed) {
  for (const char* text : {"{", "[]", "{\"settings\": 1}"}) {
    write_text(folder_ / "config.json", text);
    EXPECT_NE(resume(json::object()).find("config.json' is damaged"), std::string::npos) << text;
  }
}

// A flag that the run's version had not: it was as it is by default.
TEST_F(Config, ASettingThatWasNotRecordedWasTheDefault) {
  write_config(folder_.path(), "some_tool", {{"n", 6}});
  EXPECT_EQ(resume({{"n", 6}, {"new_flag", 3}}), "");
  EXPECT_EQ(resume({{"n", 6}, {"new_flag", 4}}), "--resume: --new_flag was 3, is now 4");
}

// Names of files are bytes: one that is not UTF-8 is found again, and told from others.
TEST_F(Config, AConfigTakesAnyName) {
  const json before = {{"input", {"caf\xe9.png"}}, {"files", {{"caf\xe9.png", "aa"}}}};
  write_config(folder_.path(), "some_tool", before);
  const json config = tools::read_json(folder_ / "config.json")["settings"];
  EXPECT_EQ(config["input"][0], "caf\\xE9.png");
  EXPECT_EQ(resume(before), "");
  const auto with = [&](const char* key, const json& value) {
    json settings = before;
    settings[key] = value;
    return resume(settings);
  };
  EXPECT_EQ(with("input", {"caf\xe8.png"}),
            R"(--resume: --input was ["caf\\xE9.png"], is now ["caf\\xE8.png"])");
  EXPECT_EQ(with("files", {{"caf\xe9.png", "bb"}}),
            "--resume: 'caf\\xE9.png' has changed since the run began");
}

}  // namespace
}  // namespace gestalt::tools
