// What the tools share about output folders, resuming and flags; in this process.

#include "tools/common/output.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "data/dataset.h"
#include "data/packed.h"
#include "tensor/counted.h"
#include "tensor/io/known_files.h"
#include "tests/error_of.h"
#include "tests/processes.h"
#include "tests/tools/hashes.h"
#include "tests/tools/run_tool.h"
#include "tools/common/file_hash.h"
#include "tools/common/image_hash.h"
#include "tools/common/metrics.h"
#include "tools/common/run_folder.h"
#include "tools/common/tool.h"
#include "tools/common/utf8.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

using tests::error_of;
using tests::host_name;
using tests::pid_that_is_gone;

// Its checkpoint could not be resumed behind another tool's config.json.
TEST(OutputFolder, OfATrainingIsNotAnothersToolsOutput) {
  const tests::TemporaryFolder folder;
  write_config(folder.path(), "train_classifier", {{"lr", 1}});
  EXPECT_PRED_FORMAT2(testing::IsSubstring, "is the folder of a run of train_classifier",
                      error_of([&] { prepare_output_folder(folder.path(), "visualize_topk"); }));
  EXPECT_NO_THROW(prepare_output_folder(folder.path(), "train_classifier"));
  write_config(folder.path(), "visualize_topk", {{"topk", 1}});
  EXPECT_NO_THROW(prepare_output_folder(folder.path(), "synthesize_texture"));
}

class Output : public testing::Test {
 protected:
  std::string resume(const json& settings) const {
    return error_of([&] {
      check_can_resume(folder_.path(), "some_tool", settings, {{"new_flag", 3}}, {"sheet"});
    });
  }

  const tests::TemporaryFolder folder_;
};

TEST_F(Output, an_output_is_not_its_own_input_by_any_name) {
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

TEST_F(Output, resuming_names_what_differs) {
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

TEST_F(Output, a_file_that_is_not_there_has_no_hash) {
  std::ofstream(folder_ / "here") << "content";
  const json hashes = hashes_by_path({folder_ / "here", folder_ / "nowhere", ""});
  EXPECT_EQ(hashes.size(), 2u);
  EXPECT_EQ(hashes[(folder_ / "here").string()], sha256_of_text("content"));
  EXPECT_TRUE(hashes[(folder_ / "nowhere").string()].is_null());
}

TEST_F(Output, resuming_with_other_images_is_refused) {
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

// By the checksums in it, without reading the pixels.
TEST_F(Output, a_packed_set_is_known_by_its_checksums) {
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

TEST_F(Output, a_new_run_takes_away_what_an_earlier_one_of_its_tool_left_and_nothing_else) {
  RunFolder run(folder_ / "run", "some_tool", R"(best\.bin|samples/[0-9]{7,}\.jpg)");
  const std::vector<std::string> own = {"checkpoint.safetensors", "best.bin", "samples/0000012.jpg",
                                        "events.out.tfevents.12.gestalt.34"};
  const std::vector<std::string> others = {"notes.txt", "samples/mine.jpg", "samples/12.jpg",
                                           "samples/deep/0000012.jpg",
                                           "events.out.tfevents.12.host"};
  const auto start = [&](RunFolder& folder, bool resume) {
    fs::create_directories(folder / "samples/deep");
    for (const auto& names : {own, others}) {
      for (const std::string& name : names) std::ofstream(folder / name) << "content";
    }
    CommonOptions common;
    common.quiet = true;
    folder.start(json::object(), common, resume);
  };
  const auto is_there = [](const RunFolder& folder) {
    return [&](const std::string& name) { return fs::exists(folder / name); };
  };
  start(run, false);  // no run was here: the checkpoint alone is taken for one
  EXPECT_EQ(std::count_if(own.begin(), own.end(), is_there(run)), 3);
  start(run, true);
  EXPECT_TRUE(std::all_of(own.begin(), own.end(), is_there(run)));
  EXPECT_THROW(run.check_keeps("--weights", run / "best.bin"), UsageError);
  EXPECT_THROW(run.check_keeps("--weights", run / "samples/../best.bin"), UsageError);
  EXPECT_NO_THROW(run.check_keeps("--weights", run / "notes.txt"));
  EXPECT_NO_THROW(RunFolder(folder_ / "none", "some_tool", "a").check_keeps("--weights", "b"));
  start(run, false);
  EXPECT_TRUE(std::none_of(own.begin(), own.end(), is_there(run)));
  EXPECT_TRUE(std::all_of(others.begin(), others.end(), is_there(run)));
}

TEST_F(Output, a_new_run_leaves_what_another_tool_left) {
  RunFolder run(folder_ / "run", "some_tool", "a"), other(folder_ / "run", "other_tool", "best");
  CommonOptions common;
  common.quiet = true;
  fs::create_directories(run.path());
  write_config(run.path(), "some_tool", json::object());
  std::ofstream(run / "best") << "content";
  other.start(json::object(), common, false);
  EXPECT_TRUE(fs::exists(other / "best"));
}

TEST_F(Output, a_folder_is_one_runs_at_a_time) {
  CommonOptions common;
  common.quiet = true;
  const auto resume = [](RunFolder& run) {
    return error_of([&] { run.check_resume(json::object(), json::object(), {}); });
  };
  const auto refused_by = [&](const std::string& owner) {
    return format("'{}' is in use: {} is running there", (folder_ / "run").string(), owner);
  };
  const std::string refused = refused_by(format("process {}", getpid()));
  {
    RunFolder first(folder_ / "run", "some_tool", "best");
    RunFolder second(folder_ / "run", "some_tool", "best");
    first.start({{"n", 1}}, common, false);
    for (const char* name : {"checkpoint.safetensors", "best"}) {
      std::ofstream(first / name) << "content";
    }
    const std::string config = tests::read_text(first / "config.json");
    EXPECT_EQ(error_of([&] { second.start({{"n", 2}}, common, false); }), refused);
    EXPECT_EQ(resume(second), refused);
    EXPECT_TRUE(fs::exists(first / "best"));
    EXPECT_EQ(tests::read_text(first / "config.json"), config);
    first.start({{"n", 1}}, common, true);  // it is its own
    // Of another machine; before it has named itself; of one that was killed there before.
    const auto refused_where = [&](const std::string& text) {
      std::ofstream(first / ".lock") << text;
      return resume(second);
    };
    EXPECT_EQ(refused_where("12 elsewhere\n"), refused_by("process 12 on elsewhere"));
    EXPECT_EQ(refused_where(""), refused_by("another process"));
    EXPECT_EQ(refused_where(format("{} {}\n", pid_that_is_gone(), host_name())),
              refused_by("another process"));
  }
  RunFolder next(folder_ / "run", "some_tool", "best"), last(folder_ / "run", "some_tool", "best");
  EXPECT_EQ(resume(next), "");
  EXPECT_EQ(resume(last), refused);  // before it has read the checkpoint
}

TEST_F(Output, names_of_an_earlier_runs_files_may_hang_on_its_settings) {
  RunFolder run(folder_ / "run", "some_tool", [](const json& settings) {
    return settings.value("set", std::string("none")) + "\\.bin";
  });
  CommonOptions common;
  common.quiet = true;
  run.start({{"set", "first"}}, common, false);
  const auto write = [&] {
    for (const char* name : {"first.bin", "second.bin"}) std::ofstream(run / name) << "content";
  };
  write();
  run.start({{"set", "second"}}, common, false);
  EXPECT_FALSE(fs::exists(run / "first.bin"));
  EXPECT_TRUE(fs::exists(run / "second.bin"));
  write();
  write_config(run.path(), "some_tool", {{"set", 1}});
  try {
    run.start(json::object(), common, false);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("config.json' is damaged: "), std::string::npos);
  }
  EXPECT_TRUE(fs::exists(run / "first.bin"));
}

TEST_F(Output, a_row_is_appended_to_a_table) {
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

TEST_F(Output, resuming_on_another_device_is_refused) {
  write_config(folder_.path(), "some_tool", json::object());
  json config = json::parse(tests::read_text(folder_ / "config.json"));
  const std::string here = config["device"];
  EXPECT_EQ(resume(json::object()), "");
  config["device"] = "cuda:7";
  write_text(folder_ / "config.json", config.dump());
  EXPECT_EQ(resume(json::object()), "--resume: the run was on cuda:7, is now on " + here);
}

TEST_F(Output, a_damaged_config_is_named) {
  for (const char* text : {"{", "[]", "{\"settings\": 1}"}) {
    write_text(folder_ / "config.json", text);
    EXPECT_NE(resume(json::object()).find("config.json' is damaged"), std::string::npos) << text;
  }
}

// A flag that the run's version had not: it was as it is by default.
TEST_F(Output, a_setting_that_was_not_recorded_was_the_default) {
  write_config(folder_.path(), "some_tool", {{"n", 6}});
  EXPECT_EQ(resume({{"n", 6}, {"new_flag", 3}}), "");
  EXPECT_EQ(resume({{"n", 6}, {"new_flag", 4}}), "--resume: --new_flag was 3, is now 4");
}

// Names of files are bytes: one that is not UTF-8 is found again, and told from others.
TEST_F(Output, a_config_takes_any_name) {
  const json before = {{"input", {"caf\xe9.png"}}, {"files", {{"caf\xe9.png", "aa"}}}};
  write_config(folder_.path(), "some_tool", before);
  const json config = json::parse(tests::read_text(folder_ / "config.json"))["settings"];
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

TEST(AsUtf8, keeps_what_is_utf8_and_gives_no_two_texts_the_same_form) {
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

TEST_F(Output, hashes_are_of_content) {
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

TEST_F(Output, gnuplot_speaks_only_where_it_fails) {
  const auto run = [&](const std::string& script, bool& drawn) {
    testing::internal::CaptureStderr();
    drawn = run_gnuplot(folder_ / "plot.gp", script);
    return testing::internal::GetCapturedStderr();
  };
  bool drawn = false;
  const std::string failure = run("no_such_command\n", drawn);
  EXPECT_FALSE(drawn);
  if (failure.find("gnuplot is missing") != std::string::npos) GTEST_SKIP() << failure;
  EXPECT_TRUE(failure.starts_with("no plot: gnuplot failed: ")) << failure;
  EXPECT_NE(failure.find("plot.gp\" line 1"), std::string::npos) << failure;
  EXPECT_EQ(std::count(failure.begin(), failure.end(), '\n'), 1) << failure;
  // A warning: the range is empty.
  EXPECT_EQ(run("set terminal dumb\nset output \"plot.txt\"\nplot [0:1] 5\n", drawn), "");
  EXPECT_TRUE(drawn);
}

TEST_F(Output, gnuplot_is_not_missing_where_the_folder_is) {
  testing::internal::CaptureStderr();
  EXPECT_FALSE(run_gnuplot(folder_ / "plot.gp", "", folder_ / "nowhere"));
  const std::string failure = testing::internal::GetCapturedStderr();
  EXPECT_NE(failure.find("cannot run in '" + (folder_ / "nowhere").string()), std::string::npos)
      << failure;
}

TEST(Counted, one_is_singular) {
  EXPECT_EQ(counted(0, "picture"), "0 pictures");
  EXPECT_EQ(counted(1, "picture"), "1 picture");
  EXPECT_EQ(counted(2, "picture"), "2 pictures");
}

}  // namespace
}  // namespace gestalt::tools
