#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "kernels/error.h"
#include "models/fastgan.h"
#include "nn/activations.h"
#include "nn/spectral_norm.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"

namespace gestalt::models {
namespace {

using fastgan::SkipExcitation;

constexpr std::array<int64_t, 6> image_sizes = {32, 64, 128, 256, 512, 1024};

int64_t channels_at(int64_t resolution, int64_t base) {
  static const std::map<int64_t, double> multiples = {
      {4, 16}, {8, 8}, {16, 4}, {32, 2}, {64, 2}, {128, 1}, {256, .5}, {512, .25}, {1024, .125}};
  return static_cast<int64_t>(multiples.at(resolution) * static_cast<double>(base));
}

// From z [N,nz] to [N,C,4,4].
class InitLayer : public nn::Module {
 public:
  InitLayer(int64_t latent_size, int64_t channels, Generator& generator) {
    auto init = std::make_shared<nn::Sequential>();
    init->add("0",
              std::make_shared<nn::SpectralConvTranspose2d>(
                  nn::SpectralConvTranspose2dOptions{
                      .in_channels = latent_size, .out_channels = 2 * channels, .kernel = {4, 4}},
                  generator));
    init->add("1", fastgan::batch_norm(2 * channels, generator));
    init->add("2", std::make_shared<nn::GLU>());
    init_ = register_module("init", init);
  }
  Tensor forward(const Tensor& z) override { return (*init_)(reshape(z, {z.size(0), -1, 1, 1})); }

 private:
  std::shared_ptr<nn::Sequential> init_;
};

}  // namespace

void set_sparse(FastGanOptions& options, const std::string& sparse_hw_info,
                const std::string& policy_name) {
  const SparseLevels levels = parse_sparse_levels(sparse_hw_info);
  if (policy_name == "IdentityBase") {
    options.sparse = {};
    return;
  }
  const bool mean = policy_name == "TopKMaskHWMeanReplace";
  GESTALT_CHECK(mean || policy_name == "TopKMaskHW",
                "no policy '{}' (known: TopKMaskHW, TopKMaskHWMeanReplace, IdentityBase)",
                policy_name);
  options.sparse = levels;
  options.topk = mean ? nn::TopKMethod::mean_replace : nn::TopKMethod::keep;
}

std::string sparse_policy_name(const FastGanOptions& options) {
  if (options.sparse.empty()) return "IdentityBase";
  return options.topk == nn::TopKMethod::mean_replace ? "TopKMaskHWMeanReplace" : "TopKMaskHW";
}

int64_t small_size(int64_t image_size) {
  return std::min<int64_t>(128, image_size / 2);
}

void check_options(const FastGanOptions& options) {
  const int64_t size = options.image_size;
  GESTALT_CHECK(std::find(image_sizes.begin(), image_sizes.end(), size) != image_sizes.end(),
                "image size {} is not one of 32, 64, 128, 256, 512, 1024", size);
  for (const auto& [resolution, fraction] : options.sparse) {
    GESTALT_CHECK(resolution >= 4 && resolution <= size && (resolution & (resolution - 1)) == 0,
                  "no Top-K at resolution {}: a generator of {}x{} images has 4 to {}, doubling",
                  resolution, size, size, size);
  }
}

FastGanGenerator::FastGanGenerator(const FastGanOptions& options, Generator& generator)
    : options_(options) {
  check_options(options);
  const int64_t size = options.image_size;
  const auto channels = [&](int64_t resolution) {
    return channels_at(resolution, options.base_channels);
  };
  init_ = register_module("init",
                          std::make_shared<InitLayer>(options.latent_size, channels(4), generator));
  const auto topk_at = [&](int64_t resolution) -> std::shared_ptr<nn::TopK> {
    const auto found = options.sparse.find(resolution);
    if (found == options.sparse.end()) return nullptr;
    return std::make_shared<nn::TopK>(found->second, options.topk);
  };
  init_topk_ = topk_at(4);
  bool comp = true;  // blocks of two convolutions and of one take turns
  for (int64_t resolution = 8; resolution <= size; resolution *= 2, comp = !comp) {
    const int64_t in = channels(resolution / 2), out = channels(resolution);
    const std::string number = std::to_string(resolution);
    Stage stage;
    stage.resolution = resolution;
    stage.block = register_module("feat_" + number,
                                  comp ? fastgan::up_block_comp(in, out, options.noise, generator)
                                       : fastgan::up_block(in, out, generator));
    if (resolution >= 64 && resolution <= 512) {
      stage.excitation = register_module(
          "se_" + number, std::make_shared<SkipExcitation>(channels(resolution / 16), out,
                                                           options.excitation, generator));
    }
    stage.topk = topk_at(resolution);
    stages_.push_back(std::move(stage));
  }
  to_small_ = register_module("to_" + std::to_string(small_size(size)),
                              fastgan::conv(channels(small_size(size)), 3, 1, 1, 0, generator));
  to_big_ = register_module("to_big", fastgan::conv(channels(size), 3, 3, 1, 1, generator));
}

FastGanImages FastGanGenerator::generate(const Tensor& z) {
  GESTALT_CHECK(z.rank() == 2 && z.size(1) == options_.latent_size,
                "[fastgan] expected z [N,{}], got {}", options_.latent_size, z);
  Tensor first = (*init_)(z).contiguous(options_.format);
  if (init_topk_) first = (*init_topk_)(first);
  std::map<int64_t, Tensor> features = {{4, first}};
  for (const Stage& stage : stages_) {
    Tensor feature = (*stage.block)(features.at(stage.resolution / 2));
    if (stage.excitation) {
      feature = stage.excitation->forward(features.at(stage.resolution / 16), feature);
    }
    if (stage.topk) feature = (*stage.topk)(feature);
    features[stage.resolution] = feature;
  }
  FastGanImages images{.big = (*to_big_)(features.at(options_.image_size)),
                       .small = (*to_small_)(features.at(small_size(options_.image_size)))};
  if (options_.image_size == 1024) images = {tanh(images.big), tanh(images.small)};
  return images;
}

}  // namespace gestalt::models
