#ifdef GESTALT_WITH_ONEDNN

#include "kernels/cpu/conv_onednn.h"

#include <cmath>
#include <optional>

#include "kernels/cpu/conv_plan.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/single_thread.h"
#include "kernels/error.h"
#include "kernels/parallel.h"
#include "kernels/rounding.h"

namespace gestalt::cpu {
namespace {

// Elements first to first + count of one dimension.
View slice(const View& view, int dim, int64_t first, int64_t count) {
  View part = view;
  part.data = view.as<float>() + first * view.strides[dim];
  part.shape[dim] = count;
  return part;
}

View image(const View& batch, int64_t index) {
  return slice(batch, 0, index, 1);
}

// Forward: `result` is y, of `source` x. Data: dx, of dy.
struct Convolution {
  Direction direction;
  View source, w;
  const View* bias;
  View result;
  Conv2dDesc desc;

  int64_t reach() const { return desc.dilation[0] * (w.shape[2] - 1) + 1; }
};

// How many rows and channels of an image's result are computed at once. A rule of the shapes of one
// image alone, so that bits depend neither on threads nor on the other images of a batch.
struct Cut {
  int64_t rows, channels;
};

// Rows of a gradient are cut between strides.
int64_t row_step(const Convolution& conv) {
  return conv.direction == Direction::forward ? 1 : conv.desc.stride[0];
}

// Pieces of about 0.1 ms of a core with AVX-512 where the image has enough work, but none of so few
// rows or channels that the sums run slower. Each piece of rows reads all weights, each of channels
// the whole source: the lesser decides.
Cut cut_of(const Convolution& conv) {
  constexpr double piece_flops = 12e6;
  constexpr int64_t most_pieces = 64, least_pixels = 64, least_channels = 64;
  const int64_t height = conv.result.shape[2], channels = conv.result.shape[1];
  const bool forward = conv.direction == Direction::forward;
  const View& y = forward ? conv.result : conv.source;
  const int64_t pixels = y.shape[2] * y.shape[3];
  const double flops = 2.0 * static_cast<double>(conv.w.numel()) * static_cast<double>(pixels);
  const auto pieces = static_cast<int64_t>(
      std::clamp(std::ceil(flops / piece_flops), 1.0, static_cast<double>(most_pieces)));
  const int64_t by_rows = conv.desc.padding[0] < conv.reach()
                              ? std::clamp<int64_t>(pixels / least_pixels, 1, pieces)
                              : 1;
  const int64_t by_channels =
      conv.desc.groups == 1 ? std::clamp<int64_t>(channels / least_channels, 1, pieces) : 1;
  const bool few_weights = conv.w.numel() <= 8 * conv.source.numel() / conv.source.shape[0];
  if (by_rows >= by_channels || (few_weights && by_rows >= 4)) {
    const int64_t step = row_step(conv);
    return {round_up(ceil_div(height, by_rows), step), channels};
  }
  return {height, round_up(ceil_div(channels, by_channels), 16)};
}

// Sets `piece` to rows first to first + count of the result, and to the rows of the source and the
// padding before them that belong to these. With padding < reach and steps of row_step() no piece
// is without a source row, and no padding negative.
void take_rows(Convolution& piece, int64_t first, int64_t count) {
  const int64_t stride = piece.desc.stride[0], padding = piece.desc.padding[0];
  const int64_t reach = piece.reach(), height = piece.source.shape[2];
  int64_t source_first, source_end;
  if (piece.direction == Direction::forward) {
    const int64_t from = first * stride - padding;
    source_first = std::max<int64_t>(from, 0);
    source_end = std::min(from + (count - 1) * stride + reach, height);
    piece.desc.padding[0] = source_first - from;
  } else {
    const int64_t from = first + padding;
    source_first = ceil_div(std::max<int64_t>(from - reach + 1, 0), stride);
    source_end = std::min((from + count - 1) / stride + 1, height);
    piece.desc.padding[0] = from - source_first * stride;
  }
  piece.source = slice(piece.source, 2, source_first, source_end - source_first);
  piece.result = slice(piece.result, 2, first, count);
}

void take_channels(Convolution& piece, int64_t first, int64_t count) {
  piece.result = slice(piece.result, 1, first, count);
  piece.w = slice(piece.w, piece.direction == Direction::forward ? 0 : 1, first, count);
}

struct Piece {
  Convolution conv;  // of the first image
  View bias;
  std::shared_ptr<const ConvPlan> plan;
  size_t weights = 0;          // which copy of the weights, where they move
  bool shares_source = false;  // takes the copy of the whole image that is made for all pieces

  const ConvPlan::Port& source_port() const { return plan->ports[0]; }
  const ConvPlan::Port& weights_port() const { return plan->ports[1]; }
};

class Run {
 public:
  Run(Context& context, const Convolution& conv) : context_(context), conv_(conv) {
    const Cut cut = cut_of(conv);
    const int64_t channels = conv.result.shape[1], height = conv.result.shape[2];
    const int64_t step = row_step(conv);
    for (int64_t channel = 0; channel < channels; channel += cut.channels) {
      for (int64_t row = 0; row < height;) {
        const int64_t end = height - row - cut.rows < step ? height : row + cut.rows;
        add(channel, std::min(cut.channels, channels - channel), row, end - row);
        row = end;
      }
    }
  }

  void operator()() {
    const int64_t images = conv_.result.shape[0];
    const auto pieces = static_cast<int64_t>(pieces_.size());
    const size_t source_bytes =
        pieces_[0].shares_source ? pieces_[0].source_port().copy_bytes() : 0;
    // So many images at once as keep copies of the source in the cache, and out of the peak of
    // memory.
    constexpr size_t most_bytes = size_t{16} << 20;
    const int64_t fit = static_cast<int64_t>(most_bytes / std::max<size_t>(source_bytes, 1));
    const int64_t step = std::clamp<int64_t>(fit, 1, images);
    const int64_t workers = std::min<int64_t>(num_threads(), step * pieces);
    sources_ = static_cast<char*>(context_.workspace(shared_bytes_ +
                                                     source_bytes * static_cast<size_t>(step) +
                                                     own_bytes_ * static_cast<size_t>(workers)));
    weights_ = sources_ + source_bytes * static_cast<size_t>(step);
    char* own = weights_ + shared_bytes_;
    std::vector<std::optional<ConvRunner>> runners(static_cast<size_t>(workers));
    for_each_unit(static_cast<int64_t>(copies_.size()), [&](int64_t copy, int64_t) {
      const Piece& piece = pieces_[copies_[copy].piece];
      piece.weights_port().move_in(piece.conv.w.data, weights_ + copies_[copy].offset);
    });
    for (int64_t first = 0; first < images; first += step) {
      const int64_t count = std::min(step, images - first);
      if (source_bytes > 0) {
        for_each_unit(count, [&](int64_t i, int64_t) {
          pieces_[0].source_port().move_in(image(conv_.source, first + i).data,
                                           sources_ + static_cast<size_t>(i) * source_bytes);
        });
      }
      // The images of a piece one after the other: its weights stay in the cache.
      for_each_unit(count * pieces, [&](int64_t unit, int64_t worker) {
        const SingleThread alone;
        const int64_t i = unit % count;
        run(pieces_[unit / count], first + i, sources_ + static_cast<size_t>(i) * source_bytes,
            own + static_cast<size_t>(worker) * own_bytes_, runners[worker]);
      });
    }
  }

 private:
  struct Copy {
    size_t piece, offset;
  };

  void add(int64_t channel, int64_t channels, int64_t row, int64_t rows) {
    Piece piece{conv_, {}, nullptr};
    Convolution& c = piece.conv;
    c.source = image(c.source, 0);
    c.result = image(c.result, 0);
    if (rows < c.result.shape[2]) take_rows(c, row, rows);
    if (channels < c.result.shape[1]) take_channels(c, channel, channels);
    if (c.bias != nullptr) piece.bias = slice(*c.bias, 0, channel, channels);
    const bool forward = c.direction == Direction::forward;
    piece.plan =
        conv_plan(context_, c.direction, forward ? c.source : c.result, c.w,
                  c.bias != nullptr ? &piece.bias : nullptr, forward ? c.result : c.source, c.desc);
    const ConvPlan::Port& source = piece.source_port();
    const ConvPlan::Port& first = pieces_.empty() ? source : pieces_[0].source_port();
    piece.shares_source = channels < conv_.result.shape[1] && source.moves() && first.moves() &&
                          source.wanted == first.wanted;
    size_t moved = piece.weights_port().copy_bytes();
    if (piece.shares_source) moved += source.copy_bytes();
    own_bytes_ = std::max(own_bytes_, piece.plan->workspace_bytes() - moved);
    pieces_.push_back(std::move(piece));
    if (pieces_.back().weights_port().moves()) find_copy(pieces_.back());
  }

  // Pieces of the same channels, other rows, mostly want their weights alike.
  void find_copy(Piece& piece) {
    const ConvPlan::Port& port = piece.weights_port();
    for (piece.weights = 0; piece.weights < copies_.size(); ++piece.weights) {
      const Piece& other = pieces_[copies_[piece.weights].piece];
      if (other.conv.w.data == piece.conv.w.data && other.weights_port().wanted == port.wanted) {
        return;
      }
    }
    copies_.push_back({pieces_.size() - 1, shared_bytes_});
    shared_bytes_ += port.copy_bytes();
  }

  // Of one image, with that runner of the worker if it has the plan.
  void run(const Piece& piece, int64_t index, void* moved_source, void* workspace,
           std::optional<ConvRunner>& runner) const {
    const Convolution& c = piece.conv;
    const auto at = [&](const View& view) -> void* {
      return view.as<float>() + index * view.strides[0];
    };
    const bool weights_moved = piece.weights_port().moves();
    if (!runner || runner->plan() != piece.plan.get()) {
      runner = ConvRunner(piece.plan, {piece.shares_source, weights_moved}, workspace);
    }
    void* source = piece.shares_source ? moved_source : at(c.source);
    void* weights = weights_moved ? weights_ + copies_[piece.weights].offset : c.w.data;
    if (c.bias != nullptr) {
      runner->run({source, weights, at(c.result), piece.bias.data});
    } else {
      runner->run({source, weights, at(c.result)});
    }
  }

  Context& context_;
  const Convolution& conv_;
  std::vector<Piece> pieces_;
  std::vector<Copy> copies_;
  size_t shared_bytes_ = 0, own_bytes_ = 0;
  char *sources_ = nullptr, *weights_ = nullptr;
};

// Runs `body`, whose exceptions of oneDNN become the library's.
template <class Body>
void with_errors_of(const char* name, const View& x, const View& w, const Body& body) {
  try {
    body();
  } catch (const dnnl::error& error) {
    throw Error(format("[{}] oneDNN: {} (of {} and {})", name, error.what(), x, w));
  }
}

}  // namespace

bool takes_onednn(const View& x, const View& w, const View& y) {
  const auto dense = [](const View& view) {
    return view.dtype == DType::f32 && (view.is_contiguous() || view.is_channels_last());
  };
  return dense(x) && dense(w) && dense(y) && x.numel() > 0 && y.numel() > 0 && w.numel() > 0;
}

void conv2d_forward_onednn(Context& context, const View& x, const View& w, const View* bias,
                           const View& y, const Conv2dDesc& desc) {
  const Convolution conv{Direction::forward, x, w, bias, y, desc};
  with_errors_of("conv2d_forward", x, w, [&] { Run(context, conv)(); });
  // Not fused: oneDNN's relu turns NaN into a number.
  if (desc.activation == Activation::relu) relu(context, y, y);
}

void conv2d_backward_data_onednn(Context& context, const View& dy, const View& w, const View& dx,
                                 const Conv2dDesc& desc) {
  const Convolution conv{Direction::data, dy, w, nullptr, dx, desc};
  with_errors_of("conv2d_backward_data", dy, w, [&] { Run(context, conv)(); });
}

namespace {

void backward_weights(Context& context, const View& dy, const View& x, const View& dw,
                      const Conv2dDesc& desc) {
  constexpr int64_t block_outputs = 32;
  const int64_t group_outputs = dy.shape[1] / desc.groups, group_inputs = dw.shape[1];
  const int64_t blocks = ceil_div(group_outputs, block_outputs);
  // The views of one block: some channels of dy, those of x in its group, some rows of dw.
  struct Block {
    View dy, x, dw;
    std::shared_ptr<const ConvPlan> plan;
  };
  std::vector<Block> work;
  size_t bytes = 0;
  Conv2dDesc block_desc = desc;
  block_desc.groups = 1;
  for (int64_t unit = 0; unit < desc.groups * blocks; ++unit) {
    const int64_t group = unit / blocks, in_group = unit % blocks * block_outputs;
    const int64_t first = group * group_outputs + in_group;
    const int64_t count = std::min(block_outputs, group_outputs - in_group);
    Block block{slice(dy, 1, first, count), slice(x, 1, group * group_inputs, group_inputs),
                slice(dw, 0, first, count), nullptr};
    block.plan =
        conv_plan(context, Direction::weights, block.x, block.dw, nullptr, block.dy, block_desc);
    bytes = std::max(bytes, block.plan->workspace_bytes());
    work.push_back(std::move(block));
  }
  const auto units = static_cast<int64_t>(work.size());
  const int64_t workers = std::min<int64_t>(num_threads(), units);
  char* workspace = static_cast<char*>(context.workspace(bytes * static_cast<size_t>(workers)));
  for_each_unit(units, [&](int64_t unit, int64_t worker) {
    const SingleThread alone;
    const Block& block = work[unit];
    ConvRunner runner(block.plan, {}, workspace + static_cast<size_t>(worker) * bytes);
    runner.run({block.dy.data, block.x.data, block.dw.data});
  });
}

}  // namespace

void conv2d_backward_weights_onednn(Context& context, const View& dy, const View& x, const View& dw,
                                    const Conv2dDesc& desc) {
  with_errors_of("conv2d_backward_weights", dy, x,
                 [&] { backward_weights(context, dy, x, dw, desc); });
}

}  // namespace gestalt::cpu

#endif
