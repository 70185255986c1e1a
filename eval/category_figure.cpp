#include "eval/category_panel.h"
#include "eval/figure_kinds.h"

namespace gestalt::eval {

std::string category_figure(const Summary& summary, const FigureStyle& style,
                            const std::string& picture) {
  std::vector<std::string> names;
  for (const GroupSummary& group : summary.groups) names.push_back(group.name);
  std::vector<PanelObserver> observers;
  std::vector<LegendEntry> legend;
  for (const StyledObserver& each : assign_styles(names, style)) {
    legend.push_back({each.label, each.color, each.point_type});
    // The first of the legend, people, lie on top.
    observers.insert(observers.begin(), {&summary.groups[each.index].bias, legend.back()});
  }
  const int columns = 2;
  const double legend_space = legend_height(legend.size(), columns) + 0.08;
  const double rows = 0.19 * static_cast<double>(summary.categories.size());
  const double height = legend_space + panel_room.bottom + rows + panel_room.top;
  Gnuplot plot(picture, style.width, height, style);
  add_legend(plot, legend, 0.3, legend_space - 0.02, columns);
  const double bottom = legend_space + panel_room.bottom;
  add_category_panel(plot, "categories",
                     {panel_room.left, style.width - panel_room.right, bottom, bottom + rows},
                     summary.categories, category_order(summary), observers);
  return plot.script();
}

}  // namespace gestalt::eval
