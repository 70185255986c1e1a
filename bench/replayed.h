#pragma once

// Work that is captured once and replayed.

#include <functional>
#include <memory>

#include "tensor/graph.h"

namespace gestalt::bench {

// The replay of `work` (tensor/graph.h), whose warm-up runs happen here.
inline std::function<void()> replayed(Device device, std::function<void()> work) {
  auto graph = std::make_shared<CapturedGraph>(device, std::move(work));
  return [graph] { graph->replay(); };
}

}  // namespace gestalt::bench
