#include "kernels/cuda/library/skipped_engines.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <iterator>
#include <string_view>

namespace gestalt::cuda {
namespace {

struct Entry {
  Conv2dDirection direction = Conv2dDirection::forward;
  int64_t engine = -1;  // no entry
};

// Of "forward:5".
Entry parse(std::string_view text) {
  for (const auto direction : {Conv2dDirection::forward, Conv2dDirection::backward_data,
                               Conv2dDirection::backward_weights}) {
    std::string_view name = name_of(direction);
    name.remove_prefix(std::string_view("conv2d_").size());
    if (!text.starts_with(name) || !text.substr(name.size()).starts_with(':')) continue;
    const char* const end = text.data() + text.size();
    int64_t engine = -1;
    const auto [stop, error] = std::from_chars(text.data() + name.size() + 1, end, engine);
    if (error == std::errc() && stop == end) return {direction, engine};
  }
  return {};
}

}  // namespace

bool is_skipped(Conv2dDirection direction, int64_t engine) {
  const char* const list = std::getenv("GESTALT_CUDNN_SKIP");
  bool found = false;
  for (std::string_view rest = list == nullptr ? "" : list; !rest.empty();) {
    const size_t end = std::min(rest.find(','), rest.size());
    const Entry entry = parse(rest.substr(0, end));
    GESTALT_CHECK(entry.engine >= 0,
                  "GESTALT_CUDNN_SKIP is a list as forward:5,backward_data:12,backward_weights:3, "
                  "not '{}'",
                  list);
    found |= entry.direction == direction && entry.engine == engine;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return found;
}

bool is_faulty(Conv2dDirection direction, int64_t engine, size_t cudnn_version, int architecture) {
  struct Fault {
    Conv2dDirection direction;
    int64_t engine;
    size_t first_version, end_version;
    int architecture;
  };
  constexpr Fault faults[] = {
      // Other bits from run to run, without the note: github.com/pytorch/pytorch/pull/188318,
      // 189207.
      {Conv2dDirection::forward, 5, 92301, 92400, 86},
  };
  return std::any_of(std::begin(faults), std::end(faults), [&](const Fault& fault) {
    return fault.direction == direction && fault.engine == engine &&
           fault.first_version <= cudnn_version && cudnn_version < fault.end_version &&
           fault.architecture == architecture;
  });
}

}  // namespace gestalt::cuda
