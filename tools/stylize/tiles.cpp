#include "tools/stylize/tiles.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "kernels/error.h"
#include "models/adain.h"

namespace gestalt::tools {

int64_t tile_for(const std::string& choice, int64_t height, int64_t width, int64_t available) {
  constexpr int64_t step = 8, smallest = 128, largest = 2048;
  if (choice == "auto") {
    const int64_t budget = available / 2 / models::adain_bytes_per_pixel;  // pixels
    if (height * width <= budget) return 0;
    const auto side = static_cast<int64_t>(std::sqrt(static_cast<double>(budget)));
    const int64_t tile = (side - 4 * models::adain_margin) / step * step;
    return std::clamp(tile, smallest, largest);
  }
  int64_t tile = -1;
  const auto [end, error] = std::from_chars(choice.data(), choice.data() + choice.size(), tile);
  GESTALT_CHECK(
      error == std::errc() && end == choice.data() + choice.size() && tile >= 0 && tile % step == 0,
      "must be auto, 0 or a multiple of {}, got '{}'", step, choice);
  return tile;
}

CLI::Validator tile_choice() {
  const auto check = [](const std::string& choice) -> std::string {
    try {
      tile_for(choice, 1, 1, 0);
      return {};
    } catch (const Error& error) {
      return error.what();
    }
  };
  return CLI::Validator(check, "");
}

}  // namespace gestalt::tools
