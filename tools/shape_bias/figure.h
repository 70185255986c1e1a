#pragma once

// Drawing figures: the script that eval/figures.h makes, run by gnuplot.

#include <filesystem>

#include "eval/figures.h"

namespace gestalt::tools {

// Writes PICTURE, whole or not at all, and its script beside it as PICTURE.gp. Throws Error where
// gnuplot is missing or fails; then a picture that was there before stays.
void draw_figure(eval::FigureKind kind, const eval::Summary& summary,
                 const eval::FigureStyle& style, const std::filesystem::path& picture);

eval::FigureStyle load_figure_style(const std::string& path);  // empty: the default

}  // namespace gestalt::tools
