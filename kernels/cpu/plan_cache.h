#pragma once

// PlanCache: library plans by the numbers they were made from. Bounded: the oldest goes first.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

namespace gestalt::cpu {

using PlanKey = std::vector<int64_t>;

template <class Plan>
class PlanCache {
 public:
  static constexpr size_t capacity = 512;

  // The plan of `key`, from make() where it is new.
  template <class Make>
  std::shared_ptr<const Plan> get(const PlanKey& key, const Make& make) {
    std::shared_ptr<const Plan>& slot = plans_[key];
    if (slot) return slot;
    try {
      slot = std::make_shared<const Plan>(make());
    } catch (...) {
      plans_.erase(key);
      throw;
    }
    std::shared_ptr<const Plan> plan = slot;
    order_.push_back(key);
    if (order_.size() > capacity) {
      plans_.erase(order_.front());
      order_.pop_front();
    }
    return plan;
  }

 private:
  std::map<PlanKey, std::shared_ptr<const Plan>> plans_;
  std::deque<PlanKey> order_;
};

}  // namespace gestalt::cpu
