#pragma once

// FastGAN's generator and discriminator (Liu et al. 2021) with Top-K layers (Li et al. 2023), under
// the published code's parameter names.
//
// Image sizes: 256, 512 and 1024 as published. 32, 64 and 128 are networks of our own: the last
// blocks are left out, and the small picture and the reconstructions, 128x128 otherwise, are half
// as large as the big one.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/fastgan_blocks.h"
#include "models/sparse_levels.h"
#include "nn/layers.h"

namespace gestalt::models {

struct FastGanOptions {
  int64_t image_size = 256;
  int64_t latent_size = 256;   // nz
  int64_t base_channels = 64;  // ngf, ndf
  bool noise = false;          // noise injection in the generator
  SparseLevels sparse = {};    // each resolution one of the generator's, 4 and up
  nn::TopKMethod topk = nn::TopKMethod::keep;
  Excitation excitation = Excitation::sigmoid;  // of both networks
  // Of the generator's features and images; the discriminator keeps that of its input.
  Format format = Format::contiguous;
};

// Top-K by the published flags: LEVELS_PERCENTS (models/sparse_levels.h) or "none", and TopKMaskHW,
// TopKMaskHWMeanReplace or IdentityBase, which takes every activation. Throws Error.
void set_sparse(FastGanOptions& options, const std::string& sparse_hw_info,
                const std::string& policy_name);
// "IdentityBase" where there is no Top-K.
std::string sparse_policy_name(const FastGanOptions& options);
// Throws Error for an image size that there is no network of, and for Top-K at a resolution that it
// does not have.
void check_options(const FastGanOptions& options);

struct FastGanImages {
  Tensor big;    // [N,3,S,S]
  Tensor small;  // [N,3,T,T], T = small_size(S)
};
int64_t small_size(int64_t image_size);

// z [N,latent_size] to images. No tanh bounds them, but for 1024x1024, as published.
class FastGanGenerator : public nn::Module {
 public:
  FastGanGenerator(const FastGanOptions& options, Generator& generator);
  FastGanImages generate(const Tensor& z);

 private:
  struct Stage {
    int64_t resolution = 0;
    std::shared_ptr<nn::Sequential> block;
    std::shared_ptr<fastgan::SkipExcitation> excitation;  // by the features of resolution / 16
    std::shared_ptr<nn::TopK> topk;
  };

  FastGanOptions options_;
  std::shared_ptr<nn::Module> init_;
  std::shared_ptr<nn::TopK> init_topk_;  // null where there is none, as in Stage
  std::vector<Stage> stages_;
  std::shared_ptr<nn::Module> to_big_, to_small_;
};

// What the discriminator says of images. The reconstructions are there for real ones alone.
struct FastGanJudgement {
  Tensor logits;              // [2 * N * M], those of the big pictures, then of the small ones
  Tensor whole, small, part;  // [N,3,T,T], T = small_size(S)
};

class FastGanDiscriminator : public nn::Module {
 public:
  FastGanDiscriminator(const FastGanOptions& options, Generator& generator);

  FastGanJudgement judge_fake(const FastGanImages& images);
  // `part`: the quarter that is reconstructed by itself, as for quarter() below.
  FastGanJudgement judge_real(const FastGanImages& images, int part);
  FastGanJudgement judge_real(const FastGanImages& images, const Tensor& part);

 private:
  struct Features {
    Tensor logits, last, before_last, small;
  };
  Features look(const FastGanImages& images);
  template <class Part>
  FastGanJudgement judge_and_rebuild(const FastGanImages& images, const Part& part);

  std::shared_ptr<nn::Sequential> down_from_big_, rf_big_, down_from_small_;
  std::vector<std::shared_ptr<nn::Module>> down_;                      // down_4, down_8, ...
  std::vector<std::shared_ptr<fastgan::SkipExcitation>> excitations_;  // of down_[2], down_[3], ...
  std::shared_ptr<nn::Module> rf_small_;
  std::shared_ptr<fastgan::SimpleDecoder> decoder_big_, decoder_part_, decoder_small_;
};

// Quarter 0 to 3 of x [N,C,H,W]: upper left, upper right, lower left, lower right.
Tensor quarter(const Tensor& x, int part);
// The same by numbers on x's device, f32 [2], in [0, 1): which half of the rows, of the columns.
Tensor quarter(const Tensor& x, const Tensor& part);

}  // namespace gestalt::models
