#include "tools/stylize/train_options.h"

#include <nlohmann/json.hpp>

#include "models/adain.h"
#include "tools/common/config.h"
#include "tools/common/ranges.h"
#include "tools/common/run_folder.h"

namespace gestalt::tools {
namespace {

void add_data_flags(CLI::App& app, TrainStylizerSettings& s) {
  const char* data = "Data";
  app.add_option("-i,--content,--content_dir", s.content,
                 "pictures to learn from: folder with subfolders, packed file, or one picture")
      ->required()
      ->group(data);
  app.add_option("--style,--style_dir", s.style, "the same, of styles")->required()->group(data);
  app.add_option("--image_size", s.image_size,
                 "height and width to which each picture is resized first, pixels")
      ->check(in_range(models::adain_least_side, 4096))
      ->group(data);
  app.add_option("--crop_size", s.crop_size,
                 "side of the random square taken of it, pixels; at most --image_size")
      ->check(in_range(models::adain_least_side, 4096))
      ->group(data);
  app.add_option("--batch_size", s.batch_size, "contents per step, and as many styles")
      ->check(at_least(1))
      ->group(data);
  app.add_option("--workers", s.workers,
                 "threads that read contents, and as many for styles; 0: one per core")
      ->check(thread_count())
      ->group(data);
}

void add_network_flags(CLI::App& app, TrainStylizerSettings& s) {
  const char* networks = "Networks";
  app.add_option("--vgg", s.encoder,
                 "encoder weights (vgg_normalised); without, the untrained network, always the "
                 "same: the decoder then fits only it")
      ->type_name("FILE")
      ->group(networks);
  app.add_option("--decoder", s.decoder, "decoder weights to start from; without, random ones")
      ->type_name("FILE")
      ->group(networks);
}

void add_training_flags(CLI::App& app, TrainStylizerSettings& s) {
  const char* training = "Training";
  app.add_option("--max_iter", s.steps, "steps")->check(at_least(1))->group(training);
  app.add_option("--lr", s.learning_rate, "learning rate of Adam at the first step")
      ->check(positive())
      ->group(training);
  app.add_option("--lr_decay", s.learning_rate_decay, "the rate is LR / (1 + LR_DECAY * step)")
      ->check(not_negative())
      ->group(training);
  app.add_option("--content_weight", s.content_weight, "weight of the content loss")
      ->check(not_negative())
      ->group(training);
  app.add_option("--style_weight", s.style_weight, "weight of the style loss")
      ->check(not_negative())
      ->group(training);
  app.add_option(
         "--reconstruction_weight", s.reconstruction_weight,
         "weight of the pixels' squared error where contents and styles are decoded as they are")
      ->check(not_negative())
      ->group(training);
}

}  // namespace

void add_train_stylizer_flags(Tool& tool, TrainStylizerSettings& s) {
  CLI::App& app = tool.app();
  add_data_flags(app, s);
  add_network_flags(app, s);
  add_training_flags(app, s);
  add_run_flags(app, s.name, s.output, s.resume);
  app.add_option("--save_every_steps", s.save_every,
                 "steps between checkpoints, with the decoder; 0: only at the end")
      ->check(at_least(0))
      ->group(run_group);
  app.add_option("--log_every_steps,--log_every", s.log_every,
                 "steps per row of metrics.csv, their mean")
      ->check(at_least(1))
      ->group(run_group);
  app.add_option("--sample_every_steps", s.sample_every,
                 "steps between sample pictures; 0: only at the end")
      ->check(at_least(0))
      ->group(run_group);
}

void check_settings(const TrainStylizerSettings& s) {
  GESTALT_CHECK(s.crop_size <= s.image_size,
                "--crop_size must be at most --image_size ({}), got {}", s.image_size, s.crop_size);
  GESTALT_CHECK(s.content_weight + s.style_weight + s.reconstruction_weight > 0,
                "--content_weight, --style_weight and --reconstruction_weight must not all be 0");
}

nlohmann::json to_json(const TrainStylizerSettings& s, const CommonOptions& common) {
  nlohmann::json settings = {{"content", s.content},
                             {"style", s.style},
                             {"image_size", s.image_size},
                             {"crop_size", s.crop_size},
                             {"batch_size", s.batch_size},
                             {"workers", s.workers},
                             {"vgg", s.encoder.empty() ? "untrained" : s.encoder},
                             {"decoder", s.decoder},
                             {"max_iter", s.steps},
                             {"lr", s.learning_rate},
                             {"lr_decay", s.learning_rate_decay},
                             {"content_weight", s.content_weight},
                             {"style_weight", s.style_weight},
                             {"reconstruction_weight", s.reconstruction_weight},
                             {"name", s.name},
                             {"save_every_steps", s.save_every},
                             {"log_every_steps", s.log_every},
                             {"sample_every_steps", s.sample_every},
                             {"output", s.output}};
  add_common(settings, common);
  return settings;
}

}  // namespace gestalt::tools
