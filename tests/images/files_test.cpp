#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

#include "data/encode.h"
#include "data/folder.h"
#include "kernels/error.h"
#include "tests/error_of.h"
#include "tests/images/fixtures.h"
#include "tests/temporary_folder.h"

namespace gestalt::data {
namespace {

namespace fs = std::filesystem;

class Files : public testing::Test {
 protected:
  std::string listing_error(const fs::path& path) {
    return tests::error_of([&] { list_images(path); });
  }

  const tests::TemporaryFolder temporary_;
  const fs::path folder = temporary_.path();
};

TEST_F(Files, JpegIsPillowsDefaultJpeg) {
  const Image image = decode_image(fixture("save.png"));
  EXPECT_EQ(encode_image(image, ".JPG"), read_bytes(fixture("save.jpg")));
}

TEST_F(Files, PngKeepsPixels) {
  const Image image = decode_image(fixture("save.png"));
  save_image(folder / "image.png", image);
  EXPECT_EQ(decode_image(folder / "image.png"), image);
  Image grey(3, 5, 1);
  for (size_t i = 0; i < grey.pixels.size(); ++i) grey.pixels[i] = static_cast<uint8_t>(i * 17);
  save_image(folder / "image.png", grey);
  const Image back = decode_image(folder / "image.png");
  for (size_t i = 0; i < back.pixels.size(); ++i) ASSERT_EQ(back.pixels[i], grey.pixels[i / 3]);
}

TEST_F(Files, SavingLeavesNothingElseBehind) {
  save_image(folder / "image.jpg", Image(2, 3), 90);
  EXPECT_THROW(save_image(folder / "missing/image.jpg", Image(2, 3)), Error);
  EXPECT_THROW(save_image(folder / "image.gif", Image(2, 3)), Error);
  const std::string too_wide =
      tests::error_of([&] { save_image(folder / "wide.jpg", Image(1, longest_jpeg_side + 1)); });
  EXPECT_TRUE(too_wide.starts_with("cannot write '" + (folder / "wide.jpg").string() + "': "))
      << too_wide;
  EXPECT_NO_THROW(save_image(folder / "wide.jpg", Image(1, longest_jpeg_side)));
  EXPECT_THROW(save_image(folder / "image.jpg", Image()), Error);
  fs::create_directories(folder / "taken.png/inside");  // a folder in the target's place
  EXPECT_THROW(save_image(folder / "taken.png", Image(2, 3)), Error);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 3);  // image, wide, taken
}

TEST_F(Files, ListsImagesSorted) {
  for (const char* name : {"b.JPG", "a.png", "c.webp", ".hidden.png", "notes.txt", "B.Jpeg"}) {
    std::ofstream(folder / name) << "x";
  }
  fs::create_directory(folder / "folder.png");
  for (const char* name : {"z.gif", "d.HEIC", ".hidden.gif", "data.csv"}) {
    std::ofstream(folder / name) << "x";
  }
  fs::create_directory(folder / "folder.gif");
  const std::vector<fs::path> expected = {folder / "B.Jpeg", folder / "a.png", folder / "b.JPG",
                                          folder / "c.webp"};
  EXPECT_EQ(list_images(folder), expected);
  std::vector<fs::path> passed_over;
  EXPECT_EQ(list_images(folder, &passed_over), expected);
  EXPECT_EQ(passed_over, (std::vector{folder / "d.HEIC", folder / "z.gif"}));
  EXPECT_EQ(list_images(folder / "notes.txt"), std::vector{folder / "notes.txt"});
}

TEST_F(Files, ListingErrorsNameThePath) {
  EXPECT_NE(listing_error(folder / "missing").find("missing': no such file"), std::string::npos);
  EXPECT_NE(listing_error(folder).find("the folder is empty"), std::string::npos);
  std::ofstream(folder / "notes.txt") << "x";
  EXPECT_NE(listing_error(folder).find("no images among its 1 entries"), std::string::npos);
}

}  // namespace
}  // namespace gestalt::data
