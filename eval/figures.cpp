#include "eval/figures.h"

#include "eval/figure_kinds.h"

namespace gestalt::eval {

std::string figure_script(FigureKind kind, const Summary& summary, const FigureStyle& style,
                          const std::string& picture) {
  switch (kind) {
    case FigureKind::categories:
      return category_figure(summary, style, picture);
    case FigureKind::box:
      return box_figure(summary, style, picture);
    case FigureKind::ablation:
      break;
  }
  return ablation_figure(summary, style, picture);
}

}  // namespace gestalt::eval
