#include "tools/stylize/samples.h"

#include "data/contact_sheet.h"
#include "data/encode.h"
#include "data/preprocess.h"
#include "data/transforms.h"
#include "kernels/error.h"
#include "models/adain.h"

namespace gestalt::tools {
namespace {

constexpr int64_t most = 4;

data::Image read_square(const data::ImageSource& source, int64_t i, int image_size, int crop_size) {
  const auto image = source.open(i);
  data::Geometry geometry = data::whole_image(image->height(), image->width());
  data::resize_to(geometry, image_size, image_size);
  data::center_crop(geometry, crop_size, crop_size);
  return data::render(geometry, image->decode_whole());
}

std::vector<data::Image> read_some(const data::ImageSource& source, int image_size, int crop_size) {
  std::vector<data::Image> images;
  const int64_t wanted = std::min(most, source.size());
  std::string reason;
  for (int64_t k = 0; k < wanted; ++k) {
    // The first that can be read of its share of the set.
    for (int64_t i = k * source.size() / wanted; i < (k + 1) * source.size() / wanted; ++i) {
      try {
        images.push_back(read_square(source, i, image_size, crop_size));
        break;
      } catch (const Error& error) {
        reason = error.what();
      }
    }
  }
  GESTALT_CHECK(!images.empty(), "'{}': none of the pictures can be read; the last: {}",
                source.location(), reason);
  return images;
}

}  // namespace

Samples::Samples(const data::ImageSource& contents, const data::ImageSource& styles, int image_size,
                 int crop_size)
    : contents_(read_some(contents, image_size, crop_size)),
      styles_(read_some(styles, image_size, crop_size)) {}

void Samples::save(const std::filesystem::path& path, const std::string& title,
                   const std::shared_ptr<nn::Sequential>& encoder,
                   const std::shared_ptr<nn::Sequential>& decoder) const {
  const models::Stylizer stylizer(encoder, decoder);
  const auto tensor_of = [](const data::Image& image) {
    return data::to_unit_tensor(image).to(default_device());
  };
  data::ContactSheet sheet{
      .title = title, .columns = {}, .rows = {}, .cells = {}, .cell_size = 160};
  std::vector<nn::ChannelStats> stats;
  sheet.cells.push_back({data::Image()});
  for (const data::Image& style : styles_) {
    sheet.cells[0].push_back(style);
    stats.push_back(stylizer.style(tensor_of(style)));
  }
  for (const data::Image& content : contents_) {
    std::vector<data::Image> row = {content};
    for (const nn::ChannelStats& style : stats) {
      row.push_back(data::from_unit_tensor(stylizer.stylize(tensor_of(content), style, 1)));
    }
    sheet.cells.push_back(std::move(row));
  }
  data::save_image(path, data::draw_contact_sheet(sheet));
}

}  // namespace gestalt::tools
