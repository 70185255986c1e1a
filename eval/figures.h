#pragma once

// The figures of shape bias, as gnuplot scripts (docs/shape_bias.md shows them).

#include <string>

#include "eval/figure_style.h"
#include "eval/summary.h"

namespace gestalt::eval {

enum class FigureKind {
  categories,  // a row a category: fractions of texture and shape decisions, a marker an observer
  box,         // shape bias over the categories: quartiles and range, an observer a row
  ablation,    // the same rows for the sparsities of each network, and shape bias over what is kept
};

// `picture` is the file that the script writes. Throws Error where the summary holds nothing to
// show: for the ablation, no network with two sparsities ("NAME_normal", "NAME_topK_10").
std::string figure_script(FigureKind kind, const Summary& summary, const FigureStyle& style,
                          const std::string& picture);

// Whether there is something for the ablation to show.
bool has_sparsities(const Summary& summary);

}  // namespace gestalt::eval
