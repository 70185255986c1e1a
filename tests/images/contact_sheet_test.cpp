#include "data/contact_sheet.h"

#include <algorithm>
#include <cstdlib>
#include <gtest/gtest.h>

#include "data/encode.h"
#include "kernels/error.h"
#include "tests/images/fixtures.h"

namespace gestalt::data {
namespace {

Image filled(int height, int width, uint8_t red, uint8_t green, uint8_t blue) {
  Image image(height, width);
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    image.pixels[i] = red;
    image.pixels[i + 1] = green;
    image.pixels[i + 2] = blue;
  }
  return image;
}

struct Area {
  int left = 1 << 20, top = 1 << 20, right = -1, bottom = -1;
};

Area area_of(const Image& sheet, uint8_t red, uint8_t green, uint8_t blue) {
  Area area;
  for (int y = 0; y < sheet.height; ++y) {
    for (int x = 0; x < sheet.width; ++x) {
      const uint8_t* p = sheet.row(y) + 3 * x;
      if (p[0] != red || p[1] != green || p[2] != blue) continue;
      area = {std::min(area.left, x), std::min(area.top, y), std::max(area.right, x),
              std::max(area.bottom, y)};
    }
  }
  return area;
}

int dark_pixels(const Image& sheet, int top, int bottom, int left, int right) {
  int count = 0;
  for (int y = top; y < bottom; ++y) {
    for (int x = left; x < right; ++x) count += *(sheet.row(y) + 3 * x) < 100;
  }
  return count;
}

TEST(ContactSheet, PlacesPicturesAndCaptions) {
  ContactSheet sheet;
  sheet.title = "A title";
  sheet.columns = {"left", "right"};
  sheet.rows = {"above", "below"};
  sheet.cells = {{filled(10, 10, 255, 0, 0), filled(10, 20, 0, 255, 0)},
                 {Image(), filled(20, 10, 0, 0, 255)}};
  sheet.cell_size = 64;
  const Image image = draw_contact_sheet(sheet);
  const Area red = area_of(image, 255, 0, 0), green = area_of(image, 0, 255, 0),
             blue = area_of(image, 0, 0, 255);
  EXPECT_EQ(red.right - red.left, 63);
  EXPECT_EQ(red.bottom - red.top, 63);
  EXPECT_EQ(green.right - green.left, 63);
  EXPECT_EQ(green.bottom - green.top, 31);
  EXPECT_EQ(blue.right - blue.left, 31);
  EXPECT_EQ(blue.bottom - blue.top, 63);
  EXPECT_LT(red.right, green.left);
  EXPECT_LT(red.bottom, blue.top);
  EXPECT_EQ(green.left + green.right, blue.left + blue.right);            // centred in the column
  EXPECT_GT(dark_pixels(image, 0, red.top, 0, red.left), 20);             // the title
  EXPECT_GT(dark_pixels(image, 60, red.top, red.left, red.right), 10);    // "left"
  EXPECT_GT(dark_pixels(image, red.top, red.bottom, 0, red.left), 20);    // "above"
  EXPECT_GT(dark_pixels(image, blue.top, blue.bottom, 0, red.left), 20);  // "below"
  EXPECT_EQ(dark_pixels(image, blue.top, blue.bottom, red.left, red.right), 0);  // the blank cell
}

TEST(ContactSheet, OfFittedPicturesIsTheSame) {
  ContactSheet sheet, fitted;
  sheet.columns = fitted.columns = {"a", "b", "c"};
  sheet.cell_size = fitted.cell_size = 61;
  for (const auto& [height, width] : {std::pair(61, 61), {400, 300}, {7, 11}, {1, 500}, {97, 3}}) {
    Image picture(height, width), grey(height, width, 1);
    for (size_t i = 0; i < picture.pixels.size(); ++i) {
      picture.pixels[i] = static_cast<uint8_t>(i * i / 7);
    }
    std::copy_n(picture.pixels.begin(), grey.pixels.size(), grey.pixels.begin());
    sheet.cells.push_back({picture, Image(), grey});
    std::vector<Image>& row = fitted.cells.emplace_back();
    for (const Image& image : sheet.cells.back()) row.push_back(fit_cell(image, fitted.cell_size));
    EXPECT_EQ(std::max(row[0].height, row[0].width), 61);
    EXPECT_EQ(row[2].channels, 1);
  }
  EXPECT_EQ(draw_contact_sheet(fitted), draw_contact_sheet(sheet));
}

TEST(ContactSheet, LongCaptionsStayInside) {
  ContactSheet sheet;
  sheet.title = "a title that is much too long for a sheet with a single column of small pictures";
  sheet.columns = {"averyveryveryveryveryveryverylongword_without_any_space.jpg"};
  sheet.rows = {
      "gr\xc3\xbc\xc3\x9f"
      "e\nand a second line of text that goes on"};
  sheet.cells = {{filled(8, 8, 255, 0, 0)}};
  sheet.cell_size = 64;
  const Image image = draw_contact_sheet(sheet);
  EXPECT_EQ(dark_pixels(image, 0, image.height, 0, 16), 0);
  EXPECT_EQ(dark_pixels(image, 0, image.height, image.width - 16, image.width), 0);
}

TEST(ContactSheet, RejectsWhatDoesNotMatch) {
  ContactSheet sheet;
  EXPECT_THROW(draw_contact_sheet(sheet), Error);
  sheet.cells = {{Image(4, 4)}};
  EXPECT_NO_THROW(draw_contact_sheet(sheet));
  sheet.columns = {"one", "two"};
  EXPECT_THROW(draw_contact_sheet(sheet), Error);
  sheet.columns = {"one"};
  sheet.rows = {"one", "two"};
  EXPECT_THROW(draw_contact_sheet(sheet), Error);
}

}  // namespace
}  // namespace gestalt::data
