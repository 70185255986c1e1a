#pragma once

// One function a kind of figure; figures.h chooses (internal to eval/).

#include <string>

#include "eval/figure_style.h"
#include "eval/summary.h"

namespace gestalt::eval {

std::string category_figure(const Summary& summary, const FigureStyle& style,
                            const std::string& picture);
std::string box_figure(const Summary& summary, const FigureStyle& style,
                       const std::string& picture);
std::string ablation_figure(const Summary& summary, const FigureStyle& style,
                            const std::string& picture);

}  // namespace gestalt::eval
