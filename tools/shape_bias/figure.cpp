#include "tools/shape_bias/figure.h"

#include "kernels/error.h"
#include "tools/common/output.h"

namespace gestalt::tools {

namespace fs = std::filesystem;

void draw_figure(eval::FigureKind kind, const eval::Summary& summary,
                 const eval::FigureStyle& style, const fs::path& picture) {
  const std::string text = eval::figure_script(kind, summary, style, picture.filename().string());
  fs::path script = fs::absolute(picture);
  script.replace_extension(".gp");
  if (run_gnuplot(script, text)) return;
  std::error_code ignored;
  fs::remove(picture, ignored);
  throw Error(format("'{}' was not drawn", picture.string()));
}

eval::FigureStyle load_figure_style(const std::string& path) {
  return path.empty() ? eval::default_figure_style() : eval::read_figure_style(path);
}

}  // namespace gestalt::tools
