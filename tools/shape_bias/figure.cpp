#include "tools/shape_bias/figure.h"

#include "kernels/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/bytes.h"
#include "tools/common/gnuplot.h"
#include "tools/common/scratch_folder.h"

namespace gestalt::tools {

namespace fs = std::filesystem;

void draw_figure(eval::FigureKind kind, const eval::Summary& summary,
                 const eval::FigureStyle& style, const fs::path& picture) {
  const std::string name = picture.filename().string();
  const std::string text = eval::figure_script(kind, summary, style, name);
  fs::path script = picture;
  script += ".gp";  // with the picture's own extension, so that box.png and box.pdf have one each
  // The script names the picture without a folder, so where it runs decides where it draws.
  const ScratchFolder folder;
  GESTALT_CHECK(run_gnuplot(script, text, folder.path()), "'{}' was not drawn", picture.string());
  const Bytes drawn = map_file((folder / name).string());
  write_file_atomically(picture.string(), drawn.data, drawn.size);
}

eval::FigureStyle load_figure_style(const std::string& path) {
  return path.empty() ? eval::default_figure_style() : eval::read_figure_style(path);
}

}  // namespace gestalt::tools
