// Pictures in the style of others, by adaptive instance normalization (docs/stylize_images.md).

#include "tools/common/list_flag.h"
#include "tools/common/ranges.h"
#include "tools/common/tool.h"
#include "tools/stylize/job.h"
#include "tools/stylize/tiles.h"

int main(int argc, char** argv) {
  using namespace gestalt::tools;
  Tool tool(
      "stylize_images",
      "Pictures in the style of others (Huang and Belongie 2017): a tree of folders is mirrored\n"
      "into the output folder. What the output's manifest.csv lists is not made again.");
  StylizeSettings s;
  CLI::App& app = tool.app();
  app.add_option("-i,--content,--content_dir", s.content,
                 "picture, folder with subfolders, or packed file")
      ->required();
  app.add_option("--style,--style_dir", s.style, "the same, of styles")->required();
  app.add_option(
         "--val_fraction", s.val_fraction,
         "of class folders, take only what train_classifier holds out with this fraction; 0: all")
      ->check(in_range(0, 1));
  app.add_option("--split_seed", s.split_seed, "seed of the choice by --val_fraction");
  app.add_option("-o,--output", s.output, "output folder");
  app.add_option("--decoder", s.decoder, "decoder weights: PyTorch file or safetensors")
      ->required();
  app.add_option("--vgg", s.encoder,
                 "encoder weights (vgg_normalised); without, the untrained network, for a decoder "
                 "trained with it");
  add_choice(app, "--styles", s.styles, style_choice_names,
             "each: every content in every style; random: in one, by --seed and its name; mix: "
             "in all at once");
  add_list(app, "--style_weights,--style_interpolation_weights", s.weights,
           "of mix, one per style; without, equal", not_negative());
  app.add_option("--alpha", s.alpha, "0: the content's own statistics, 1: the style's")
      ->check(in_range(0, 1));
  app.add_option("--content_size", s.content_size, "shorter side of contents, pixels; 0: as it is")
      ->check(at_least(0));
  app.add_option("--style_size", s.style_size, "shorter side of styles, pixels; 0: as it is")
      ->check(at_least(0));
  app.add_flag("--crop", s.crop, "cut a centred square out of both");
  app.add_flag("--preserve_color", s.preserve_color, "give the style the content's colours first");
  app.add_option("--save_ext", s.extension, "file format of the pictures")
      ->check(CLI::IsMember({".jpg", ".png"}));
  app.add_option("--tile", s.tile,
                 "side of tiles, pixels, a multiple of 8; 0: whole pictures; auto: by free memory")
      ->check(tile_choice());
  return tool.run(argc, argv, [&] { return stylize(s, tool.common()); });
}
