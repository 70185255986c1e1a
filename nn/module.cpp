#include "nn/module.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "kernels/error.h"
#include "tensor/autograd.h"

namespace gestalt::nn {
namespace {

std::string joined(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + '.' + name;
}

// DataParallel may wrap a whole network or a part of one.
std::string unwrapped(const std::string& name) {
  std::string result;
  for (size_t begin = 0; begin < name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size() - 1) + 1;
    const std::string_view part = std::string_view(name).substr(begin, end - begin);
    if (part != data_parallel_prefix) result += part;
    begin = end;
  }
  return result;
}

// Under the names that the network has for them: as they are, or unwrapped.
StateDict under_own_names(const StateDict& state, const std::vector<Module::Named>& own) {
  std::set<std::string_view> names;
  for (const Module::Named& entry : own) names.insert(entry.name);
  StateDict result;
  for (const NamedTensor& entry : state) {
    result.push_back(
        {names.contains(entry.name) ? entry.name : unwrapped(entry.name), entry.tensor});
  }
  return result;
}

// "3 missing (a, b, c)": the count tells how far off it is, a few names of what kind.
std::string some_of(const std::vector<std::string>& names, const char* what) {
  constexpr size_t most = 3;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), most); ++i) {
    text += (i > 0 ? ", " : "") + names[i];
  }
  if (names.size() > most) text += ", ...";
  return std::to_string(names.size()) + " " + what + " (" + text + ")";
}

std::string in_one_line(const StateDictReport& report) {
  std::vector<std::string> shapes;
  for (const StateDictReport::Mismatch& each : report.mismatched) {
    shapes.push_back(each.name + ": expected " + each.expected + ", found " + each.found);
  }
  std::string line;
  const auto add = [&](const std::vector<std::string>& names, const char* what) {
    if (!names.empty()) line += (line.empty() ? "" : "; ") + some_of(names, what);
  };
  add(report.missing, "missing");
  add(report.unexpected, "unexpected");
  add(shapes, "of another shape");
  return line;
}

void check_name(const char* what, const std::string& name) {
  GESTALT_CHECK(!name.empty() && name.find('.') == std::string::npos,
                "the name of a {} can't be '{}': it is one part of a dotted path", what, name);
}

std::string names_of(const std::vector<Module::Child>& children) {
  std::string names;
  for (const Module::Child& child : children) names += (names.empty() ? "" : ", ") + child.name;
  return names.empty() ? "no modules" : names;
}

}  // namespace

Tensor Module::forward(const Tensor&) {
  throw Error("this module has no forward of one input and one output");
}

Tensor Module::operator()(const Tensor& x) {
  if (!has_forward_hooks()) return forward(x);
  Tensor input = x;
  // Copies: a hook may add or remove some, itself too.
  const auto pre_hooks = pre_hooks_;
  for (const auto& entry : pre_hooks) {
    if (Tensor replaced = entry.hook(input); replaced.defined()) input = replaced;
  }
  Tensor y = forward(input);
  const auto hooks = hooks_;
  for (const auto& entry : hooks) {
    if (Tensor replaced = entry.hook(input, y); replaced.defined()) y = replaced;
  }
  return y;
}

int64_t Module::register_forward_pre_hook(ForwardPreHook hook) {
  pre_hooks_.push_back({next_hook_, std::move(hook)});
  return next_hook_++;
}

int64_t Module::register_forward_hook(ForwardHook hook) {
  return register_forward_hook(
      [hook = std::move(hook)](const Tensor&, const Tensor& output) { return hook(output); });
}

int64_t Module::register_forward_hook(InputOutputHook hook) {
  hooks_.push_back({next_hook_, std::move(hook)});
  return next_hook_++;
}

void Module::remove_forward_hook(int64_t number) {
  const auto has_number = [number](const auto& entry) { return entry.number == number; };
  std::erase_if(pre_hooks_, has_number);
  std::erase_if(hooks_, has_number);
}

void Module::check_new(const char* what, const std::string& name) const {
  check_name(what, name);
  for (const auto* own : {&parameters_, &buffers_}) {
    for (const Named& entry : *own) {
      GESTALT_CHECK(entry.name != name, "two parameters or buffers are named '{}'", name);
    }
  }
}

void Module::register_parameter(std::string name, Tensor& member, Tensor value) {
  check_new("parameter", name);
  GESTALT_CHECK(value.defined(), "the parameter '{}' is an undefined tensor", name);
  member = std::move(value);
  member.set_requires_grad(true);
  parameters_.push_back({std::move(name), &member, false});
}

void Module::register_buffer(std::string name, Tensor& member, Tensor value, InFiles in_files) {
  check_new("buffer", name);
  GESTALT_CHECK(value.defined(), "the buffer '{}' is an undefined tensor", name);
  member = std::move(value);
  buffers_.push_back({std::move(name), &member, in_files == InFiles::optional});
}

void Module::add_child(std::string name, std::shared_ptr<Module> module, size_t position) {
  check_name("module", name);
  GESTALT_CHECK(module != nullptr, "child '{}' is a null pointer", name);
  GESTALT_CHECK(!find_child(name), "two children are named '{}'", name);
  children_.insert(children_.begin() + static_cast<std::ptrdiff_t>(position),
                   {std::move(name), std::move(module)});
}

std::vector<Module::Named> Module::collect(Tensors wanted) const {
  std::vector<Named> out;
  const auto visit = [&](const auto& self, const std::string& prefix,
                         const Module& module) -> void {
    const auto add = [&](const std::vector<Named>& own) {
      for (const Named& entry : own) {
        out.push_back({joined(prefix, entry.name), entry.tensor, entry.optional});
      }
    };
    if (wanted != Tensors::buffers) add(module.parameters_);
    if (wanted != Tensors::parameters) add(module.buffers_);
    for (const Child& child : module.children_) {
      self(self, joined(prefix, child.name), *child.module);
    }
  };
  visit(visit, "", *this);
  return out;
}

std::vector<Module::Named> Module::named_parameters() const {
  return collect(Tensors::parameters);
}

std::vector<Module::Named> Module::named_buffers() const {
  return collect(Tensors::buffers);
}

std::vector<Tensor> Module::parameters() const {
  std::vector<Tensor> out;
  std::set<const AutogradMeta*> seen;  // each parameter has its own
  for (const Named& entry : named_parameters()) {
    if (seen.insert(&entry.tensor->ensure_autograd()).second) out.push_back(*entry.tensor);
  }
  return out;
}

std::optional<size_t> Module::find_child(std::string_view name) const {
  for (size_t i = 0; i < children_.size(); ++i) {
    if (children_[i].name == name) return i;
  }
  return std::nullopt;
}

size_t Module::index_of(const std::string& child) const {
  const std::optional<size_t> index = find_child(child);
  GESTALT_CHECK(index, "no module '{}'; the network has {}", child, names_of(children_));
  return *index;
}

std::vector<Module::NamedModule> Module::named_modules() {
  std::vector<NamedModule> out;
  std::set<const Module*> seen;
  const auto visit = [&](const auto& self, const std::string& name, Module& module) -> void {
    if (!seen.insert(&module).second) return;
    out.push_back({name, &module});
    for (const Child& child : module.children_) {
      self(self, joined(name, child.name), *child.module);
    }
  };
  visit(visit, "", *this);
  return out;
}

Module& Module::find(const std::string& name) {
  Module* module = this;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size());
    const auto index = module->find_child(std::string_view(name).substr(begin, end - begin));
    GESTALT_CHECK(index, "no module '{}'; {} has {}", name,
                  begin == 0 ? "the network" : "'" + name.substr(0, begin - 1) + "'",
                  names_of(module->children_));
    module = module->children_[*index].module.get();
    begin = end + 1;
  }
  return *module;
}

StateDict Module::state_dict() const {
  const std::vector<Named> all = collect(Tensors::all);
  StateDict state;
  for (const Named& entry : all) state.push_back({entry.name, entry.tensor->detach()});
  return state;
}

StateDictReport Module::check_state_dict(const StateDict& state) const {
  const std::vector<Named> own = collect(Tensors::all);
  const StateDict given = under_own_names(state, own);
  std::vector<ExpectedTensor> expected;
  for (const Named& entry : own) {
    const auto is_given = [&](const NamedTensor& other) { return other.name == entry.name; };
    if (entry.optional && std::none_of(given.begin(), given.end(), is_given)) continue;
    expected.push_back({entry.name, entry.tensor->shape()});
  }
  return compare_state_dicts(expected, given);
}

StateDictReport Module::load_state_dict(const StateDict& state, bool strict) {
  const std::vector<Named> own = collect(Tensors::all);
  const StateDict given = under_own_names(state, own);
  std::map<std::string_view, const Tensor*> by_name;
  for (const NamedTensor& entry : given) by_name[entry.name] = &entry.tensor;
  const StateDictReport report = check_state_dict(state);
  GESTALT_CHECK(!strict || report.ok(), "the state dict does not fit the network: {}",
                in_one_line(report));

  const NoGradGuard no_grad;
  for (const Named& entry : own) {
    const auto found = by_name.find(entry.name);
    if (found != by_name.end() && found->second->shape() == entry.tensor->shape()) {
      entry.tensor->copy_(*found->second);
    }
  }
  return report;
}

void Module::train(bool training) {
  training_ = training;
  for (const Child& child : children_) child.module->train(training);
}

template <class F>
void Module::for_each_tensor(const F& f) {
  const NoGradGuard no_grad;
  const std::vector<Named> all = collect(Tensors::all);
  for (const Named& entry : all) entry.tensor->set_data(f(*entry.tensor));
}

void Module::set_requires_grad(bool requires_grad) {
  for (const Named& entry : named_parameters()) entry.tensor->set_requires_grad(requires_grad);
}

void Module::to(Device device) {
  for_each_tensor([&](const Tensor& tensor) { return tensor.to(device); });
}

void Module::to(DType dtype) {
  for_each_tensor([&](const Tensor& tensor) {
    return is_floating(tensor.dtype()) ? tensor.to(dtype) : tensor;
  });
}

void Module::zero_grad() {
  for (const Named& entry : named_parameters()) entry.tensor->set_grad({});
}

void copy_buffers(const Module& from, Module& to) {
  std::map<std::string, const Tensor*> sources;
  for (const Module::Named& entry : from.named_buffers()) sources[entry.name] = entry.tensor;
  const std::vector<Module::Named> targets = to.named_buffers();
  for (const Module::Named& entry : targets) {
    const auto found = sources.find(entry.name);
    GESTALT_CHECK(found != sources.end(), "[copy_buffers] the source has no buffer '{}'",
                  entry.name);
    GESTALT_CHECK(found->second->shape() == entry.tensor->shape(),
                  "[copy_buffers] buffer '{}' is {} in the source and {} in the target", entry.name,
                  *found->second, *entry.tensor);
  }
  std::set<std::string> known;
  for (const Module::Named& entry : targets) known.insert(entry.name);
  for (const auto& [name, tensor] : sources) {
    GESTALT_CHECK(known.contains(name), "[copy_buffers] the target has no buffer '{}'", name);
  }
  const NoGradGuard no_grad;
  for (const Module::Named& entry : targets) entry.tensor->copy_(*sources[entry.name]);
}

}  // namespace gestalt::nn
