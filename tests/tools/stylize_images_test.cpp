// The tool as a user runs it, with a random decoder: what is checked is which pictures are made.

#include <cmath>
#include <fstream>
#include <gtest/gtest.h>

#include "data/dataset.h"
#include "data/encode.h"
#include "models/adain.h"
#include "tensor/io/safetensors.h"
#include "tests/tools/hashes.h"
#include "tests/tools/run_tool.h"
#include "tools/stylize/save_interval.h"
#include "tools/stylize/tiles.h"

namespace gestalt::tests {
namespace {

namespace fs = std::filesystem;

void save_picture(const fs::path& path, int height, int width, int seed) {
  fs::create_directories(path.parent_path());
  data::Image image(height, width);
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<uint8_t>(i * (seed + 3) / 5 + i * i % 17);
  }
  data::save_image(path, image);
}

class StylizeImages : public testing::Test {
 protected:
  void SetUp() override {
    save_picture(folder_ / "content/cat/a.png", 24, 40, 1);
    save_picture(folder_ / "content/dog/deep/b.png", 33, 27, 2);
    save_picture(folder_ / "style/one.png", 24, 24, 3);
    save_picture(folder_ / "style/two.png", 30, 26, 4);
    Generator generator(1);
    write_safetensors(decoder_, models::make_adain_decoder(generator)->state_dict());
  }

  ToolResult stylize(std::vector<std::string> more) {
    return run_tool("stylize_images", flags(more));
  }

  std::vector<std::string> flags(std::vector<std::string> more) const {
    const std::vector<std::string> common = {"--content",
                                             folder_ / "content",
                                             "--style",
                                             folder_ / "style",
                                             "-o",
                                             out_,
                                             "--decoder",
                                             decoder_,
                                             "--content_size",
                                             "0",
                                             "--style_size",
                                             "0",
                                             "--save_ext",
                                             ".png",
                                             "--device",
                                             "cpu"};
    more.insert(more.begin(), common.begin(), common.end());
    return more;
  }

  std::vector<std::string> pictures() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(out_)) {
      if (entry.path().extension() == ".png") {
        names.push_back(entry.path().lexically_relative(out_).string());
      }
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  static bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }

  const TemporaryFolder folder_;
  const fs::path out_ = folder_ / "out";
  const std::string decoder_ = folder_ / "decoder.safetensors";
};

TEST_F(StylizeImages, MirrorsTheTreeAndSkipsWhatIsDone) {
  ToolResult result = stylize({});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_TRUE(has(result.output, "encoder: untrained VGG-19")) << result.output;
  EXPECT_TRUE(has(result.output, "4 made, 0 done before, 0 left out")) << result.output;
  const std::vector<std::string> expected = {"cat/a_stylized_one.png", "cat/a_stylized_two.png",
                                             "dog/deep/b_stylized_one.png",
                                             "dog/deep/b_stylized_two.png"};
  EXPECT_EQ(pictures(), expected);
  const data::Image image = data::decode_image(out_ / expected[3]);
  EXPECT_EQ(image.height, 33);
  EXPECT_EQ(image.width, 27);
  const std::string manifest = read_text(out_ / "manifest.csv");
  EXPECT_TRUE(has(manifest, "\ncat/a_stylized_one.png,cat/a.png,one.png,1,0,")) << manifest;

  fs::remove(out_ / expected[1]);
  result = stylize({});
  EXPECT_TRUE(has(result.output, "1 made, 3 done before")) << result.output;
  result = stylize({"--alpha", "0.5"});
  EXPECT_TRUE(has(result.output, "4 made, 0 done before")) << result.output;

  GESTALT_NEEDS_HASHES();  // other weights under the same name
  Generator generator(7);
  write_safetensors(decoder_, models::make_adain_decoder(generator)->state_dict());
  result = stylize({"--alpha", "0.5"});
  EXPECT_TRUE(has(result.output, "4 made, 0 done before")) << result.output;
  EXPECT_NE(data::decode_image(out_ / expected[3]), image);
}

TEST_F(StylizeImages, OtherPicturesOfTheSameNamesAreMadeAnew) {
  GESTALT_NEEDS_HASHES();
  ASSERT_EQ(stylize({}).exit_code, 0);
  save_picture(folder_ / "content/cat/a.png", 24, 40, 9);
  ToolResult result = stylize({});
  EXPECT_TRUE(has(result.output, "2 made, 2 done before")) << result.output;
  save_picture(folder_ / "style/two.png", 30, 26, 11);
  result = stylize({});
  EXPECT_TRUE(has(result.output, "2 made, 2 done before")) << result.output;
  result = stylize({});
  EXPECT_TRUE(has(result.output, "0 made, 4 done before")) << result.output;
}

// The pictures made would be contents of the next run, or overwrite them.
TEST_F(StylizeImages, TheOutputLiesOutsideOfWhatIsRead) {
  for (const char* inside : {"content", "content/made", "style/../content/cat", "style"}) {
    const ToolResult result = run_tool(
        "stylize_images", {"--content", folder_ / "content", "--style", folder_ / "style", "-o",
                           folder_ / inside, "--decoder", decoder_, "--device", "cpu"});
    EXPECT_EQ(result.exit_code, 2) << result.output;
    EXPECT_TRUE(has(result.output, "whose images are taken: give one outside")) << result.output;
  }
  EXPECT_FALSE(fs::exists(folder_ / "content/manifest.csv"));
}

TEST_F(StylizeImages, NamesKeepTheExtensionsThatAloneTellPicturesApart) {
  save_picture(folder_ / "content/cat/a.jpg", 20, 20, 5);
  ASSERT_EQ(stylize({}).exit_code, 0);
  EXPECT_EQ(pictures(), (std::vector<std::string>{
                            "cat/a_jpg_stylized_one.png", "cat/a_jpg_stylized_two.png",
                            "cat/a_png_stylized_one.png", "cat/a_png_stylized_two.png",
                            "dog/deep/b_stylized_one.png", "dog/deep/b_stylized_two.png"}));
  EXPECT_EQ(data::decode_image(out_ / "cat/a_jpg_stylized_one.png").width, 20);
  EXPECT_EQ(data::decode_image(out_ / "cat/a_png_stylized_one.png").width, 40);
  ToolResult result = stylize({});
  EXPECT_TRUE(has(result.output, "0 made, 6 done before")) << result.output;

  fs::remove(folder_ / "content/cat/a.jpg");
  fs::remove_all(out_);
  save_picture(folder_ / "style/two.jpg", 20, 20, 5);
  ASSERT_EQ(stylize({}).exit_code, 0);
  EXPECT_EQ(pictures(), (std::vector<std::string>{
                            "cat/a_stylized_one.png", "cat/a_stylized_two_jpg.png",
                            "cat/a_stylized_two_png.png", "dog/deep/b_stylized_one.png",
                            "dog/deep/b_stylized_two_jpg.png", "dog/deep/b_stylized_two_png.png"}));
  result = stylize({});
  EXPECT_TRUE(has(result.output, "0 made, 6 done before")) << result.output;
}

TEST_F(StylizeImages, TilesRandomStylesAndMixtures) {
  ASSERT_EQ(stylize({"--styles", "mix", "--style_weights", "3,1", "--preserve_color"}).exit_code,
            0);
  const fs::path mixture = out_ / "cat/a_stylized_interpolation.png";
  const data::Image whole = data::decode_image(mixture);
  EXPECT_TRUE(has(read_text(out_ / "manifest.csv"), ",one.png*3+two.png*1,1,0,"));
  fs::remove(mixture);
  ASSERT_EQ(
      stylize({"--styles", "mix", "--style_weights", "3,1", "--preserve_color", "--tile", "8"})
          .exit_code,
      0);
  const data::Image tiled = data::decode_image(mixture);
  ASSERT_EQ(tiled.pixels.size(), whole.pixels.size());
  for (size_t i = 0; i < whole.pixels.size(); ++i) {
    ASSERT_LE(std::abs(tiled.pixels[i] - whole.pixels[i]), 1);
  }
  fs::remove_all(out_);
  ASSERT_EQ(stylize({"--styles", "random", "--seed", "3"}).exit_code, 0);
  const std::vector<std::string> chosen = pictures();
  EXPECT_EQ(chosen.size(), 2u);
  save_picture(folder_ / "content/aaa.png", 20, 20, 9);  // changes nobody else's style
  ASSERT_EQ(stylize({"--styles", "random", "--seed", "3"}).exit_code, 0);
  EXPECT_EQ(pictures().size(), 3u);
  for (const std::string& name : chosen) EXPECT_TRUE(fs::exists(out_ / name)) << name;
}

TEST_F(StylizeImages, MakesWhatTrainClassifierHoldsOut) {
  for (int i = 0; i < 4; ++i) {
    const std::string name = std::to_string(i) + ".png";
    save_picture(folder_ / "content/cat" / name, 16, 16, i);
    save_picture(folder_ / "content/dog" / name, 16, 16, i);
  }
  const ToolResult result =
      stylize({"--styles", "random", "--val_fraction", "0.4", "--split_seed", "5"});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  const auto held_out =
      data::split_by_class(data::open_dataset(folder_ / "content"), 0.4, 5).second;
  const std::vector<std::string> made = pictures();
  ASSERT_EQ(held_out->size(), 4);  // of five a class
  ASSERT_EQ(made.size(), 4u);
  for (int64_t i = 0; i < held_out->size(); ++i) {
    const fs::path name = held_out->name(i);
    const std::string start = (name.parent_path() / name.stem()).string() + "_stylized_";
    EXPECT_TRUE(std::any_of(made.begin(), made.end(), [&](const std::string& picture) {
      return picture.starts_with(start);
    })) << name;
  }
  EXPECT_TRUE(has(stylize({"--val_fraction", "0.01"}).output, "holds none of the 10 pictures"));
  EXPECT_EQ(stylize({"--val_fraction", "2"}).exit_code, 2);
}

TEST_F(StylizeImages, QuietLeavesStdoutEmpty) {
  std::ofstream(folder_ / "content/cat/bad.jpg") << "no image";
  const Streams printed = run_apart("stylize_images", flags({"--quiet"}));
  EXPECT_EQ(printed.exit_code, 0) << printed.errors;
  EXPECT_EQ(printed.output, "");
  EXPECT_TRUE(has(printed.errors, "bad.jpg': not an image")) << printed.errors;
}

TEST_F(StylizeImages, BadInputIsNamed) {
  std::ofstream(folder_ / "content/cat/bad.jpg") << "no image";
  save_picture(folder_ / "content/cat/tiny.png", 5, 5, 1);
  ToolResult result = stylize({"--styles", "random"});
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_TRUE(has(result.output, "bad.jpg': not an image")) << result.output;
  EXPECT_TRUE(has(result.output, "2 made, 0 done before, 2 left out")) << result.output;

  EXPECT_TRUE(has(stylize({"--alpha", "nan"}).output, "--alpha: must be 0 to 1, got nan ("));
  EXPECT_EQ(stylize({"--alpha", "2"}).exit_code, 2);
  result = run_tool("stylize_images", {"--content", "a", "--style", "b", "-o", "c", "--decoder",
                                       "d", "--content_size", "-1"});
  EXPECT_TRUE(has(result.output, "--content_size: must be 0 or more, got -1 (")) << result.output;
  result = stylize({"--tile", "7"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(has(result.output, "--tile: must be auto, 0 or a multiple of 8, got '7' ("))
      << result.output;
  EXPECT_EQ(stylize({"--style_weights", "1,2"}).exit_code, 2);
  EXPECT_EQ(run_tool("stylize_images", {"--content", "x"}).exit_code, 2);
  std::ofstream(decoder_) << "no weights";
  result = stylize({});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(has(result.output, "decoder.safetensors")) << result.output;
}

TEST_F(StylizeImages, ErrorsComeBeforeAnythingIsWritten) {
  const auto failure = [&](const std::vector<std::string>& more) {
    const ToolResult result = stylize(more);
    EXPECT_NE(result.exit_code, 0) << result.output;
    return result.output;
  };
  const auto weights = [&](const std::string& values) {
    const std::string output = failure({"--styles", "mix", "--style_weights=" + values});
    EXPECT_FALSE(fs::exists(out_)) << values;
    return output;
  };
  EXPECT_TRUE(has(weights("1,2,3"), "--style_weights has 3 values for 2 styles"));
  EXPECT_TRUE(has(weights("2,-1"), "--style_weights: must be 0 or more and finite, got -1"));
  EXPECT_TRUE(has(weights("nan,1"), "--style_weights: must be 0 or more and finite, got nan"));
  EXPECT_TRUE(has(weights("1,inf"), "--style_weights: must be 0 or more and finite, got inf"));
  EXPECT_TRUE(has(weights("0,0"), "--style_weights must not all be 0"));
  EXPECT_TRUE(has(weights("1e308,1e308"), "--style_weights are too large to add"));

  ASSERT_EQ(stylize({"--styles", "mix", "--style_weights", "0,1"}).exit_code, 0);
  const std::string config = read_text(out_ / "config.json");
  save_picture(folder_ / "style/deep/one.png", 20, 20, 1);  // both are deep_one in names
  save_picture(folder_ / "style/deep_one.png", 20, 20, 2);
  const std::string twice = "cat/a_stylized_deep_one_png.png would be made twice";
  EXPECT_TRUE(has(failure({"--alpha", "0.5"}), twice));
  EXPECT_EQ(read_text(out_ / "config.json"), config);
  fs::remove_all(out_);
  EXPECT_TRUE(has(failure({}), twice));
  EXPECT_FALSE(fs::exists(out_));
}

TEST_F(StylizeImages, WeightsThatAreNotFiniteMakeNoPictures) {
  Generator generator(1);
  StateDict weights = models::make_adain_decoder(generator)->state_dict();
  weights.back().tensor = Tensor::full(weights.back().tensor.shape(), INFINITY);
  write_safetensors(decoder_, weights);
  const ToolResult result = stylize({});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.output, "stylize_images: '" + decoder_ + "': " + weights.back().name +
                               " holds values that are not finite\n");
  EXPECT_FALSE(fs::exists(out_));

  weights.back().tensor = Tensor::full(weights.back().tensor.shape(), 3e38);
  weights.front().tensor = Tensor::full(weights.front().tensor.shape(), 3e38);
  write_safetensors(decoder_, weights);
  const ToolResult overflow = stylize({});
  EXPECT_EQ(overflow.exit_code, 1);
  EXPECT_TRUE(
      has(overflow.output, "': cat/a_stylized_one.png would hold values that are not finite"))
      << overflow.output;
  EXPECT_EQ(pictures(), std::vector<std::string>());
}

// A million lines take seconds to write.
TEST(SaveInterval, GrowsWithTheTimeThatASaveTakes) {
  using std::chrono::seconds;
  const tools::SaveInterval::Clock::time_point start{};
  tools::SaveInterval interval(start);
  EXPECT_FALSE(interval.is_due(start + seconds(9)));
  EXPECT_TRUE(interval.is_due(start + seconds(10)));
  interval.saved(start + seconds(10), start + seconds(10));
  EXPECT_FALSE(interval.is_due(start + seconds(19)));
  EXPECT_TRUE(interval.is_due(start + seconds(20)));
  interval.saved(start + seconds(20), start + seconds(23));  // 60 s from its end on
  EXPECT_FALSE(interval.is_due(start + seconds(82)));
  EXPECT_TRUE(interval.is_due(start + seconds(83)));
}

// Of sides that are kept, so that the same squares can be cut here.
TEST_F(StylizeImages, CropsTheMiddleOfContentsAndStyles) {
  const auto cut = [&](const char* from, const char* to, int top, int left, int side) {
    const data::Image whole = data::decode_image(folder_ / from);
    data::Image square(side, side);
    for (int y = 0; y < side; ++y) {
      std::copy_n(whole.row(top + y) + 3 * left, 3 * side, square.row(y));
    }
    fs::create_directories((folder_ / to).parent_path());
    data::save_image(folder_ / to, square);
  };
  cut("content/cat/a.png", "square/a.png", 0, 8, 24);  // of 24x40
  cut("style/two.png", "square/style.png", 2, 0, 26);  // of 30x26
  const auto picture = [&](const char* content, const char* style,
                           const std::vector<std::string>& sizes) {
    std::vector<std::string> flags = {"--content", folder_ / content, "--style",   folder_ / style,
                                      "-o",        folder_ / "cut",   "--decoder", decoder_,
                                      "--quiet",   "--styles",        "mix",       "--save_ext",
                                      ".png",      "--device",        "cpu"};
    flags.insert(flags.end(), sizes.begin(), sizes.end());
    const ToolResult result = run_tool("stylize_images", flags);
    EXPECT_EQ(result.exit_code, 0) << result.output;
    return data::decode_image(folder_ / "cut/a_stylized_interpolation.png");
  };
  const data::Image cropped = picture("content/cat/a.png", "style/two.png",
                                      {"--crop", "--content_size", "24", "--style_size", "26"});
  EXPECT_EQ(cropped.width, 24);
  const std::vector<std::string> as_they_are = {"--content_size", "0", "--style_size", "0"};
  EXPECT_EQ(cropped, picture("square/a.png", "square/style.png", as_they_are));
  EXPECT_NE(cropped, picture("square/a.png", "style/two.png", as_they_are));
}

TEST(Tiles, AreChosenByFreeMemory) {
  using tools::tile_for;
  constexpr int64_t megabyte = 1 << 20;
  EXPECT_EQ(tile_for("auto", 512, 512, 4000 * megabyte), 0);
  const int64_t tile = tile_for("auto", 5000, 5000, 4000 * megabyte);
  EXPECT_GT(tile, 512);
  EXPECT_EQ(tile % 8, 0);
  EXPECT_LE((tile + 128) * (tile + 128) * models::adain_bytes_per_pixel, 2000 * megabyte);
  EXPECT_EQ(tile_for("auto", 5000, 5000, megabyte), 128);
  EXPECT_EQ(tile_for("256", 10, 10, 0), 256);
  EXPECT_EQ(tile_for("0", 50000, 50000, 0), 0);
}

}  // namespace
}  // namespace gestalt::tests
