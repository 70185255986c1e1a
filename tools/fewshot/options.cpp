#include "tools/fewshot/options.h"

#include <nlohmann/json.hpp>

#include "kernels/error.h"
#include "tools/common/config.h"
#include "tools/common/ranges.h"
#include "tools/common/run_folder.h"

namespace gestalt::tools {
namespace {

void add_data_flags(CLI::App& app, FewshotSettings& s) {
  const char* data = "Data";
  app.add_option("--path", s.path, "folder of images, or a packed file")->required()->group(data);
  app.add_option("--im_size", s.image_size, "height and width, pixels")
      ->check(CLI::IsMember(std::vector<int64_t>{32, 64, 128, 256, 512, 1024}))
      ->group(data);
  app.add_option("--batch_size", s.batch_size, "images per step")->check(at_least(1))->group(data);
}

// The published default; it would be taken for a file that is missing.
std::string check_checkpoint(const std::string& text) {
  if (text != "Default") return {};
  return "Default, to go on with the run where there is one, is --resume_if_any here";
}

void add_network_flags(CLI::App& app, FewshotSettings& s) {
  const char* network = "Network";
  app.add_option("--nz", s.latent_size, "latent values that an image is made from")
      ->check(at_least(1))
      ->group(network);
  app.add_option("--base_channels", s.base_channels, "channels at 128x128 (ngf and ndf)")
      ->check(at_least(8))
      ->group(network);
  app.add_option("--sparse_hw_info", s.sparse,
                 "where Top-K is applied, RESOLUTIONS_PERCENTS: 32_5 keeps 5 % at 32x32; or "
                 "16-32_10-5, none")
      ->transform(published_none())
      ->group(network);
  app.add_option("--sp_hw_policy_name", s.sparse_policy, "what becomes of the kept activations")
      ->check(CLI::IsMember({"TopKMaskHW", "TopKMaskHWMeanReplace", "IdentityBase"}))
      ->group(network);
  app.add_option("--sparse_layer_loss_weight", s.sparse_loss_weight,
                 "weight of a policy's own loss; none of these policies has one")
      ->check(not_negative())
      ->group(network);
  add_choice(
      app, "--excitation", s.excitation, excitation_names,
      "how the skip-layer excitations end: in a sigmoid, or linear as in the published code; "
      "auto: as in the --ckpt, else sigmoid")
      ->group(network);
  CLI::Option* noise =
      app.add_flag("--noise", s.noise, "noise injection in the generator")->group(network);
  app.add_flag("--nonoise", s.nonoise, "no noise injection (the default)")
      ->excludes(noise)
      ->group(network);
  app.add_option_function<std::string>(
         "--ckpt", [&s](const std::string& file) { s.checkpoint = file == "restart" ? "" : file; },
         "start from this checkpoint, ours or the published code's (--resume: from the run's own); "
         "restart: from none")
      ->check(CLI::Validator(check_checkpoint, ""))
      ->type_name("FILE")
      ->group(network);
  app.add_option("--vgg16", s.vgg16,
                 "VGG-16 weights for the perceptual loss; without, the untrained network")
      ->type_name("FILE")
      ->group(network);
  app.add_option("--lpips", s.lpips,
                 "LPIPS's linear weights (vgg.pth); without, every channel counts the same")
      ->type_name("FILE")
      ->group(network);
}

void add_training_flags(CLI::App& app, FewshotSettings& s) {
  const char* training = "Training";
  app.add_option("--iter", s.iterations, "steps")->check(at_least(1))->group(training);
  app.add_option("--start_iter", "no effect, as published: a run begins where its --ckpt stands")
      ->type_name("INT")
      ->group(training);
  app.add_option("--cuda", "no effect on a training, as published: --device cuda:N chooses the GPU")
      ->type_name("INT")
      ->group(training);
  app.add_option("--lr", s.learning_rate, "learning rate of Adam, for both networks")
      ->check(positive())
      ->group(training);
  add_choice(app, "--dtype", s.dtype, training_dtype_names,
             "element type of convolutions; weights, average, losses and evaluation stay f32")
      ->group(training);
  add_choice(app, "--capture", s.capture, choice_names,
             "record the step once and replay it; auto: on CUDA, without --noise")
      ->group(training);
  add_choice(app, "--on_nan", s.on_nan, on_nan_names,
             "at a loss that is not finite: stop, or go back to the best state and on from there")
      ->group(training);
}

void add_evaluation_flags(CLI::App& app, FewshotSettings& s) {
  const char* evaluation = "Evaluation";
  app.add_option("--fid_feature_extractor_name", s.extractor, "network that FID and KID use")
      ->check(CLI::IsMember({"inception-v3-compat"}))
      ->group(evaluation);
  app.add_option("--inception", s.inception, "Inception's weights; without, the untrained network")
      ->type_name("FILE")
      ->group(evaluation);
  app.add_option("--eval_every", s.eval_every,
                 "steps between evaluations; the last step has one too")
      ->check(at_least(1))
      ->group(evaluation);
  app.add_option("--n_sample,--n_eval_samples", s.eval_samples,
                 "images per draw; FID and KID need two")
      ->check(at_least(2))
      ->group(evaluation);
  app.add_option("--n_eval_draws", s.eval_draws,
                 "draws of that many images, for mean and deviation")
      ->check(at_least(1))
      ->group(evaluation);
  add_choice(app, "--compat", s.compatibility, compatibility_names,
             "paper: only its figures (range [127, 255], draw of lowest FID, batch statistics)")
      ->group(evaluation);
  app.add_option("--backup_scheduler_patience", s.patience,
                 "evaluations without a new best before the best state comes back; 0: never")
      ->check(at_least(0))
      ->group(evaluation);
  app.add_option("--eps_G", s.eps_generator,
                 "each roll-back then moves the generator by U(-eps_G, eps_G)")
      ->check(not_negative())
      ->group(evaluation);
  app.add_option("--eps_D", s.eps_discriminator, "the same for the discriminator")
      ->check(not_negative())
      ->group(evaluation);
}

}  // namespace

void add_fewshot_flags(Tool& tool, FewshotSettings& s) {
  CLI::App& app = tool.app();
  add_data_flags(app, s);
  add_network_flags(app, s);
  add_training_flags(app, s);
  add_evaluation_flags(app, s);
  add_run_flags(app, s.name, s.output, s.resume);
  app.add_option("--log_every_steps,--log_every", s.log_every,
                 "steps between lines of the log and of metrics.csv")
      ->check(at_least(1))
      ->group(run_group);
  app.add_option("--save_every_steps", s.save_every_steps,
                 "steps between checkpoints; 0: only at evaluations")
      ->check(at_least(0))
      ->group(run_group);
}

void check_settings(const FewshotSettings& s) {
  GESTALT_CHECK(s.capture != Choice::on || !s.noise,
                "--capture on and --noise do not go together: the noise is drawn by the host");
  const models::FastGanOptions options = network_options(s);
  try {
    models::check_options(options);
  } catch (const Error& error) {
    throw Error(
        format("--im_size {} --sparse_hw_info {}: {}", s.image_size, s.sparse, error.what()));
  }
}

models::FastGanOptions network_options(const FewshotSettings& s) {
  models::FastGanOptions options{.image_size = s.image_size,
                                 .latent_size = s.latent_size,
                                 .base_channels = s.base_channels,
                                 .noise = s.noise,
                                 .excitation = s.excitation.value_or(models::Excitation::sigmoid)};
  try {
    models::set_sparse(options, s.sparse, s.sparse_policy);
  } catch (const Error& error) {
    throw Error(format("--sparse_hw_info {}", error.what()));
  }
  return options;
}

nlohmann::json to_json(const FewshotSettings& s, const CommonOptions& common) {
  nlohmann::json settings = {{"path", s.path},
                             {"im_size", s.image_size},
                             {"batch_size", s.batch_size},
                             {"nz", s.latent_size},
                             {"base_channels", s.base_channels},
                             {"noise", s.noise},
                             {"sparse_hw_info", s.sparse},
                             {"sp_hw_policy_name", s.sparse_policy},
                             {"sparse_layer_loss_weight", s.sparse_loss_weight},
                             {"ckpt", s.checkpoint},
                             {"vgg16", s.vgg16},
                             {"lpips", s.lpips},
                             {"iter", s.iterations},
                             {"lr", s.learning_rate},
                             {"dtype", to_string(s.dtype)},
                             {"capture", name_of(choice_names, s.capture)},
                             {"on_nan", name_of(on_nan_names, s.on_nan)},
                             {"fid_feature_extractor_name", s.extractor},
                             {"inception", s.inception},
                             {"eval_every", s.eval_every},
                             {"n_sample", s.eval_samples},
                             {"n_eval_draws", s.eval_draws},
                             {"compat", name_of(compatibility_names, s.compatibility)},
                             {"backup_scheduler_patience", s.patience},
                             {"eps_G", s.eps_generator},
                             {"eps_D", s.eps_discriminator},
                             {"name", s.name},
                             {"log_every", s.log_every},
                             {"save_every_steps", s.save_every_steps},
                             {"output", s.output}};
  if (s.excitation) settings["excitation"] = models::to_string(*s.excitation);
  add_common(settings, common);
  return settings;
}

}  // namespace gestalt::tools
