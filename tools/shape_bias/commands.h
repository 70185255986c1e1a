#pragma once

// The subcommands of shape_bias. Each adds itself to the tool and returns what runs it.

#include <functional>

#include "tools/common/tool.h"

namespace gestalt::tools {

struct Command {
  CLI::App* app = nullptr;
  std::function<int()> run;
};

Command add_evaluate(Tool& tool);
Command add_summarize(Tool& tool);
Command add_plot(Tool& tool);
Command add_report(Tool& tool);
Command add_style(Tool& tool);

}  // namespace gestalt::tools
