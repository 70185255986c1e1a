#pragma once

// FID and KID of a generator against the real images, in two ways:
//   standard  pixels over the full range, the generator in evaluation mode (running statistics);
//             mean and deviation over the draws
//   paper     as the published evaluation has it: pixels squeezed into [127,255] (those that the
//             generator paints below black lie below 127: it clamps them to [-1, 1] where [0, 1] is
//             black to white) and, at 1024x1024, every second pixel alone is seen; the generator
//             left in training mode (statistics of each batch, also of the last: what is drawn
//             beyond the samples is left out); of the draws the one with the lowest FID, its KID
//             too

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "eval/inception_features.h"
#include "models/fastgan.h"
#include "tools/fewshot/model.h"

namespace gestalt::tools {

struct FewshotEvaluationOptions {
  int64_t samples = 3000;  // of a draw
  int64_t draws = 3;
  int64_t batch_size = 8;  // of sampling
  uint64_t seed = 0;
  bool standard = true;  // beside the paper's
};

// Over the draws. The deviation is the population's; one draw has none: NaN. `chosen`: of the draw
// with the lowest FID.
struct Figure {
  double mean = 0, deviation = 0, chosen = 0;
};

struct FewshotFigures {
  Figure fid, kid;
};

struct FewshotEvaluation {
  std::optional<FewshotFigures> standard;
  FewshotFigures paper;
  int64_t kid_subset = 0;  // images in each of KID's subsets
};

// The moving average of a model's generator, as a network of its own to draw pictures with.
class Sampler {
 public:
  explicit Sampler(const GanModel& model);
  // Takes the model's average and buffers as they are now.
  void follow(const GanModel& model);
  // Images of z, f32 [N,3,S,S] in [0, 1] (clamped). In training mode the statistics are those of
  // the batch; the model does not change.
  enum class Mode { evaluation, training };
  Tensor images(const Tensor& z, Mode mode);
  // What the published evaluation takes for them: in training mode, clamped to [-1, 1]; those of
  // more than 512 pixels made small and large again.
  Tensor published_images(const Tensor& z);

  models::FastGanGenerator& network() { return *network_; }
  int64_t latent_size() const { return latent_size_; }

 private:
  Tensor unclamped(const Tensor& z, Mode mode);

  int64_t latent_size_;
  std::shared_ptr<models::FastGanGenerator> network_;
};

class Evaluator {
 public:
  // `real`: u8 [N,3,S,S].
  Evaluator(eval::InceptionFeatures& features, const Tensor& real,
            const FewshotEvaluationOptions& options);

  // At that step of the training: its random numbers are a function of the seed and the step.
  // Nothing where `stopped` says so between batches.
  std::optional<FewshotEvaluation> evaluate(Sampler& sampler, int64_t step,
                                            const std::function<bool()>& stopped);

 private:
  std::optional<FewshotFigures> figures(Sampler& sampler, eval::PixelRange range, int64_t step,
                                        const std::function<bool()>& stopped);
  const Tensor& real_features(eval::PixelRange range);

  eval::InceptionFeatures& features_;
  Tensor real_;
  FewshotEvaluationOptions options_;
  Tensor real_full_, real_paper_;  // features, computed once
  int64_t kid_subset_ = 0;
};

}  // namespace gestalt::tools
