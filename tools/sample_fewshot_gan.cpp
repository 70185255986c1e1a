// Pictures of a few-shot GAN's generator (docs/sample_fewshot_gan.md).

#include "tools/common/ranges.h"
#include "tools/common/tool.h"
#include "tools/sampling/sampling.h"

int main(int argc, char** argv) {
  using namespace gestalt::tools;
  Tool tool("sample_fewshot_gan",
            "Pictures of a trained few-shot GAN (FastGAN, with Top-K): of a checkpoint of\n"
            "train_fewshot_gan, or of the published training code.");
  SamplingSettings s;
  CLI::App& app = tool.app();
  app.add_option("--ckpt", s.checkpoint, "checkpoint: ours, or the published code's")->required();
  app.add_option("-o,--output,--out", s.output, "output folder");
  app.add_option("--n_sample", s.samples, "number of pictures")->check(at_least(1));
  app.add_option("--batch_size", s.batch_size, "pictures at a time")->check(at_least(1));
  add_choice(app, "--statistics", s.statistics, norm_statistics_names,
             "statistics of batch norm: running, those of the training; batch, those of each "
             "batch, as the published code samples");
  add_choice(app, "--generator,--weights", s.weights, generator_weights_names,
             "ema: the moving average of its weights; last: those of the last step");
  app.add_option("--sparse_hw_info", s.sparse,
                 "where only the strongest activations are kept, RESOLUTIONS_PERCENTS (32_5), or "
                 "none; needed for the published code's checkpoints, which do not tell")
      ->transform(published_none());
  app.add_option("--sp_hw_policy_name", s.sparse_policy,
                 "what becomes of the kept activations; without, as in the checkpoint, or "
                 "TopKMaskHW with --sparse_hw_info")
      ->check(CLI::IsMember({"TopKMaskHW", "TopKMaskHWMeanReplace", "IdentityBase"}));
  add_choice(
      app, "--excitation", s.excitation, excitation_names,
      "how the skip-layer excitations end: in a sigmoid, or linear as in the published code; "
      "auto: as in the checkpoint, where that does not tell as in the code it seems to be of");
  app.add_option("--im_size", s.image_size, "side, pixels; 0: the checkpoint's")
      ->check(at_least(0));
  app.add_option("--nz", s.latent_size, "latent values; 0: the checkpoint's")->check(at_least(0));
  app.add_flag("--noise", s.noise,
               "the network has noise injection; without, as in the checkpoint");
  add_choice(app, "--format", s.format, picture_files_names,
             "png: FOLDER/images/000000.png ...; packed: "
             "FOLDER/samples.safetensors");
  app.add_option("--grid", s.grid, "pictures in FOLDER/grid.png")->check(at_least(0));
  app.add_option("--interpolate", s.interpolate,
                 "pictures from each latent to the next; 0: one for each latent")
      ->check(at_least(0));
  app.add_flag("--overwrite", s.overwrite, "remove the pictures of an earlier run in FOLDER");
  return tool.run(argc, argv, [&] { return sample(s, tool.common()); });
}
