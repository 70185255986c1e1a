#include "tools/stylize/job.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "data/coral.h"
#include "data/dataset.h"
#include "data/encode.h"
#include "data/preprocess.h"
#include "data/transforms.h"
#include "kernels/error.h"
#include "kernels/runtime.h"
#include "models/adain.h"
#include "tensor/autograd.h"
#include "tensor/context.h"
#include "tools/common/config.h"
#include "tools/common/folder_lock.h"
#include "tools/common/not_finite.h"
#include "tools/common/output.h"
#include "tools/common/passed_over.h"
#include "tools/common/progress.h"
#include "tools/common/tool.h"
#include "tools/stylize/manifest.h"
#include "tools/stylize/networks.h"
#include "tools/stylize/plan.h"
#include "tools/stylize/save_interval.h"
#include "tools/stylize/tiles.h"

namespace gestalt::tools {

namespace fs = std::filesystem;

namespace {

// f32 [1,3,H,W] on the CPU: the shorter side made `size`, then a square cut out.
Tensor load(const data::ImageSource& source, int64_t i, int size, bool crop) {
  const auto image = source.open(i);
  data::Geometry geometry = data::whole_image(image->height(), image->width());
  if (size > 0) data::resize_shorter_side(geometry, size);
  if (size > 0 && crop) data::center_crop(geometry, size, size);
  GESTALT_CHECK(std::min(geometry.output_height, geometry.output_width) >= models::adain_least_side,
                "{} is too small: {}x{}, at least {}x{} are needed", source.name(i),
                geometry.output_height, geometry.output_width, models::adain_least_side,
                models::adain_least_side);
  const data::ImageView pixels = image->decode_whole();
  return data::to_unit_tensor(data::render(geometry, pixels));
}

data::ImageSourcePtr open_contents(const StylizeSettings& settings) {
  if (settings.val_fraction == 0) return data::open_image_tree(settings.content);
  const auto [rest, held_out] = data::split_by_class(data::open_dataset(settings.content),
                                                     settings.val_fraction, settings.split_seed);
  GESTALT_CHECK(held_out->size() > 0, "--val_fraction {} holds none of the {} pictures of '{}' out",
                settings.val_fraction, rest->size(), settings.content);
  return held_out;
}

// The styles' statistics, each taken once; with the content's colours, for each content.
class Styles {
 public:
  Styles(const StylizeSettings& settings, const models::Stylizer& stylizer)
      : settings_(settings),
        stylizer_(stylizer),
        source_(data::open_image_tree(settings.style)),
        cache_(source_->size()) {}

  const data::ImageSource& source() const { return *source_; }

  nn::ChannelStats stats(int64_t i, const Tensor& content) {
    if (cache_[i]) return *cache_[i];
    Tensor image = load(*source_, i, settings_.style_size, settings_.crop);
    if (settings_.preserve_color) image = data::match_colors(image, content);
    const nn::ChannelStats stats = stylizer_.style(image.to(default_device()));
    if (!settings_.preserve_color) cache_[i] = stats;
    return stats;
  }

 private:
  const StylizeSettings& settings_;
  const models::Stylizer& stylizer_;
  data::ImageSourcePtr source_;
  std::vector<std::optional<nn::ChannelStats>> cache_;
};

class StylizeRun {
 public:
  StylizeRun(const StylizeSettings& settings, const CommonOptions& common)
      : settings_(settings),
        common_(common),
        encoder_(load_adain_encoder(settings.encoder)),
        stylizer_(encoder_.network, load_adain_decoder(settings.decoder)),
        contents_(open_contents(settings)),
        styles_(settings, stylizer_) {
    if (settings.styles == StyleChoice::mix && !settings.weights.empty()) {
      GESTALT_CHECK(static_cast<int64_t>(settings.weights.size()) == styles_.source().size(),
                    "--style_weights has {} values for {} styles", settings.weights.size(),
                    styles_.source().size());
    }
  }

  int run() {
    // Whose errors come before anything is written.
    check_output_is_apart();
    const std::vector<PlannedPicture> pictures =
        plan_pictures(settings_, common_.seed, *contents_, styles_.source());
    prepare_output_folder(settings_.output, "stylize_images");
    const FolderLock lock(settings_.output);
    lock.print_warning();
    remove_leftovers(lock, pictures);
    manifest_.emplace(settings_.output);
    write_config();
    if (!common_.quiet) {
      std::printf("encoder: %s\n%zu pictures of %lld contents and %lld styles\n",
                  encoder_.description.c_str(), pictures.size(),
                  static_cast<long long>(contents_->size()),
                  static_cast<long long>(styles_.source().size()));
    }
    print_passed_over({&*contents_, &styles_.source()});
    catch_interrupts();
    Progress progress("stylized", static_cast<int64_t>(pictures.size()), common_.quiet);
    int64_t count = 0;
    for (const PlannedPicture& picture : pictures) {
      if (interrupted()) break;
      if (manifest_->is_done(picture.output, picture.entry)) {
        ++skipped_;
      } else {
        make_or_leave_out(picture);
      }
      progress.update(++count, "");
      save_manifest_sometimes();
    }
    progress.finish();
    manifest_->save();
    const bool stopped = count < static_cast<int64_t>(pictures.size());
    GESTALT_CHECK(stopped || made_ + skipped_ > 0, "{}: none of the pictures could be made",
                  settings_.content);
    if (!common_.quiet) {
      std::printf("%s: %lld made, %lld done before, %lld left out%s\n", settings_.output.c_str(),
                  static_cast<long long>(made_), static_cast<long long>(skipped_),
                  static_cast<long long>(left_out_), stopped ? "; interrupted" : "");
    }
    return stopped ? exit_interrupted : exit_done;
  }

 private:
  // Else the next run would find its own pictures among the contents, or write over one of them.
  void check_output_is_apart() const {
    for (const std::string& input : {settings_.content, settings_.style}) {
      check_outside(settings_.output, input);
    }
  }

  // Of killed runs; the lock itself looks into the upper folders alone.
  void remove_leftovers(const FolderLock& lock, const std::vector<PlannedPicture>& pictures) const {
    std::set<fs::path> folders;
    for (const PlannedPicture& picture : pictures) {
      folders.insert(fs::path(picture.output).parent_path());
    }
    for (const fs::path& folder : folders) {
      if (folder.has_parent_path()) lock.remove_leftovers_in(settings_.output / folder);
    }
  }

  void make_or_leave_out(const PlannedPicture& picture) {
    Tensor content;
    std::vector<nn::ChannelStats> stats;
    try {
      content = load(*contents_, picture.content, settings_.content_size, settings_.crop);
      for (const int64_t i : picture.styles) stats.push_back(styles_.stats(i, content));
    } catch (const Error& error) {
      std::fprintf(stderr, "left out: %s: %s\n", picture.output.c_str(), error.what());
      ++left_out_;
      return;
    }
    const nn::ChannelStats style = models::mix_styles(stats, picture.weights);
    const Device device = default_device();
    Context& ctx = context(device);
    const int64_t tile = tile_for(settings_.tile, content.size(2), content.size(3),
                                  static_cast<int64_t>(ctx.runtime().memory(ctx).free));
    const Tensor result = tile > 0 ? stylizer_.stylize_tiled(content, style, settings_.alpha, tile)
                                   : stylizer_.stylize(content.to(device), style, settings_.alpha);
    check_finite_picture(result, picture.output, settings_.decoder);
    const fs::path path = fs::path(settings_.output) / picture.output;
    fs::create_directories(path.parent_path());
    data::save_image(path, data::from_unit_tensor(result));
    manifest_->add(picture.output, picture.entry);
    ++made_;
  }

  void save_manifest_sometimes() {
    const auto begin = SaveInterval::Clock::now();
    if (!interval_.is_due(begin)) return;
    manifest_->save();
    interval_.saved(begin, SaveInterval::Clock::now());
  }

  void write_config() const {
    nlohmann::json settings = {{"content", settings_.content},
                               {"style", settings_.style},
                               {"val_fraction", settings_.val_fraction},
                               {"split_seed", settings_.split_seed},
                               {"encoder", encoder_.description},
                               {"decoder", settings_.decoder},
                               {"styles", name_of(style_choice_names, settings_.styles)},
                               {"style_weights", settings_.weights},
                               {"alpha", settings_.alpha},
                               {"content_size", settings_.content_size},
                               {"style_size", settings_.style_size},
                               {"crop", settings_.crop},
                               {"preserve_color", settings_.preserve_color},
                               {"tile", settings_.tile},
                               {"save_ext", settings_.extension},
                               {"output", settings_.output}};
    add_common(settings, common_);
    tools::write_config(settings_.output, "stylize_images", settings);
  }

  const StylizeSettings& settings_;
  const CommonOptions& common_;
  AdainEncoder encoder_;
  models::Stylizer stylizer_;
  data::ImageSourcePtr contents_;
  Styles styles_;
  std::optional<Manifest> manifest_;
  int64_t made_ = 0, skipped_ = 0, left_out_ = 0;
  SaveInterval interval_{SaveInterval::Clock::now()};
};

void check_weights(const std::vector<double>& weights) {
  double sum = 0;
  for (const double weight : weights) sum += weight;
  GESTALT_CHECK(weights.empty() || sum > 0, "--style_weights must not all be 0");
  GESTALT_CHECK(std::isfinite(sum), "--style_weights are too large to add");
}

}  // namespace

void check_settings(const StylizeSettings& settings) {
  GESTALT_CHECK(settings.weights.empty() || settings.styles == StyleChoice::mix,
                "--style_weights needs --styles mix");
  check_weights(settings.weights);
}

int stylize(const StylizeSettings& settings, const CommonOptions& common) {
  as_usage([&] { check_settings(settings); });
  const NoGradGuard no_grad;
  return StylizeRun(settings, common).run();
}

}  // namespace gestalt::tools
