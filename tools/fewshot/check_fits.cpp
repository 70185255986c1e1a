#include "tools/fewshot/check_fits.h"

#include "kernels/error.h"

namespace gestalt::tools {

void check_fits(const models::FastGanCheckpoint& checkpoint,
                const models::FastGanOptions& options) {
  const auto difference = models::first_difference(checkpoint, options);
  if (!difference) return;
  auto [setting, there, here] = *difference;  // flags are named as the settings are
  std::string advice = format("give --{} {}", setting, there);
  if (setting == "noise") {
    advice = there == "1" ? "give --noise" : "leave --noise out";
    for (std::string* value : {&there, &here}) *value = *value == "1" ? "on" : "off";
  }
  throw Error(
      format("'{}' is of --{} {}, not {}: {}", checkpoint.path, setting, there, here, advice));
}

}  // namespace gestalt::tools
