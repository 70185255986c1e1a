#pragma once

// One convolution as oneDNN runs it: a primitive, and the changes of layout around it.

#include <cstdint>
#include <dnnl.hpp>
#include <initializer_list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "kernels/context.h"
#include "kernels/descriptors.h"
#include "kernels/types.h"

namespace gestalt::cpu {

enum class Direction : int64_t { forward, data, weights };

struct ConvPlan {
  // One argument of the primitive: where the caller has it, and where the primitive wants it.
  struct Port {
    int argument;
    dnnl::memory::desc user, wanted;
    bool output = false;
    dnnl::reorder reorder = {};  // where the two differ

    bool moves() const { return user != wanted; }
    // Bytes of the copy that the primitive works on; 0 where it takes the caller's memory.
    size_t copy_bytes() const;
    // Makes that copy, at `copy`. Bits don't depend on threads: nothing is computed.
    void move_in(void* data, void* copy) const;
  };

  dnnl::primitive primitive;
  dnnl::memory::desc scratchpad;
  std::vector<Port> ports;  // forward: x, w, y, bias; data: dy, w, dx; weights: dy, x, dw

  // Memory that running it takes; an argument that is moved before saves its copy_bytes().
  size_t workspace_bytes() const;
};

// One thread's runs of a plan, one after the other: making oneDNN's objects takes microseconds.
class ConvRunner {
 public:
  // `moved`: which of the first ports get, instead of the caller's memory, the copy that move_in()
  // has made of it. `workspace`: memory for the rest.
  ConvRunner(std::shared_ptr<const ConvPlan> plan, std::initializer_list<bool> moved,
             void* workspace);
  // One pointer a port.
  void run(std::initializer_list<void*> data);

  const ConvPlan* plan() const { return plan_.get(); }

 private:
  std::shared_ptr<const ConvPlan> plan_;
  dnnl::stream stream_;
  std::vector<dnnl::memory> user_, wanted_;  // by port; the same where it isn't copied
  std::unordered_map<int, dnnl::memory> arguments_;
};

// The plan of a convolution, cached in the context. The primitive is planned for one thread and
// runs in one, so that bits don't depend on their number; changes of layout, which compute nothing,
// share the threads where they are not run inside of a parallel region. x, w and y may be slices of
// larger views; `desc.padding` is the one before the first row and column, the one behind follows
// from the sizes. `bias` may be null.
std::shared_ptr<const ConvPlan> conv_plan(Context& context, Direction direction, const View& x,
                                          const View& w, const View* bias, const View& y,
                                          const Conv2dDesc& desc);

}  // namespace gestalt::cpu
