#pragma once

// The published code's checkpoints under our names (internal to models/fastgan_checkpoint.h).

#include "models/fastgan_checkpoint.h"
#include "tensor/io/checkpoint.h"

namespace gestalt::models {

// `file`: read with its training state. Throws Error, without the path.
FastGanCheckpoint from_published_form(Checkpoint file);

}  // namespace gestalt::models
