// Warp operations of the executor: they wait for the lanes of their mask and answer all together.

#include <algorithm>
#include <cstdio>

#include "kernels/error.h"
#include "tests/simt/executor_state.h"

namespace gestalt::simt {
namespace {

std::string hexadecimal(uint32_t value) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%08x", value);
  return text;
}

}  // namespace

const char* operation_name(WarpOperation operation) {
  constexpr const char* names[] = {"__syncwarp", "shuffle", "vote", "match"};
  return names[static_cast<int>(operation)];
}

uint64_t Executor::warp_operation(WarpOperation operation, uint32_t mask, uint64_t value,
                                  int source, std::source_location where) {
  Thread& thread = self();
  const int lane = this->lane();
  if ((mask >> lane & 1) == 0) {
    fail(format("{} at {}: the mask {} lacks the lane itself", operation_name(operation),
                to_string(where), hexadecimal(mask)));
  }
  thread.operation = operation;
  thread.mask = mask;
  thread.value = value;
  thread.source = source;
  thread.where = where;
  thread.state = State::in_warp_operation;
  if (complete_warp_operation()) {
    maybe_yield();
  } else {
    wait(State::in_warp_operation);
  }
  return thread.result;
}

// Completes the current thread's operation if all lanes of its mask have arrived.
bool Executor::complete_warp_operation() {
  Thread& thread = self();
  const int first = index_in_block() / 32 * 32, there = std::min(block_threads_ - first, 32);
  Thread* warp = begin_of(thread.block) + first;
  Thread* lanes[32];
  int numbers[32];
  int size = 0;
  for (int i = 0; i < 32; ++i) {
    if ((thread.mask >> i & 1) == 0) continue;
    if (i >= there || warp[i].state == State::exited) {
      fail(format("{} at {}: lane {} of the mask {} {}", operation_name(thread.operation),
                  to_string(thread.where), i, hexadecimal(thread.mask),
                  i >= there ? "does not exist" : "has exited"));
    }
    Thread& other = warp[i];
    if (other.state != State::in_warp_operation) return false;
    if (other.mask != thread.mask || other.operation != thread.operation ||
        other.where.line() != thread.where.line()) {
      fail(format("{} at {} with the mask {}, but lane {} is in a {} at {} with the mask {}",
                  operation_name(thread.operation), to_string(thread.where),
                  hexadecimal(thread.mask), i, operation_name(other.operation),
                  to_string(other.where), hexadecimal(other.mask)));
    }
    lanes[size] = &other;
    numbers[size++] = i;
  }
  for (int i = 0; i < size; ++i) {
    Thread& lane = *lanes[i];
    if (lane.operation == WarpOperation::shuffle) {
      if ((lane.mask >> lane.source & 1) == 0) {
        fail_at(lane, format("shuffle at {} reads from lane {}, outside the mask {}",
                             to_string(lane.where), lane.source, hexadecimal(lane.mask)));
      }
      lane.result = warp[lane.source].value;
      continue;
    }
    lane.result = 0;
    for (int k = 0; k < size; ++k) {
      const bool bit = lane.operation == WarpOperation::match ? lanes[k]->value == lane.value
                                                              : lanes[k]->value != 0;
      lane.result |= static_cast<uint64_t>(bit) << numbers[k];
    }
  }
  if (thread.operation == WarpOperation::sync) {
    LaneClocks* clocks[32];
    for (int i = 0; i < size; ++i) clocks[i] = &lanes[i]->clock.lanes;
    LaneClocks::join({clocks, static_cast<size_t>(size)}, {numbers, static_cast<size_t>(size)});
  }
  for (int i = 0; i < size; ++i) {
    if (lanes[i] != &thread) wake(*lanes[i]);
  }
  thread.state = State::ready;
  return true;
}

}  // namespace gestalt::simt
