#include "tensor/io/flatten.h"

#include <algorithm>
#include <optional>
#include <set>

#include "kernels/error.h"

namespace gestalt::pickle {
namespace {

constexpr int deepest = 64;
constexpr size_t free_visits = 4096;  // shared values are visited each time, but not without end
constexpr size_t most_tensors = size_t{1} << 20;
constexpr size_t longest_name = 1024;
constexpr size_t most_name_bytes = size_t{1} << 28;

std::string joined(const std::string& prefix, const std::string& name) {
  std::string result = prefix.empty() || name.empty() ? prefix + name : prefix + '.' + name;
  GESTALT_CHECK(result.size() <= longest_name, "a name of more than {} bytes: {}...", longest_name,
                result.substr(0, 80));
  return result;
}

class Flattener {
 public:
  Flattener(const Arena& arena, const FlattenOptions& options)
      : options_(options), most_visits_(free_visits + 16 * (arena.spent() / sizeof(Value))) {}

  FlatTree run(const Value& root) {
    if (root.is(Kind::tensor)) tree_.groups.push_back({"", false, false});
    visit("", root, 0);
    if (others_ > 0) {
      std::string line = others_ == 1 ? "a value that is not a tensor: "
                                      : format("{} values that are not tensors: ", others_);
      for (size_t i = 0; i < names_of_others_.size(); ++i) {
        line += (i == 0 ? "" : ", ") + names_of_others_[i];
      }
      if (others_ > names_of_others_.size()) line += " ...";
      tree_.passed_over.push_back(std::move(line));
    }
    return std::move(tree_);
  }

 private:
  void visit(const std::string& name, const Value& value, int depth) {
    GESTALT_CHECK(depth <= deepest, "the checkpoint is nested more than {} deep", deepest);
    GESTALT_CHECK(++visited_ <= most_visits_,
                  "the checkpoint's lists and dicts share parts so that it has more than {} values",
                  most_visits_);
    if (value.is(Kind::tensor)) {
      add(name, value.as_tensor());
    } else if (value.is(Kind::dict)) {
      visit_dict(name, value, depth);
    } else if (value.is_sequence()) {
      visit_list(name, value, depth);
    } else if (value.is(Kind::object)) {
      visit_object(name, value, depth);
    } else if (options_.training_state && as_number(value)) {
      tree_.numbers.push_back({stored(name), *as_number(value)});
    } else {
      pass_over(name);
    }
  }

  static std::optional<double> as_number(const Value& value) {
    if (value.is(Kind::boolean)) return value.boolean ? 1 : 0;
    if (value.is(Kind::integer)) return static_cast<double>(value.integer);
    if (value.is(Kind::real)) return value.real;
    return std::nullopt;
  }

  void add(const std::string& name, TensorRecord& record) {
    GESTALT_CHECK(tree_.tensors.size() < most_tensors, "the checkpoint has more than {} tensors",
                  most_tensors);
    tree_.tensors.push_back({stored(name.empty() ? "tensor" : name), &record});
  }

  // Shared containers give many long names from few bytes.
  std::string stored(const std::string& name) {
    name_bytes_ += name.size();
    GESTALT_CHECK(name_bytes_ <= most_name_bytes,
                  "the names of the tensors take more than {} bytes", most_name_bytes);
    return name;
  }

  void pass_over(const std::string& name) {
    constexpr size_t most_shown = 8;
    ++others_;
    if (names_of_others_.size() < most_shown) {
      names_of_others_.push_back(name.empty() ? "the whole file" : name);
    }
  }

  static bool is_number(const Value& value) {
    const std::vector<int64_t>& sizes = value.as_tensor().sizes;
    return std::all_of(sizes.begin(), sizes.end(), [](int64_t size) { return size == 1; });
  }

  static std::string key_name(const Value& key) {
    if (key.is(Kind::text)) return key.as_text();
    if (key.is(Kind::integer)) return std::to_string(key.as_integer());
    return to_string(key.kind);
  }

  void visit_dict(const std::string& name, const Value& dict, int depth) {
    if (!options_.training_state && dict.find("state") != nullptr &&
        dict.find("param_groups") != nullptr) {
      tree_.passed_over.push_back(name.empty() ? "the state of an optimizer"
                                               : "the optimizer state '" + name + "'");
      return;
    }
    const auto& entries = dict.entries();
    const auto is_tensor = [](const auto& entry) { return entry.second.is(Kind::tensor); };
    if (std::any_of(entries.begin(), entries.end(), is_tensor)) {
      const bool numbers_alone = std::all_of(
          entries.begin(), entries.end(),
          [&](const auto& entry) { return !is_tensor(entry) || is_number(entry.second); });
      tree_.groups.push_back({stored(name), false, numbers_alone});
    }
    for (const auto& [key, value] : entries) {
      visit(joined(name, key_name(key)), value, depth + 1);
    }
  }

  void visit_list(const std::string& name, const Value& list, int depth) {
    const std::vector<Value>& items = list.items();
    const bool has_tensor = std::any_of(items.begin(), items.end(),
                                        [](const Value& item) { return item.is(Kind::tensor); });
    if (has_tensor) tree_.groups.push_back({stored(name), true, false});
    const bool has_more = has_tensor || std::any_of(items.begin(), items.end(), [](const Value& v) {
                            return v.is(Kind::dict) || v.is_sequence() || v.is(Kind::object);
                          });
    if (!has_more && !options_.training_state) {
      // A list of numbers is one value.
      visited_ += items.size() / 64;
      return pass_over(name);
    }
    for (size_t i = 0; i < items.size(); ++i) {
      visit(joined(name, std::to_string(i)), items[i], depth + 1);
    }
  }

  void visit_object(const std::string& name, const Value& value, int depth) {
    const Object& object = std::get<Object>(value.node->content);
    if (!object.state.is(Kind::dict)) return pass_over(name);
    const std::string& type = object.type.as_text();
    const bool is_module = object.state.find("_modules") != nullptr;
    if (!is_module && !type.starts_with("__torch__.")) return pass_over(name);
    if (modules_ == 0) tree_.groups.push_back({stored(name), false, false});
    ++modules_;
    if (is_module) {
      visit_module(name, object.state, depth);
    } else {
      for (const auto& [key, member] : object.state.entries()) {
        if (member.is(Kind::tensor)) add(joined(name, key_name(key)), member.as_tensor());
        if (member.is(Kind::object)) visit(joined(name, key_name(key)), member, depth + 1);
      }
    }
    --modules_;
  }

  // A torch.nn.Module's own dicts: what its state_dict() would give.
  void visit_module(const std::string& name, const Value& state, int depth) {
    std::set<std::string> left_out;
    if (const Value* names = state.find("_non_persistent_buffers_set")) {
      if (names->is(Kind::set)) {
        for (const Value& item : names->items()) left_out.insert(item.as_text());
      }
    }
    for (const char* kind : {"_parameters", "_buffers", "_modules"}) {
      const Value* members = state.find(kind);
      if (members == nullptr || !members->is(Kind::dict)) continue;
      for (const auto& [key, member] : members->entries()) {
        const std::string key_text = key_name(key);
        if (member.is(Kind::none) || left_out.contains(key_text)) continue;
        visit(joined(name, key_text), member, depth + 1);
      }
    }
  }

  FlattenOptions options_;
  FlatTree tree_;
  size_t most_visits_;
  size_t visited_ = 0, others_ = 0, name_bytes_ = 0;
  int modules_ = 0;
  std::vector<std::string> names_of_others_;
};

}  // namespace

FlatTree flatten(const Value& root, const Arena& arena, const FlattenOptions& options) {
  return Flattener(arena, options).run(root);
}

}  // namespace gestalt::pickle
