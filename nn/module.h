#pragma once

// Module: named parameters, buffers and children, with PyTorch's names, so that its state dicts
// load.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/io/state_dict_check.h"
#include "tensor/state_dict.h"
#include "tensor/tensor.h"

namespace gestalt::nn {

class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // Of modules with one input and one output; others have a forward of their own.
  virtual Tensor forward(const Tensor& x);
  // The hooks before it, forward, the hooks behind it; each in the order they were added.
  Tensor operator()(const Tensor& x);
  // Sees each input; what it returns, if defined, replaces it.
  using ForwardPreHook = std::function<Tensor(const Tensor& input)>;
  // Sees each output, or the input (as forward had it) too; what it returns, if defined, replaces
  // the output.
  using ForwardHook = std::function<Tensor(const Tensor& output)>;
  using InputOutputHook = std::function<Tensor(const Tensor& input, const Tensor& output)>;
  // Their number, for remove_forward_hook, which does nothing where the hook is gone already.
  int64_t register_forward_pre_hook(ForwardPreHook hook);
  int64_t register_forward_hook(ForwardHook hook);
  int64_t register_forward_hook(InputOutputHook hook);
  void remove_forward_hook(int64_t number);
  bool has_forward_hooks() const { return !pre_hooks_.empty() || !hooks_.empty(); }

  // Depth first, own before children, with dotted names. The pointers are to the module's own
  // handles, which get other values by copy_ or set_data.
  struct Named {
    std::string name;
    const Tensor* tensor;
    bool optional = false;  // a state dict may lack it
  };
  std::vector<Named> named_parameters() const;
  std::vector<Named> named_buffers() const;
  std::vector<Tensor> parameters() const;  // each once, also of a module that stands twice
  struct Child {
    std::string name;
    std::shared_ptr<Module> module;
  };
  const std::vector<Child>& children() const { return children_; }
  // Where among children(); throws Error, which names them, where there is none of that name.
  size_t index_of(const std::string& child) const;
  // This one, under the name "", then its descendants, depth first: each once, under the first name
  // that it stands under. "No weight decay for batch norms" asks each what it is.
  struct NamedModule {
    std::string name;
    Module* module;
  };
  std::vector<NamedModule> named_modules();
  // A descendant by its dotted name; throws Error where there is none.
  Module& find(const std::string& name);

  // Parameters and buffers, sharing memory with the module.
  StateDict state_dict() const;
  // What of a state dict does not fit, by name and shape. A name that the network has not may have
  // "module" among its parts, as DataParallel leaves it.
  StateDictReport check_state_dict(const StateDict& state) const;
  // Copies values by name (converting dtype and device). Strict: what does not fit is an Error of
  // one line, with the counts and a few names and shapes, and changes nothing; otherwise what fits
  // is copied. The report, which check_state_dict gives too, has all of it; names as there.
  StateDictReport load_state_dict(const StateDict& state, bool strict = true);

  void train(bool training = true);
  void eval() { train(false); }
  bool is_training() const { return training_; }

  void set_requires_grad(bool requires_grad);  // of every parameter
  // Parameters and buffers stay the tensors that they are, with other data (Tensor::set_data), so
  // that an optimizer or an average of them goes on. Gradients move with them; what a state dict
  // shared before does not.
  void to(Device device);
  // Floating parameters and buffers, batch norm's too, which needs f32 (or f64) beside 16-bit
  // images: for networks with batch norm see nn/autocast.h.
  void to(DType dtype);
  void zero_grad();  // forgets the gradients

 protected:
  // The member must live as long as the module. Names are parts of dotted paths, so they have no
  // dot; the value of a parameter is defined.
  void register_parameter(std::string name, Tensor& member, Tensor value);
  enum class InFiles { required, optional };  // whether a state dict may lack it
  void register_buffer(std::string name, Tensor& member, Tensor value,
                       InFiles in_files = InFiles::required);
  template <class M>
  std::shared_ptr<M> register_module(std::string name, std::shared_ptr<M> module) {
    add_child(std::move(name), module, children_.size());
    return module;
  }
  void add_child(std::string name, std::shared_ptr<Module> module, size_t position);

 private:
  std::optional<size_t> find_child(std::string_view name) const;
  void check_new(const char* what, const std::string& name) const;
  enum class Tensors { parameters, buffers, all };
  std::vector<Named> collect(Tensors wanted) const;
  template <class F>
  void for_each_tensor(const F& f);

  std::vector<Named> parameters_, buffers_;
  std::vector<Child> children_;
  template <class Hook>
  struct NumberedHook {
    int64_t number;
    Hook hook;
  };
  std::vector<NumberedHook<ForwardPreHook>> pre_hooks_;
  std::vector<NumberedHook<InputOutputHook>> hooks_;
  int64_t next_hook_ = 0;
  bool training_ = true;
};

// Values of buffers by name, converted: an average of parameters (optim/ema.h) has none of its own,
// so that a network that is to be evaluated with the averages takes batch norm's statistics from
// the trained one. Error naming the buffer that one of the two has not or has of another shape;
// nothing is copied then.
void copy_buffers(const Module& from, Module& to);

}  // namespace gestalt::nn
