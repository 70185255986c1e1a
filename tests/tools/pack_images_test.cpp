// The tool as a user runs it.

#include <chrono>
#include <fstream>
#include <gtest/gtest.h>

#include "data/encode.h"
#include "data/packed.h"
#include "data/transforms.h"
#include "kernels/error.h"
#include "tests/processes.h"
#include "tests/tools/run_tool.h"

namespace gestalt::tests {
namespace {

namespace fs = std::filesystem;

class PackImages : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"cat/a.png", "cat/b.png", "dog/c.jpg"}) {
      fs::create_directories((in_ / name).parent_path());
      data::Image image(40, 60);
      for (size_t i = 0; i < image.pixels.size(); ++i) {
        image.pixels[i] = static_cast<uint8_t>(i * (name[4] - 'a' + 3) / 7);
      }
      data::save_image(in_ / name, image);
    }
  }

  ToolResult pack(std::vector<std::string> more) {
    more.insert(more.begin(), {in_.string(), out_.string(), "--quiet"});
    return run_tool("pack_images", more);
  }

  const TemporaryFolder folder_;
  const fs::path in_ = folder_ / "in", out_ = folder_ / "out.packed";
};

TEST_F(PackImages, PacksClassFolders) {
  const ToolResult result = pack({"--size", "20"});
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_NE(result.output.find("3 images in 2 classes, 0 left out"), std::string::npos)
      << result.output;
  const auto packed = data::open_dataset(out_);
  const auto folder = data::open_dataset(in_);
  EXPECT_EQ(packed->index().names, folder->index().names);
  EXPECT_EQ(packed->index().labels, folder->index().labels);
  for (int64_t i = 0; i < packed->size(); ++i) {
    EXPECT_EQ(packed->read(i), data::resize(folder->read(i), 20, 30, data::Filter::bilinear));
  }
  EXPECT_EQ(run_tool("pack_images", {"--verify", out_.string()}).exit_code, 0);
}

TEST_F(PackImages, SquareCropAndNone) {
  ASSERT_EQ(pack({"--resize", "square", "--size", "24", "--crop", "16"}).exit_code, 0);
  const auto source = data::open_dataset(in_)->read(0);
  const data::Image square = data::resize(source, 24, 24, data::Filter::bilinear);
  const data::Image packed = data::open_dataset(out_)->read(0);
  ASSERT_EQ(packed.height, 16);
  EXPECT_TRUE(std::equal(packed.row(0), packed.row(0) + 48, square.row(4) + 12));
  ASSERT_EQ(pack({"--resize", "none"}).exit_code, 0);
  EXPECT_EQ(data::open_dataset(out_)->read(0), source);
}

TEST_F(PackImages, LeavesOutWhatItCannotReadAndSaysSo) {
  std::ofstream(in_ / "cat/b.png") << "no image";
  const ToolResult result = pack({});
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_NE(result.output.find("cat/b.png': not an image"), std::string::npos) << result.output;
  EXPECT_NE(result.output.find("2 images in 2 classes, 1 left out"), std::string::npos);
  EXPECT_EQ(data::open_dataset(out_)->index().names,
            (std::vector<std::string>{"cat/a.png", "dog/c.jpg"}));
}

// More pixels than whoever opens the file would take.
TEST_F(PackImages, WhatWouldBeTooLargeIsLeftOut) {
  const std::string thin = "P6\n1 300000\n255\n" + std::string(900000, 'a');
  std::ofstream(in_ / "cat/thin.ppm", std::ios::binary) << thin;
  for (const std::string size : {"1024", "32768"}) {  // 32768: no int holds the height
    const ToolResult result = pack({"--size", size, "--crop", "0"});
    if (size == "32768") {  // nor do the others fit
      EXPECT_EQ(result.exit_code, 1);
    } else {
      EXPECT_EQ(result.exit_code, 0);
      EXPECT_NE(result.output.find("3 images in 2 classes, 1 left out"), std::string::npos);
      EXPECT_EQ(data::open_dataset(out_)->size(), 3);
    }
    EXPECT_NE(result.output.find("left out: '" + (in_ / "cat/thin.ppm").string() + "': "),
              std::string::npos)
        << result.output;
  }
  EXPECT_EQ(pack({"--size", "1024", "--crop", "20"}).exit_code, 0);
  EXPECT_EQ(data::open_dataset(out_)->size(), 4);  // what is cut out fits
  for (const std::vector<std::string>& flags :
       {std::vector<std::string>{"--resize", "square", "--size", "20000"},
        {"--resize", "none", "--crop", "20000"}}) {
    const ToolResult result = pack(flags);
    EXPECT_EQ(result.exit_code, 2) << result.output;
    EXPECT_NE(result.output.find(" 20000: images of 20000x20000 are more than"), std::string::npos)
        << result.output;
  }
}

TEST_F(PackImages, BadInputIsOneLineAndLeavesNothing) {
  fs::create_directories(in_ / "owl");
  const ToolResult result = pack({});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.output.find("no images in the class folder 'owl'"), std::string::npos);
  EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1) << result.output;
  fs::remove(in_ / "owl");
  for (const char* name : {"cat/a.png", "cat/b.png", "dog/c.jpg"}) std::ofstream(in_ / name) << "x";
  EXPECT_EQ(pack({}).exit_code, 1);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 1);
  EXPECT_EQ(run_tool("pack_images", {in_.string()}).exit_code, 2);
  for (const std::string flag : {"--size", "--crop"}) {
    const std::string output = pack({flag, "99999999999"}).output;
    EXPECT_NE(output.find(" to 32768, got 99999999999 ("), std::string::npos) << output;
  }
  EXPECT_EQ(run_tool("pack_images", {"--verify", (in_ / "cat/a.png").string()}).exit_code, 1);
}

TEST_F(PackImages, AnOutputThatCannotBeWrittenIsFoundBeforePacking) {
  for (const char* name : {"cat/a.png", "cat/b.png", "dog/c.jpg"}) std::ofstream(in_ / name) << "x";
  // "left out" would mean that pictures were opened first.
  const auto failure = [&](const fs::path& out) {
    const ToolResult result = run_tool("pack_images", {in_.string(), out.string(), "--quiet"});
    EXPECT_EQ(result.exit_code, 1) << result.output;
    EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1) << result.output;
    return result.output;
  };
  fs::create_directories(out_);
  EXPECT_NE(failure(out_).find("out.packed': is a folder, not a file"), std::string::npos);
  EXPECT_TRUE(fs::is_empty(out_));
  EXPECT_NE(failure(folder_ / "none/out.packed").find("cannot write"), std::string::npos);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 2);
}

TEST_F(PackImages, NeverWritesOverItsOwnInput) {
  const auto refuses = [](const fs::path& in, const fs::path& out) {
    const std::string before = read_text(out);
    const ToolResult result = run_tool("pack_images", {in.string(), out.string(), "--quiet"});
    EXPECT_EQ(result.exit_code, 2) << result.output;
    EXPECT_NE(result.output.find("would overwrite its own input"), std::string::npos)
        << result.output;
    EXPECT_EQ(read_text(out), before);
  };
  refuses(in_, in_ / "dog/c.jpg");
  ASSERT_EQ(pack({}).exit_code, 0);
  refuses(out_, out_);
}

TEST_F(PackImages, ThePackedFileMayLieInItsFolderButNotAmongItsImages) {
  const auto pack_to = [&](const fs::path& out) {
    return run_tool("pack_images", {in_.string(), out.string(), "--resize", "none", "--quiet"});
  };
  for (const fs::path& out : {in_ / "all.png", in_ / "cat/new.JPG", in_ / "cat/../dog/new.gif"}) {
    const ToolResult result = pack_to(out);
    EXPECT_EQ(result.exit_code, 2) << result.output;
    const std::string reason =
        format("'{}' would be taken for an image of '{}'", out.string(), in_.string());
    EXPECT_NE(result.output.find(reason), std::string::npos) << result.output;
    EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1) << result.output;
    EXPECT_FALSE(fs::exists(out));
  }
  EXPECT_EQ(pack_to(folder_ / "all.png").exit_code, 0);  // beside it nobody looks for images
  ASSERT_EQ(pack_to(in_ / "cat/all.packed").exit_code, 0);
  const std::string first = read_text(in_ / "cat/all.packed");
  const ToolResult again = pack_to(in_ / "cat/all.packed");
  EXPECT_EQ(again.exit_code, 0) << again.output;
  EXPECT_EQ(read_text(in_ / "cat/all.packed"), first);
  EXPECT_EQ(data::open_dataset(in_)->size(), 3);
}

TEST_F(PackImages, TouchesNoFileButItsOwn) {
  const std::vector<std::string> neighbours = {"out.packed.pixels", "out.packed.tmp"};
  for (const std::string& name : neighbours) std::ofstream(folder_ / name) << "a user's own";
  ASSERT_EQ(pack({}).exit_code, 0);
  for (const std::string& name : neighbours) EXPECT_EQ(read_text(folder_ / name), "a user's own");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 4);
}

TEST_F(PackImages, RemovesThePixelsThatAKilledRunLeftLongAgo) {
  const std::string left =
      folder_.write(format("out.packed.pixels.gestalt-tmp.{}", pid_that_is_gone()), "half of");
  ASSERT_EQ(pack({}).exit_code, 0);
  EXPECT_TRUE(fs::exists(left));  // another host may be at it
  fs::last_write_time(left, fs::file_time_type::clock::now() - std::chrono::hours(25));
  ASSERT_EQ(pack({}).exit_code, 0);
  EXPECT_FALSE(fs::exists(left));
}

}  // namespace
}  // namespace gestalt::tests
