#include "tools/fewshot/untold.h"

#include "kernels/error.h"

namespace gestalt::tools {

CLI::Validator published_none() {
  const auto rename = [](std::string& text) {
    if (text == "None") text = "none";
    return std::string();
  };
  return CLI::Validator(rename, "");
}

Untold untold_of(const models::FastGanCheckpoint& checkpoint, bool sparsity_given,
                 bool excitation_given) {
  Untold lines;
  if (!checkpoint.sparsity_known && !sparsity_given) {
    lines.sparsity = format(
        "'{}' does not tell where the network was sparse: taken as none; --sparse_hw_info says "
        "otherwise",
        checkpoint.path);
  }
  if (!checkpoint.excitation_known && !excitation_given) {
    const models::Excitation taken = checkpoint.options.excitation;
    lines.excitation = format(
        "'{}' seems to be of {}, so its excitation is taken as {}; --excitation says otherwise",
        checkpoint.path,
        taken == models::Excitation::linear ? "the published code with Top-K"
                                            : "FastGAN's own code",
        models::to_string(taken));
  }
  return lines;
}

}  // namespace gestalt::tools
