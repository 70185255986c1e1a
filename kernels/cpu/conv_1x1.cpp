#include "kernels/cpu/conv_1x1.h"

#include <algorithm>

#include "kernels/cpu/features.h"
#include "kernels/error.h"
#include "kernels/parallel.h"
#include "kernels/rounding.h"

namespace gestalt::cpu {

#ifdef __x86_64__

namespace {

// How many outputs a thread computes from a strip of pixels before another takes over: all of them,
// since each block copies its strip, but where that leaves threads without work. Bits don't depend
// on it.
int64_t outputs_at_once(int64_t outputs, int64_t strips) {
  constexpr int64_t least = 96, units_per_thread = 4;
  // A multiple of all the heights of tiles, which leaves the rest to the last block.
  constexpr int64_t step = 48;
  if (num_threads() == 1) return outputs;
  const int64_t wanted = ceil_div(units_per_thread * num_threads(), strips);
  const int64_t blocks = std::min(wanted, std::max<int64_t>(outputs / least, 1));
  return round_up(ceil_div(outputs, blocks), step);
}

}  // namespace

bool conv_1x1_available() {
  return has_avx512();
}

void conv_1x1(Context& context, const Conv1x1& conv) {
  const int64_t strips = ceil_div(conv.pixels, conv_1x1_strip);
  const int64_t block = outputs_at_once(conv.outputs, conv.batch * strips);
  const int64_t blocks = ceil_div(conv.outputs, block), units = conv.batch * strips * blocks;
  const int64_t strip_size = conv.inputs * conv_1x1_strip;
  const int64_t floats = std::min<int64_t>(num_threads(), units) * strip_size;
  auto* memory =
      static_cast<float*>(context.workspace(static_cast<size_t>(floats) * sizeof(float)));
  for_each_unit(units, [&](int64_t unit, int64_t worker) {
    const int64_t first = unit % blocks * block, image = unit / blocks / strips;
    const int64_t pixel = unit / blocks % strips * conv_1x1_strip;
    conv_1x1_avx512(conv, image, first, std::min(first + block, conv.outputs), pixel,
                    std::min(conv_1x1_strip, conv.pixels - pixel), memory + worker * strip_size);
  });
}

#else

bool conv_1x1_available() {
  return false;
}

void conv_1x1(Context&, const Conv1x1&) {
  throw Error("[conv_1x1] not built for this processor");
}

#endif

}  // namespace gestalt::cpu
