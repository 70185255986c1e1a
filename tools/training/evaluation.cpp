#include "tools/training/evaluation.h"

#include "data/loader.h"
#include "nn/loss.h"
#include "tensor/autograd.h"
#include "tensor/ops/reduce.h"

namespace gestalt::tools {

int64_t count_correct(const Tensor& logits, const Tensor& labels) {
  const std::vector<int64_t> decisions = argmax(logits.detach(), 1).to_vector<int64_t>();
  const std::vector<int64_t> expected = labels.to_vector<int64_t>();
  int64_t correct = 0;
  for (size_t i = 0; i < decisions.size(); ++i) correct += decisions[i] == expected[i];
  return correct;
}

SetResult evaluate(nn::Module& network, const data::ImageSourcePtr& source,
                   const EvaluationOptions& options) {
  const auto size = static_cast<int>(options.image_size);
  data::LoaderOptions loading;
  loading.sampler.batch_size = options.batch_size;
  loading.workers = options.workers;
  data::Loader loader(
      source, data::evaluation_transform({.resize = size * 256 / 224, .crop = size}), loading);
  const NoGradGuard no_grad;
  const bool was_training = network.is_training();
  network.eval();
  double loss = 0;
  int64_t correct = 0, images = 0;
  while (const auto batch = loader.next()) {
    const Tensor logits = network(batch->images);
    loss += nn::cross_entropy(logits, batch->labels, {.reduction = Reduction::sum}).item();
    correct += count_correct(logits, batch->labels);
    images += batch->images.size(0);
  }
  network.train(was_training);
  const auto count = static_cast<double>(images);
  return {loss / count, static_cast<double>(correct) / count};
}

}  // namespace gestalt::tools
