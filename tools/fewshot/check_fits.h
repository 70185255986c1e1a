#pragma once

#include "models/fastgan_checkpoint.h"

namespace gestalt::tools {

// Throws Error naming the first setting that differs from the network's and the flag to give.
void check_fits(const models::FastGanCheckpoint& checkpoint, const models::FastGanOptions& options);

}  // namespace gestalt::tools
