// Shape bias of networks and people (docs/shape_bias.md).

#include <vector>

#include "tools/shape_bias/commands.h"

int main(int argc, char** argv) {
  using namespace gestalt::tools;
  Tool tool("shape_bias",
            "Do observers decide by the shape or by the texture of images in which both disagree?",
            CommonFlags::none);
  tool.app().require_subcommand(1);
  const std::vector<Command> commands = {add_evaluate(tool), add_summarize(tool), add_plot(tool),
                                         add_report(tool), add_style(tool)};
  return tool.run(argc, argv, [&] {
    for (const Command& command : commands) {
      if (command.app->parsed()) return command.run();
    }
    return static_cast<int>(exit_usage);
  });
}
