#include "tests/simt/global_memory.h"

#include <algorithm>
#include <map>

#include "kernels/error.h"

namespace gestalt::simt {
namespace {

struct Region {
  uintptr_t begin = 0, end = 0;
  size_t guard = 0;
  std::vector<bool> written;  // by byte; empty: initialized

  Region(const void* from, size_t bytes, size_t guard_bytes, bool initialized)
      : begin(reinterpret_cast<uintptr_t>(from)), end(begin + bytes), guard(guard_bytes) {
    if (!initialized) written.resize(bytes);
  }
  bool contains(uintptr_t address, size_t bytes) const {
    return address >= begin && address + bytes <= end;
  }
  bool touches(uintptr_t address, size_t bytes) const {
    return address < end + guard && address + bytes > begin - guard;
  }
};

struct Declared {
  std::map<uintptr_t, Region> watched;  // by the end of the second guard
  std::vector<Region> allowed;
  AllowedMemory* scope = nullptr;
  RuledMemory::Rule rule = nullptr;
};

thread_local Declared declared;

std::string use_initialized(Region& region, uintptr_t address, size_t bytes, Access access) {
  if (region.written.empty()) return {};
  const auto first = region.written.begin() + static_cast<ptrdiff_t>(address - region.begin);
  const auto last = first + static_cast<ptrdiff_t>(bytes);
  if (access == Access::write) {
    std::fill(first, last, true);
  } else if (std::find(first, last, false) != last) {
    return "which nobody wrote";
  }
  return {};
}

std::string beyond(const Region& region, uintptr_t address, size_t bytes) {
  const auto size = region.end - region.begin;
  if (address < region.begin) {
    return format("out of bounds: {} bytes before a buffer of {} bytes", region.begin - address,
                  size);
  }
  return format("out of bounds: {} bytes past the end of a buffer of {} bytes",
                address + bytes - region.end, size);
}

}  // namespace

WatchedBuffer::WatchedBuffer(const void* begin, const void* end, size_t guard, bool initialized) {
  const auto bytes =
      static_cast<size_t>(static_cast<const char*>(end) - static_cast<const char*>(begin));
  Region region(begin, bytes, guard, initialized);
  declared.watched.insert_or_assign(region.end + guard, std::move(region));
  key_ = reinterpret_cast<uintptr_t>(end) + guard;
}

WatchedBuffer::~WatchedBuffer() {
  declared.watched.erase(key_);
}

AllowedMemory::AllowedMemory() : outer_(declared.scope) {
  declared.scope = this;
}

AllowedMemory::~AllowedMemory() {
  declared.scope = outer_;
  if (outer_ == nullptr) declared.allowed.clear();
}

AllowedMemory* AllowedMemory::current() {
  return declared.scope;
}

void AllowedMemory::add(const void* begin, size_t bytes, bool initialized) {
  const auto address = reinterpret_cast<uintptr_t>(begin);
  for (const Region& region : declared.allowed) {
    if (region.begin == address && region.end == address + bytes) return;
  }
  declared.allowed.emplace_back(begin, bytes, 0, initialized);
}

RuledMemory::RuledMemory(Rule rule) {
  declared.rule = rule;
}

RuledMemory::~RuledMemory() {
  declared.rule = nullptr;
}

std::string GlobalMemoryWatch::check_declared(uintptr_t address, size_t bytes, Access access) {
  if (declared.rule != nullptr) return declared.rule(address, bytes);
  const auto found = declared.watched.upper_bound(address);
  if (found != declared.watched.end() && found->second.touches(address, bytes)) {
    if (!found->second.contains(address, bytes)) return beyond(found->second, address, bytes);
    return use_initialized(found->second, address, bytes, access);
  }
  if (declared.scope == nullptr) return {};
  for (Region& region : declared.allowed) {
    if (region.contains(address, bytes)) return use_initialized(region, address, bytes, access);
  }
  const Region* nearest = nullptr;
  uintptr_t least = 4096;
  for (const Region& region : declared.allowed) {
    const uintptr_t distance =
        address < region.begin ? region.begin - address : address + bytes - region.end;
    if (distance < least) {
      least = distance;
      nearest = &region;
    }
  }
  return nearest != nullptr ? beyond(*nearest, address, bytes)
                            : "out of bounds: outside of the call's arguments and workspace";
}

void GlobalMemoryWatch::begin_launch() {
  ++launch_;
  if (pages_.size() > 4096) {
    pages_.clear();
    last_ = nullptr;
  }
}

GlobalMemoryWatch::Page& GlobalMemoryWatch::page_of(uintptr_t number) {
  if (last_ == nullptr || last_number_ != number) {
    std::unique_ptr<Page>& page = pages_[number];
    if (page == nullptr) page = std::make_unique<Page>();
    last_ = page.get();
    last_number_ = number;
  }
  if (last_->launch != launch_) *last_ = Page{launch_, {}};
  return *last_;
}

const AccessRecord* GlobalMemoryWatch::add(uintptr_t address, size_t bytes, Access access,
                                           const ThreadClock& now) {
  for (uintptr_t word = address / 4; word * 4 < address + bytes; ++word) {
    WordHistory& history = page_of(word / page_words).words[word % page_words];
    if (const AccessRecord* other = history.add(access, bytes_of_word(word, address, bytes), now)) {
      return other;
    }
  }
  return nullptr;
}

}  // namespace gestalt::simt
