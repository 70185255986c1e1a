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

// What stands round the axes; inches.
struct PanelLayout {
  RowLabels labels;  // of the categories, in their own order
  PanelBox room;     // what labels, tics and titles take on each side
  double row_height;
  std::string texture_title, shape_title;  // broken by line feeds
  double tic_step;
};
// In a figure, or a part of one, that is as wide as the style says; rows of `least_row_height`, or
// more where names of several lines need it.
PanelLayout lay_out_panel(const Categories& categories, double least_row_height,
                          const FigureStyle& style);

// `id` keeps the data blocks of several panels apart. Later observers lie on top.
void add_category_panel(Gnuplot& plot, const std::string& id, const PanelBox& box,
                        const PanelLayout& layout, std::span<const size_t> order,
                        std::span<const PanelObserver> observers, const FigureStyle& style);

}  // namespace gestalt::eval
