#pragma once

// The state of torch.optim's SGD, Adam or AdamW out of a file of torch.save, for the optimizers
// here, whose names are the same.
//
//   const Checkpoint checkpoint = read_checkpoint("train.pth", {.training_state = true});
//   network.load_state_dict(find_state_dict(checkpoint, {.prefix = "model"}));
//   optimizer.load_state_dict(torch_state(checkpoint, "optimizer.", optimizer));

#include <string>

#include "optim/optimizer.h"
#include "tensor/io/checkpoint.h"

namespace gestalt::optim {

// Of the entries behind `prefix`, which ends with a dot or is empty. What older versions of torch
// did not write (decoupled_weight_decay: they told Adam from AdamW by the class) stays as `into`
// has it. Error: no such entries (the file must be read with training_state), a step that is no
// whole number, and what is not done here and would change the steps (amsgrad, maximize).
StateDict torch_state(const Checkpoint& checkpoint, const std::string& prefix,
                      const Optimizer& into);

}  // namespace gestalt::optim
