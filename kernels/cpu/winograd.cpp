#include "kernels/cpu/winograd.h"

#include <array>

#include "kernels/cpu/features.h"
#include "kernels/cpu/winograd_kernels.h"
#include "kernels/error.h"
#include "kernels/parallel.h"
#include "kernels/rounding.h"

namespace gestalt::cpu {
namespace {

using namespace winograd;

// One convolution: its tiles, numbered over images, rows and columns, in blocks of block_tiles.
class Run {
 public:
  Run(const WinogradConv& conv, const Kernels& kernels)
      : conv_(conv),
        kernels_(kernels),
        out_height_(conv.height + 2 * conv.padding_h + 1 - conv.kernel),
        out_width_(conv.width + 2 * conv.padding_w + 1 - conv.kernel),
        tile_rows_(ceil_div(out_height_, 4)),
        tile_columns_(ceil_div(out_width_, 4)),
        tiles_(conv.batch * tile_rows_ * tile_columns_),
        tile_blocks_(ceil_div(tiles_, block_tiles)),
        output_blocks_(ceil_div(conv.outputs, block_outputs)),
        input_size_(frequencies(conv.kernel) * input_step(conv.inputs)),
        weight_size_(frequencies(conv.kernel) * weight_step(conv.inputs)),
        product_size_(frequencies(conv.kernel) * product_step) {}

  void operator()(Context& context) {
    // Many tiles: weights are transformed once, and each block of tiles stays with one worker, in
    // its cache. Few: the tiles are transformed once, and each block of outputs stays with one.
    if (tile_blocks_ >= 8) {
      by_tiles(context);
    } else {
      by_outputs(context);
    }
  }

 private:
  void by_tiles(Context& context) {
    const int64_t shared = output_blocks_ * weight_size_;
    const int64_t own = input_size_ + product_size_;
    float* memory = allocate(context, shared, own);
    for_each_unit(output_blocks_, [&](int64_t block, int64_t) {
      transform_weights(block, memory + block * weight_size_);
    });
    for_each_unit(tile_blocks_, [&](int64_t block, int64_t worker) {
      float* v = memory + shared + worker * own;
      transform_input(block, 0, conv_.inputs, v);
      for (int64_t outputs = 0; outputs < output_blocks_; ++outputs) {
        multiply(block, outputs, memory + outputs * weight_size_, v, v + input_size_);
      }
    });
  }

  void by_outputs(Context& context) {
    const int64_t shared = tile_blocks_ * input_size_;
    const int64_t own = weight_size_ + product_size_;
    float* memory = allocate(context, shared, own);
    constexpr int64_t channels = 16;  // a unit of the first pass
    const int64_t parts = ceil_div(conv_.inputs, channels);
    for_each_unit(tile_blocks_ * parts, [&](int64_t unit, int64_t) {
      const int64_t block = unit / parts, first = unit % parts * channels;
      transform_input(block, first, std::min(first + channels, conv_.inputs),
                      memory + block * input_size_);
    });
    for_each_unit(output_blocks_, [&](int64_t outputs, int64_t worker) {
      float* u = memory + shared + worker * own;
      transform_weights(outputs, u);
      for (int64_t block = 0; block < tile_blocks_; ++block) {
        multiply(block, outputs, u, memory + block * input_size_, u + weight_size_);
      }
    });
  }

  static float* allocate(Context& context, int64_t shared, int64_t own) {
    const int64_t floats = shared + num_threads() * own;
    return static_cast<float*>(context.workspace(static_cast<size_t>(floats) * sizeof(float)));
  }

  // body(image, run) for every run of tiles in a block; the run's row and column are the output's.
  template <class Body>
  void for_each_run(int64_t block, const Body& body) const {
    const int64_t first = block * block_tiles, last = std::min(first + block_tiles, tiles_);
    for (int64_t tile = first; tile < last;) {
      const int64_t row = tile / tile_columns_, column = tile % tile_columns_;
      const int64_t count = std::min(tile_columns_ - column, last - tile);
      body(row / tile_rows_, TileRun{row % tile_rows_ * 4, column * 4, count, tile - first});
      tile += count;
    }
  }

  // Rows of 2, 4 or 8 tiles leave most of a vector of 16 empty: several of them share one.
  bool is_packed() const {
    return kernels_.transform_packed_input != nullptr &&
           (tile_columns_ == 2 || tile_columns_ == 4 || tile_columns_ == 8);
  }

  struct Packs {
    std::array<TilePack, block_tiles / pack_tiles> packs;
    int64_t count = 0;
  };

  // The tiles of a block; an image has `channels` planes of `plane` elements.
  Packs packs_of(int64_t block, int64_t channels, int64_t plane, int64_t padding) const {
    const int64_t first = block * block_tiles, last = std::min(first + block_tiles, tiles_);
    Packs result;
    for (int64_t tile = first; tile < last; tile += pack_tiles) {
      TilePack& pack = result.packs[result.count++];
      pack = {.columns = tile_columns_, .rows = 0, .plane = {}, .first = {}};
      for (int64_t at = tile; at < std::min(tile + pack_tiles, last); at += tile_columns_) {
        const int64_t row = at / tile_columns_;
        pack.plane[pack.rows] = row / tile_rows_ * channels * plane;
        pack.first[pack.rows++] = row % tile_rows_ * 4 - padding;
      }
    }
    return result;
  }

  void transform_packed_input(int64_t block, int64_t first_channel, int64_t last_channel,
                              float* v) const {
    const int64_t plane = conv_.height * conv_.width;
    const Packs packs = packs_of(block, conv_.inputs, plane, conv_.padding_h);
    for (int64_t c = first_channel; c < last_channel; ++c) {
      for (int64_t i = 0; i < packs.count; ++i) {
        kernels_.transform_packed_input(
            conv_.x + c * plane, conv_.height, conv_.width, packs.packs[i], -conv_.padding_w,
            v + c * block_tiles + i * pack_tiles, input_step(conv_.inputs));
      }
    }
  }

  void transform_packed_output(int64_t block, int64_t output_block, const float* m) const {
    const int64_t plane = out_height_ * out_width_;
    const Packs packs = packs_of(block, conv_.outputs, plane, 0);
    for (int64_t i = 0; i < outputs_in(output_block); ++i) {
      const int64_t o = output_block * block_outputs + i;
      for (int64_t j = 0; j < packs.count; ++j) {
        kernels_.transform_packed_output(m + i * block_tiles + j * pack_tiles, packs.packs[j],
                                         conv_.bias != nullptr ? conv_.bias[o] : 0, conv_.relu,
                                         conv_.y + o * plane, out_height_, out_width_);
      }
    }
  }

  void transform_input(int64_t block, int64_t first_channel, int64_t last_channel, float* v) const {
    if (is_packed()) return transform_packed_input(block, first_channel, last_channel, v);
    for (int64_t c = first_channel; c < last_channel; ++c) {
      for_each_run(block, [&](int64_t image, TileRun run) {
        run.row -= conv_.padding_h;
        run.column -= conv_.padding_w;
        const float* x = conv_.x + (image * conv_.inputs + c) * conv_.height * conv_.width;
        kernels_.transform_input(x, conv_.height, conv_.width, run, v + c * block_tiles,
                                 input_step(conv_.inputs));
      });
    }
  }

  void transform_weights(int64_t block, float* u) const {
    const int64_t first = block * block_outputs;
    kernels_.transform_weights(conv_.w + first * conv_.output_stride, outputs_in(block),
                               conv_.output_stride, conv_.inputs, conv_.input_stride, conv_.rotated,
                               u);
  }

  void multiply(int64_t block, int64_t output_block, const float* u, const float* v,
                float* m) const {
    const int64_t tiles = std::min(block_tiles, tiles_ - block * block_tiles);
    const int64_t outputs = outputs_in(output_block);
    kernels_.multiply(u, v, conv_.inputs, outputs, tiles, m);
    if (is_packed()) return transform_packed_output(block, output_block, m);
    for (int64_t i = 0; i < outputs; ++i) {
      const int64_t o = output_block * block_outputs + i;
      for_each_run(block, [&](int64_t image, const TileRun& run) {
        kernels_.transform_output(m + i * block_tiles, run,
                                  conv_.bias != nullptr ? conv_.bias[o] : 0, conv_.relu,
                                  conv_.y + (image * conv_.outputs + o) * out_height_ * out_width_,
                                  out_height_, out_width_);
      });
    }
  }

  int64_t outputs_in(int64_t block) const {
    return std::min(block_outputs, conv_.outputs - block * block_outputs);
  }

  const WinogradConv& conv_;
  const Kernels& kernels_;
  int64_t out_height_, out_width_, tile_rows_, tile_columns_, tiles_;
  int64_t tile_blocks_, output_blocks_;
  int64_t input_size_, weight_size_, product_size_;  // floats of one block, transformed
};

}  // namespace

void winograd_conv(Context& context, const WinogradConv& conv, const Kernels& kernels) {
  Run run(conv, kernels);
  run(context);
}

#if defined(__AVX2__) && defined(__FMA__)

bool winograd_available() {
  return true;
}

void winograd_conv(Context& context, const WinogradConv& conv) {
  winograd_conv(context, conv,
                has_avx512() ? avx512_kernels(conv.kernel) : avx2_kernels(conv.kernel));
}

#else

bool winograd_available() {
  return false;
}

void winograd_conv(Context&, const WinogradConv&) {
  throw Error("[winograd] not built for this processor");
}

#endif

}  // namespace gestalt::cpu
