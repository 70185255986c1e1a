#include "tests/simt/happens_before.h"

#include <algorithm>

namespace gestalt::simt {

void LaneClocks::reset() {
  std::fill(std::begin(step), std::end(step), 0u);
}

void LaneClocks::join(std::span<LaneClocks* const> clocks, std::span<const int> lanes) {
  LaneClocks joined;
  joined.reset();
  for (size_t i = 0; i < clocks.size(); ++i) {
    ++clocks[i]->step[lanes[i]];
    for (int l = 0; l < 32; ++l) joined.step[l] = std::max(joined.step[l], clocks[i]->step[l]);
  }
  for (LaneClocks* clock : clocks) *clock = joined;
}

bool AccessRecord::before(const ThreadClock& now) const {
  if (run != now.run) return false;
  if (thread == now.thread || cluster_arrivals < now.cluster_waits) return true;
  if (thread / numbers_of_block != now.thread / numbers_of_block) return false;
  if (barriers < now.barriers) return true;
  return thread / 32 == now.thread / 32 && step <= now.lanes.step[thread % 32];
}

const AccessRecord* WordHistory::add(Access access, uint8_t bytes, const ThreadClock& now) {
  const auto races = [&](const AccessRecord& record) {
    return record.run != 0 && (record.bytes & bytes) != 0 && !record.before(now);
  };
  const bool atomic = access == Access::atomic;
  if (!(atomic && write_.atomic) && races(write_)) return &write_;
  const AccessRecord record{
      now.run, now.barriers, now.cluster_arrivals, now.lanes.step[now.thread % 32] + 1, now.thread,
      bytes,   atomic};
  if (access == Access::read) {
    const AccessRecord& last = read_[0];
    const auto block = [](const AccessRecord& of) { return of.thread / numbers_of_block; };
    if (last.run != record.run || block(last) != block(record)) {
      read_[2] = last;
    } else if (last.thread / 32 != record.thread / 32) {
      read_[1] = last;
    }
    read_[0] = record;
    return nullptr;
  }
  for (const AccessRecord& read : read_) {
    if (races(read)) return &read;
  }
  write_ = record;
  return nullptr;
}

}  // namespace gestalt::simt
