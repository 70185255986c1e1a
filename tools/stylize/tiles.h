#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

namespace gestalt::tools {

// The side of a tile for an image of height x width: 0 for no tiles. `choice`: "auto", "0" or a
// multiple of 8; auto takes tiles where the whole would need more than half of `available`. Throws
// Error for anything else.
int64_t tile_for(const std::string& choice, int64_t height, int64_t width, int64_t available);

// For Option::check: what tile_for takes.
CLI::Validator tile_choice();

}  // namespace gestalt::tools
