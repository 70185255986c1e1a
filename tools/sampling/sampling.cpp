#include "tools/sampling/sampling.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "data/contact_sheet.h"
#include "data/encode.h"
#include "data/packed.h"
#include "data/preprocess.h"
#include "kernels/error.h"
#include "models/fastgan_checkpoint.h"
#include "nn/weight_format.h"
#include "tensor/autograd.h"
#include "tensor/counted.h"
#include "tensor/io/atomic_file.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/shape.h"
#include "tools/common/config.h"
#include "tools/common/folder_lock.h"
#include "tools/common/not_finite.h"
#include "tools/common/output.h"
#include "tools/common/progress.h"
#include "tools/common/tool.h"
#include "tools/fewshot/check_fits.h"
#include "tools/sampling/latents.h"

namespace gestalt::tools {

namespace fs = std::filesystem;

namespace {

using models::FastGanCheckpoint;
using models::FastGanGenerator;
using models::FastGanOptions;

void set_given_sparsity(FastGanOptions& options, const SamplingSettings& settings) {
  if (settings.sparse.empty() && settings.sparse_policy.empty()) return;
  models::set_sparse(options,
                     settings.sparse.empty() ? models::to_text(options.sparse) : settings.sparse,
                     settings.sparse_policy.empty() ? "TopKMaskHW" : settings.sparse_policy);
}

// What is not given is the checkpoint's; what is given must be.
FastGanOptions network_options(const SamplingSettings& settings,
                               const FastGanCheckpoint& checkpoint) {
  FastGanOptions options = checkpoint.options;
  if (settings.image_size > 0) options.image_size = settings.image_size;
  if (settings.latent_size > 0) options.latent_size = settings.latent_size;
  if (settings.noise) options.noise = true;
  if (settings.excitation) options.excitation = *settings.excitation;
  set_given_sparsity(options, settings);
  check_fits(checkpoint, options);
  return options;
}

// An image [1,3,H,W] in [-1, 1], as torchvision's save_image after x * 0.5 + 0.5.
data::Image to_image(const Tensor& image) {
  return data::from_unit_tensor(image * 0.5 + 0.5);
}

// Where the pictures go: FOLDER/images/000000.png ..., or FOLDER/samples.safetensors.
class Pictures {
 public:
  explicit Pictures(const SamplingSettings& settings)
      : folder_(fs::path(settings.output) / "images"),
        packed_(settings.format == PictureFiles::packed) {
    prepare_output_folder(settings.output, "sample_fewshot_gan");
    lock_.emplace(settings.output);
    lock_->print_warning();
    check_not_input(packed_file(), settings.checkpoint);
    remove_old(settings.overwrite);
    if (packed_) {
      check_can_write(packed_file());
      writer_.emplace(packed_file(), std::vector<std::string>());
    } else {
      prepare_output_folder(folder_, "sample_fewshot_gan");
    }
  }

  void add(int64_t number, const data::Image& image) {
    char name[32];
    std::snprintf(name, sizeof name, "%06lld.png", static_cast<long long>(number));
    if (packed_) {
      writer_->add(name, 0, image);
    } else {
      data::save_image(folder_ / name, image);
    }
  }

  std::string finish() {
    if (!packed_) return folder_.string();
    writer_->finish();
    return packed_file().string();
  }

 private:
  fs::path packed_file() const { return folder_.parent_path() / "samples.safetensors"; }

  // Pictures of an earlier run would be counted among these, or taken for them.
  void remove_old(bool overwrite) {
    std::vector<fs::path> old;
    if (fs::is_directory(folder_)) {
      for (const auto& entry : fs::directory_iterator(folder_)) {
        if (entry.path().extension() == ".png") old.push_back(entry.path());
      }
    }
    GESTALT_CHECK(overwrite || !fs::exists(packed_file()),
                  "'{}' is there already; give another --output, or --overwrite to replace it",
                  packed_file().string());
    GESTALT_CHECK(overwrite || old.empty(),
                  "'{}' holds {} already; give another --output, or --overwrite to remove "
                  "them",
                  folder_.string(), counted(old.size(), "picture"));
    old.push_back(folder_.parent_path() / "grid.png");
    if (!packed_) old.push_back(packed_file());  // else replaced when the new one is whole
    check_not_interrupted();
    for (const fs::path& path : old) fs::remove(path);
  }

  fs::path folder_;
  bool packed_;
  std::optional<FolderLock> lock_;
  std::optional<data::PackWriter> writer_;
};

class Job {
 public:
  Job(const SamplingSettings& settings, const CommonOptions& common)
      : settings_(settings),
        common_(common),
        checkpoint_(models::read_fastgan_checkpoint(settings.checkpoint)),
        options_(network_options(settings, checkpoint_)),
        untold_(untold_of(checkpoint_, !settings.sparse.empty(), settings.excitation.has_value())) {
    options_.format = nn::convolution_format(context(default_device()));
    Generator random(0);
    generator_ = std::make_unique<FastGanGenerator>(options_, random);
    const bool ema = settings.weights == GeneratorWeights::ema;
    try {
      generator_->load_state_dict(ema ? models::averaged_generator(checkpoint_)
                                      : checkpoint_.generator);
    } catch (const Error& error) {
      throw Error(format("'{}': {}{}", settings.checkpoint, error.what(),
                         ema && checkpoint_.average.empty() ? "; give --generator last" : ""));
    }
    generator_->to(default_device());
    nn::set_weight_format(*generator_, options_.format);
    check_finite(generator_->state_dict(), settings.checkpoint);
    generator_->set_requires_grad(false);
    generator_->train(settings.statistics == NormStatistics::batch);
    latents_ = draw_latents(common.seed, settings.samples, options_.latent_size);
    if (settings.interpolate > 0) latents_ = interpolate(latents_, settings.interpolate);
  }

  int run() {
    say();
    Pictures pictures(settings_);
    write_config();
    const int64_t count = latents_.size(0);
    Progress progress("pictures", count, common_.quiet);
    for (int64_t begin = 0; begin < count; begin += settings_.batch_size) {
      if (interrupted()) {
        progress.finish();
        std::fprintf(stderr, "interrupted after %lld of %lld pictures\n",
                     static_cast<long long>(begin), static_cast<long long>(count));
        return exit_interrupted;
      }
      const Tensor images = batch(begin);
      check_finite_picture(images, "pictures", settings_.checkpoint);
      for (int64_t i = 0; i < images.size(0); ++i) {
        const data::Image image = to_image(narrow(images, 0, i, 1));
        pictures.add(begin + i, image);
        if (begin + i < settings_.grid) grid_.push_back(image);
      }
      progress.update(begin + images.size(0), "");
    }
    const std::string place = pictures.finish();
    draw_grid();
    progress.finish();
    if (!common_.quiet) {
      std::printf("%s in %s\n", counted(count, "picture").c_str(), place.c_str());
    }
    return exit_done;
  }

 private:
  // The pictures from number `begin` on, f32 [B,3,S,S] on the CPU.
  Tensor batch(int64_t begin) {
    const int64_t left = latents_.size(0) - begin;
    const int64_t count = std::min(settings_.batch_size, left);
    Tensor z = narrow(latents_, 0, begin, count);
    if (settings_.statistics == NormStatistics::batch && count < settings_.batch_size) {
      // A whole batch all the same: its statistics are those of that many pictures.
      const int64_t more = settings_.batch_size - count;
      const Tensor extra =
          narrow(draw_latents(common_.seed, settings_.samples + more, options_.latent_size), 0,
                 settings_.samples, more);
      z = cat({z, extra}, 0);
    }
    const Tensor images = generator_->generate(z.to(default_device())).big;
    return narrow(images, 0, 0, count).to(Device{});
  }

  void draw_grid() const {
    if (grid_.empty()) return;
    const auto count = static_cast<int64_t>(grid_.size());
    int64_t columns = settings_.interpolate;
    if (columns == 0) {
      while (columns * columns < count) ++columns;
    }
    data::ContactSheet sheet;
    sheet.cell_size = static_cast<int>(std::min<int64_t>(options_.image_size, 256));
    for (int64_t i = 0; i < count; ++i) {
      if (i % columns == 0) sheet.cells.emplace_back();
      sheet.cells.back().push_back(grid_[static_cast<size_t>(i)]);
    }
    sheet.cells.back().resize(static_cast<size_t>(std::min(columns, count)));
    data::save_image(fs::path(settings_.output) / "grid.png", data::draw_contact_sheet(sheet));
  }

  void say() const {
    if (!untold_.sparsity.empty()) {  // without it the pictures may mean nothing
      std::fprintf(stderr, "warning: %s\n", untold_.sparsity.c_str());
    }
    if (common_.quiet) return;
    std::printf(
        "%s: %lldx%lld after %lld steps, %s weights, Top-K %s (%s), excitation %s, statistics: "
        "%s\n",
        settings_.checkpoint.c_str(), static_cast<long long>(options_.image_size),
        static_cast<long long>(options_.image_size), static_cast<long long>(checkpoint_.iterations),
        name_of(generator_weights_names, settings_.weights).c_str(),
        models::to_text(options_.sparse).c_str(), models::sparse_policy_name(options_).c_str(),
        models::to_string(options_.excitation),
        name_of(norm_statistics_names, settings_.statistics).c_str());
    if (!untold_.excitation.empty()) std::printf("%s\n", untold_.excitation.c_str());
  }

  void write_config() const {
    nlohmann::json settings = {{"ckpt", settings_.checkpoint},
                               {"iter", checkpoint_.iterations},
                               {"im_size", options_.image_size},
                               {"nz", options_.latent_size},
                               {"noise", options_.noise},
                               {"sparse_hw_info", models::to_text(options_.sparse)},
                               {"sp_hw_policy_name", models::sparse_policy_name(options_)},
                               {"excitation", models::to_string(options_.excitation)},
                               {"weights", name_of(generator_weights_names, settings_.weights)},
                               {"statistics", name_of(norm_statistics_names, settings_.statistics)},
                               {"n_sample", settings_.samples},
                               {"batch_size", settings_.batch_size},
                               {"interpolate", settings_.interpolate},
                               {"format", name_of(picture_files_names, settings_.format)},
                               {"grid", settings_.grid},
                               {"overwrite", settings_.overwrite},
                               {"output", settings_.output}};
    if (!untold_.sparsity.empty()) settings["sparsity_known"] = false;
    add_common(settings, common_);
    tools::write_config(settings_.output, "sample_fewshot_gan", settings);
  }

  const SamplingSettings& settings_;
  const CommonOptions& common_;
  FastGanCheckpoint checkpoint_;
  FastGanOptions options_;
  Untold untold_;
  std::unique_ptr<FastGanGenerator> generator_;
  Tensor latents_;  // [pictures, nz]
  std::vector<data::Image> grid_;
};

}  // namespace

int sample(const SamplingSettings& settings, const CommonOptions& common) {
  as_usage([&] {
    GESTALT_CHECK(settings.statistics == NormStatistics::running || settings.batch_size >= 2,
                  "--statistics batch needs a --batch_size of 2 or more, got {}",
                  settings.batch_size);
    GESTALT_CHECK(settings.interpolate == 0 || settings.samples >= 2,
                  "--interpolate needs two latents or more: --n_sample is {}", settings.samples);
    FastGanOptions options;
    set_given_sparsity(options, settings);
  });
  const NoGradGuard no_grad;
  catch_interrupts();
  return Job(settings, common).run();
}

}  // namespace gestalt::tools
