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
  constexpr double legend_left = 0.3;
  const Legend key = lay_out_legend(legend, style.width - legend_left - 0.05, 2, style);
  const PanelLayout layout = lay_out_panel(summary.categories, 0.19, style);
  const PanelBox& room = layout.room;
  const double rows = layout.row_height * static_cast<double>(summary.categories.size());
  const double bottom = key.height + 0.08 + room.bottom;
  Gnuplot plot(picture, style.width, bottom + rows + room.top, style);
  add_legend(plot, key, legend_left, key.height + 0.06, style);
  add_category_panel(plot, "categories",
                     {room.left, style.width - room.right, bottom, bottom + rows}, layout,
                     category_order(summary), observers, style);
  return plot.script();
}

}  // namespace gestalt::eval
