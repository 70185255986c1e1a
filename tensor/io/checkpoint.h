#pragma once

// Weights made elsewhere, as named tensors: safetensors, PyTorch zip archives, legacy streams,
// TorchScript archives, pickled modules. Told apart by content, not by name. Nothing in a file is
// ever run.
//
// f32, f64, f16, bf16, i64 and u8 keep their type; narrower integers become i64, bool becomes u8.
// Tensors that share a storage share memory here too, and keep their strides; those of safetensors
// and stored legacy files use the file's mapped pages.
//
// Errors name the file and the reason: missing, empty, truncated, not a checkpoint (HTML, text
// ...), a Git LFS pointer, a storage out of bounds, a refused name, a pickle bomb.

#include <string>
#include <vector>

#include "tensor/io/bytes.h"
#include "tensor/io/safetensors.h"
#include "tensor/state_dict.h"

namespace gestalt {

struct Checkpoint {
  // A dict or list that holds tensors directly, or a module: what a state dict may be.
  struct Group {
    std::string prefix;  // "state_dict", "g_ema"; "" for the whole file
    bool is_list = false;
    bool numbers_alone = false;  // every tensor that it holds directly has one element
  };

  std::string path;
  std::string format;  // "PyTorch zip archive"
  StateDict tensors;   // full dotted names, "state_dict.conv1.weight"
  std::vector<Group> groups;
  struct Number {
    std::string name;
    double value;
  };
  std::vector<Number> numbers;           // where asked for
  std::vector<std::string> passed_over;  // lines for the user: optimizer states, numbers
  Metadata metadata;                     // safetensors' own
};

struct ReadOptions {
  // Also optimizer states, tensors and numbers ("optimizer.param_groups.0.lr"), and all other
  // numbers.
  bool training_state = false;
};
Checkpoint read_checkpoint(const std::string& path, const ReadOptions& options = {});
Checkpoint read_checkpoint(const Bytes& bytes, const std::string& path,
                           const ReadOptions& options = {});

struct SelectOptions {
  std::string prefix;  // a group or a dotted prefix; "" finds the only group by itself
  // Taken off the front of every name that has it.
  std::string strip{data_parallel_prefix};
};

// The tensors under the prefix, named without it; a list's keep its last part ("g_ema.0"). Throws
// Error with the choices where the prefix is not there, or none is given and there are several.
StateDict find_state_dict(const Checkpoint& checkpoint, const SelectOptions& options = {});

// The groups that `prefix` may name: not the parts of others, nor those that hold single numbers
// beside real ones.
std::vector<Checkpoint::Group> candidate_groups(const Checkpoint& checkpoint);

// read_checkpoint and find_state_dict.
StateDict load_weights(const std::string& path, const SelectOptions& options = {});

}  // namespace gestalt
