#include "tools/shape_bias/evaluation.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "data/loader.h"
#include "eval/category_choice.h"
#include "kernels/error.h"
#include "nn/weight_format.h"
#include "tensor/autograd.h"
#include "tensor/counted.h"
#include "tools/common/image_hash.h"
#include "tools/common/progress.h"
#include "tools/common/tool.h"
#include "tools/shape_bias/observer_names.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds save_interval{30};

}  // namespace

Evaluation::Evaluation(const EvaluationSettings& settings, const Stimuli& stimuli,
                       const eval::Categories& categories)
    : settings_(settings),
      stimuli_(stimuli),
      categories_(categories),
      image_hashes_(hash_each(*stimuli.source)) {}

// Files hold the images' order, without those that could not be read; one of other stimuli is none.
// Images that are not what was decided on are left out and go to `changed`.
Evaluation::Decisions Evaluation::read(const fs::path& path, std::set<size_t>& changed) const {
  if (!fs::exists(path)) return {};
  const ImageHashes hashes = read_image_hashes(path);
  Decisions decisions;
  size_t image = 0;
  for (eval::Decision& decision : eval::read_decisions(path, categories_)) {
    const std::vector<std::string>& names = stimuli_.image_names;
    while (image < names.size() && names[image] != decision.image_name) ++image;
    if (image == names.size()) return {};
    const auto hash = hashes.find(decision.image_name);
    const std::string known = hash == hashes.end() ? "" : hash->second;
    if (known.empty() || image_hashes_[image].empty() || known == image_hashes_[image]) {
      decisions.emplace(image, Decided{std::move(decision), known});
    } else {
      changed.insert(image);
    }
    ++image;
  }
  return decisions;
}

// A finished file lacks what could not be read then.
Evaluation::Before Evaluation::made_before(const Sparsity& sparsity,
                                           std::set<size_t>& changed) const {
  const fs::path file = decisions_file(sparsity.subject);
  Decisions finished = read(settings_.folder / file, changed);
  if (finished.size() == stimuli_.names.size()) return {std::move(finished), true};
  Decisions unfinished = read(unfinished_folder(settings_.folder) / file, changed);
  return {unfinished.size() > finished.size() ? std::move(unfinished) : std::move(finished)};
}

void Evaluation::decide(const std::vector<Tensor>& logits, const std::vector<int64_t>& images,
                        const Pass& pass, std::vector<Decisions>& decisions) const {
  for (size_t i = 0; i < logits.size(); ++i) {
    const std::vector<size_t> choices = eval::choose_categories(logits[i], categories_);
    for (size_t j = 0; j < choices.size(); ++j) {
      const auto image = static_cast<size_t>(images[j]);
      decisions[i][image].image_hash = image_hashes_[image];
      eval::Decision& decision = decisions[i][image].decision;
      decision.subject = pass.sparsities[i].subject;
      decision.response = categories_.name(choices[j]);
      decision.category = stimuli_.names[image].shape;
      decision.image_name = stimuli_.image_names[image];
      decision.stimulus = stimuli_.names[image];
    }
  }
}

void Evaluation::save(const Pass& pass, const std::vector<Decisions>& decisions, bool finished) {
  const fs::path unfinished = unfinished_folder(settings_.folder);
  const fs::path folder = finished ? settings_.folder : unfinished;
  fs::create_directories(folder);
  for (size_t i = 0; i < decisions.size(); ++i) {
    const fs::path file = decisions_file(pass.sparsities[i].subject);
    std::vector<eval::Decision> rows;
    ImageHashes hashes;
    for (const auto& [image, decided] : decisions[i]) {
      rows.push_back(decided.decision);
      rows.back().trial = std::to_string(rows.size());
      if (!decided.image_hash.empty()) hashes[rows.back().image_name] = decided.image_hash;
    }
    // In this order: a new file beside old hashes is done again, an old one beside new hashes
    // would pass for new.
    if (!rows.empty()) eval::write_decisions(folder / file, rows);
    if (!rows.empty()) write_image_hashes(folder / file, hashes);
    if (finished) remove_decisions(unfinished / file);
  }
}

std::vector<Evaluation::Decisions> Evaluation::take_up(Pass& pass) const {
  std::vector<Decisions> decisions;
  std::set<size_t> changed;
  std::erase_if(pass.sparsities, [&](const Sparsity& sparsity) {
    Before before = made_before(sparsity, changed);
    if (before.is_finished) return true;
    decisions.push_back(std::move(before.decisions));
    return false;
  });
  if (!changed.empty() && !pass.sparsities.empty()) {
    std::fprintf(stderr, "content changed, decided anew: %s, the first: %s\n",
                 counted(static_cast<int64_t>(changed.size()), "image").c_str(),
                 stimuli_.source->name(static_cast<int64_t>(*changed.begin())).c_str());
  }
  return decisions;
}

std::vector<int64_t> Evaluation::images_left(const std::vector<Decisions>& decisions) const {
  std::vector<int64_t> left, done;
  for (size_t image = 0; image < stimuli_.names.size(); ++image) {
    const bool everywhere =
        std::all_of(decisions.begin(), decisions.end(),
                    [&](const Decisions& each) { return each.contains(image); });
    (everywhere ? done : left).push_back(static_cast<int64_t>(image));
  }
  // What could not be read before is tried again, beside one that could: a set of nothing else is
  // an error.
  if (!left.empty() && !done.empty()) left.push_back(done.front());
  return left;
}

bool Evaluation::decide_on(const std::vector<int64_t>& images, eval::TopKSweep& network,
                           const Pass& pass, std::vector<Decisions>& decisions) {
  const auto all = static_cast<int64_t>(stimuli_.names.size());
  const int64_t before = all - static_cast<int64_t>(images.size());
  data::LoaderOptions options;
  options.sampler.batch_size = settings_.batch_size;
  options.workers = 1;  // decoding is little beside a network
  data::Loader loader(data::subset(stimuli_.source, images),
                      stimulus_transform(settings_.image_size), options);
  Progress progress(pass.sparsities.size() == 1 ? pass.sparsities.front().subject : "images", all,
                    settings_.quiet);
  progress.update(before, "");
  Clock::time_point saved = Clock::now();
  const Format format = nn::convolution_format(context(default_device()));
  while (std::optional<data::Batch> batch = loader.next()) {
    const int64_t last = batch->indices.back();
    for (int64_t& image : batch->indices) image = images[static_cast<size_t>(image)];
    decide(network(batch->images.contiguous(format)), batch->indices, pass, decisions);
    progress.update(before + last + 1, "");
    if (!interrupted() && Clock::now() - saved < save_interval) continue;
    save(pass, decisions, false);
    saved = Clock::now();
    if (interrupted()) return false;
  }
  for (const auto& [image, reason] : loader.unreadable()) unreadable_.push_back(reason);
  return true;
}

bool Evaluation::run(eval::TopKSweep& network, Pass pass) {
  for (const Sparsity& sparsity : pass.sparsities) {
    files_.push_back(settings_.folder / decisions_file(sparsity.subject));
  }
  std::vector<Decisions> decisions = take_up(pass);
  if (pass.sparsities.empty()) return true;
  std::vector<double> fractions;
  for (const Sparsity& sparsity : pass.sparsities) fractions.push_back(sparsity.fraction);
  network.activate(pass.places);
  network.set_fractions(fractions);
  const NoGradGuard no_grad;
  const std::vector<int64_t> left = images_left(decisions);
  if (!left.empty() && !decide_on(left, network, pass, decisions)) return false;
  save(pass, decisions, true);
  return true;
}

}  // namespace gestalt::tools
