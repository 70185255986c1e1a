#include "tools/stylize/pictures.h"

#include "data/transforms.h"
#include "kernels/error.h"
#include "optim/state.h"

namespace gestalt::tools {

TrainingPictures::TrainingPictures(const std::string& path, const TrainStylizerSettings& settings,
                                   uint64_t seed)
    : source_(data::open_image_tree(path)), settings_(settings), seed_(seed) {}

Tensor TrainingPictures::next() {
  if (!loader_) begin();
  const std::optional<data::Batch> batch = loader_->next();
  GESTALT_CHECK(batch, "{}: there are no more epochs", source_->location());
  epoch_ = batch->epoch;
  step_ = batch->step + 1;
  return batch->images;
}

std::vector<std::string> TrainingPictures::newly_unreadable() {
  if (!loader_) return {};
  std::vector<std::string> reasons;
  for (const auto& [index, reason] : loader_->unreadable()) {
    if (told_.insert(reason).second) reasons.push_back(reason);
  }
  return reasons;
}

StateDict TrainingPictures::state_dict() const {
  return {optim::number("epoch", epoch_), optim::number("step", step_)};
}

void TrainingPictures::load_state_dict(const StateDict& state) {
  epoch_ = optim::require_integer("checkpoint", state, "epoch");
  step_ = optim::require_integer("checkpoint", state, "step");
}

data::ImageSourcePtr TrainingPictures::repeated() const {
  const int64_t size = source_->size();
  if (size >= settings_.batch_size) return source_;
  std::vector<int64_t> indices;
  while (static_cast<int64_t>(indices.size()) < settings_.batch_size) {
    for (int64_t i = 0; i < size; ++i) indices.push_back(i);
  }
  return data::subset(source_, indices);
}

void TrainingPictures::begin() {
  constexpr int64_t last_epoch = (int64_t{1} << 24) - 1;  // of data::sample_state
  data::LoaderOptions options;
  options.sampler = {
      .batch_size = settings_.batch_size, .shuffle = true, .drop_last = true, .seed = seed_};
  options.epoch = epoch_;
  options.step = step_;
  options.epochs = last_epoch - epoch_;
  options.workers = settings_.workers;
  options.normalization = data::unit_range;
  loader_.emplace(repeated(),
                  data::square_transform({.resize = static_cast<int>(settings_.image_size),
                                          .crop = static_cast<int>(settings_.crop_size)}),
                  options);
}

}  // namespace gestalt::tools
