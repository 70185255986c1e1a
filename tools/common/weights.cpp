#include "tools/common/weights.h"

#include "kernels/error.h"
#include "tensor/io/checkpoint.h"

namespace gestalt::tools {

StateDict read_weights(const std::string& path) {
  const Checkpoint checkpoint = read_checkpoint(path);
  const std::vector<Checkpoint::Group> candidates = candidate_groups(checkpoint);
  if (candidates.size() > 1) {
    std::string names;
    for (const auto& group : candidates) names += (names.empty() ? "" : ", ") + group.prefix;
    throw Error(format("'{}' holds several state dicts, choose one (convert_weights --select): {}",
                       path, names));
  }
  return find_state_dict(checkpoint);
}

}  // namespace gestalt::tools
