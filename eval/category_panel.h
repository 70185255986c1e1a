#pragma once

// The panel that two figures have: a row a category, texture fraction below, shape fraction above,
// a vertical line at each observer's mean (internal to eval/).

#include <span>
#include <string>
#include <vector>

#include "eval/gnuplot.h"
#include "eval/summary.h"

namespace gestalt::eval {

struct PanelObserver {
  const ShapeBias* bias;
  LegendEntry look;
};

// Categories from the top: those on which `reference` decides most often for the texture first.
std::vector<size_t> category_order(const ShapeBias& reference);

// Humans where they are among the groups; else the mean of all groups.
std::vector<size_t> category_order(const Summary& summary);

// `id` keeps the data blocks of several panels apart. Later observers lie on top.
void add_category_panel(Gnuplot& plot, const std::string& id, const PanelBox& box,
                        const Categories& categories, std::span<const size_t> order,
                        std::span<const PanelObserver> observers);

// Room round the axes: category names left, tics and titles below and above.
inline constexpr PanelBox panel_room = {0.68, 0.12, 0.36, 0.38};

}  // namespace gestalt::eval
