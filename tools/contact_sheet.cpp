// Pictures in rows and columns with captions, as one PNG (docs/contact_sheet.md).

#include "data/contact_sheet.h"

#include <string>
#include <vector>

#include "data/encode.h"
#include "tensor/counted.h"
#include "tensor/io/atomic_file.h"
#include "tools/common/list_flag.h"
#include "tools/common/output.h"
#include "tools/common/tool.h"

namespace gestalt::tools {
namespace {

struct Settings {
  std::string output, title;
  std::vector<std::string> columns, rows, images;
};

int draw(const Settings& settings) {
  const size_t columns = settings.columns.size();
  if (settings.images.size() != columns * settings.rows.size()) {
    throw UsageError(format("{} and {} need {}, got {}", counted(columns, "column"),
                            counted(settings.rows.size(), "row"),
                            counted(columns * settings.rows.size(), "image"),
                            settings.images.size()));
  }
  for (const std::string& image : settings.images) check_not_input(settings.output, image);
  check_can_write(settings.output);
  data::ContactSheet sheet;
  sheet.title = settings.title;
  sheet.columns = settings.columns;
  sheet.rows = settings.rows;
  for (size_t row = 0; row < settings.rows.size(); ++row) {
    std::vector<data::Image>& cells = sheet.cells.emplace_back();
    for (size_t i = 0; i < columns; ++i) {
      const data::Image image = data::decode_image(settings.images[row * columns + i]);
      cells.push_back(data::fit_cell(image, sheet.cell_size));
    }
  }
  data::save_image(settings.output, data::draw_contact_sheet(sheet));
  return exit_done;
}

}  // namespace
}  // namespace gestalt::tools

int main(int argc, char** argv) {
  using namespace gestalt::tools;
  Tool tool("contact_sheet", "Draws pictures in rows and columns with captions.",
            CommonFlags::none);
  Settings settings;
  CLI::App& app = tool.app();
  app.add_option("-o,--output", settings.output, "the sheet, .png or .jpg")->required();
  app.add_option("--title", settings.title, "title above the sheet");
  add_list(app, "--columns", settings.columns, "caption of each column")->required();
  add_list(app, "--rows", settings.rows, "caption of each row")->required();
  app.add_option("images", settings.images, "the pictures, row by row")
      ->required()
      ->default_str("");
  return tool.run(argc, argv, [&] { return draw(settings); });
}
