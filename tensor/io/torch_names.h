#pragma once

// (internal to tensor/io/) What the names in PyTorch's pickles mean, as data: a fixed table; every
// other name is refused by name. Classes of torch.nn.modules and of TorchScript archives
// (__torch__.*) become records of their state.

#include <functional>
#include <set>
#include <string>

#include "tensor/io/pickle.h"

namespace gestalt::pickle {

class TorchNames : public PickleNames {
 public:
  // Finds or makes the storage of a persistent id ('storage', type, key, location, count[, view]).
  using FindStorage = std::function<Value(Arena& arena, const Value& id)>;
  explicit TorchNames(FindStorage find_storage, int depth = 0)
      : find_storage_(std::move(find_storage)), depth_(depth) {}

  // Classes of this Python module become records too (modules whose source the file carries).
  void allow_module(std::string module) { allowed_modules_.insert(std::move(module)); }

  void check_global(const std::string& name) override;
  Value call(Arena& arena, const Value& global, std::span<const Value> arguments) override;
  Value persistent(Arena& arena, const Value& id) override;

  // How many pickles this one stands inside (torch.storage._load_from_bytes).
  int depth() const { return depth_; }

 private:
  bool is_record_class(const std::string& name) const;

  FindStorage find_storage_;
  int depth_;
  std::set<std::string> allowed_modules_;
};

// A storage made of ('storage', type, key, location, count[, view]); its bytes come later.
Value make_storage_record(Arena& arena, const Value& id);
const std::string& storage_key(const Value& id);

}  // namespace gestalt::pickle
