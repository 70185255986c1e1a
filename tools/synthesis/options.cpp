#include "tools/synthesis/options.h"

#include <nlohmann/json.hpp>

#include "kernels/error.h"

namespace gestalt::tools {

void add_synthesis_flags(Tool& tool, SynthesisSettings& s) {
  CLI::App& app = tool.app();
  app.add_option("-i,--input", s.input, "image, or folder of images")->required();
  app.add_option("-o,--output", s.output, "output folder");
  app.add_option("-m,--weights", s.weights,
                 "VGG-19 weights: PyTorch file or safetensors; without, the untrained network");
  app.add_option("-n", s.steps, "optimizer steps");
  app.add_option("--iter", s.iterations, "L-BFGS iterations a step");
  app.add_option("--lr", s.learning_rate, "L-BFGS learning rate");
  app.add_option("--num_texture_per_image", s.textures_per_image,
                 "results an image, from seeds --seed, --seed+1, ...");
  app.add_option("--topk", s.topk,
                 "fraction of each channel's activations that Top-K keeps, (0, 1]");
  app.add_flag("--reverse_topk", s.reverse_topk, "drop the Top-K and keep the rest");
  app.add_option("--image_size", s.image_size, "height and width while optimizing, pixels");
  app.add_option("--layers", s.layers, "network layers to match")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--layer_weights", s.layer_weights, "one a layer; without, all 1")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--pooling", s.pooling, "of the network")->check(CLI::IsMember({"avg", "max"}));
  app.add_option("--batch", s.batch, "images optimized at once; does not change the results");
  app.add_option(
      "--init_image", s.init_image,
      "start from this image, or from tensor `image` of a safetensors file; without, noise");
  app.add_option("--save_tensors", s.save_tensors,
                 "safetensors file for initial, result, losses and target/<layer>");
  app.add_option("--save_every", s.save_every, "save a picture every N steps; 0: only the last");
  app.add_flag("--sheet", s.sheet, "also write sheet.png, the originals beside the results");
  app.add_option("--dtype", s.dtype, "inside the network; f64 for the whole run, slow, CPU alone")
      ->check(CLI::IsMember({"f32", "bf16", "f64"}));
  app.add_flag("--exact", s.exact, "no Winograd convolutions: slower, errors near f32 rounding");
  app.add_flag("--resume", s.resume, "go on with an interrupted run in the output folder");
}

void check_settings(const SynthesisSettings& s) {
  GESTALT_CHECK(s.topk > 0 && s.topk <= 1, "--topk must be in (0, 1], got {}", s.topk);
  GESTALT_CHECK(s.steps >= 1 && s.iterations >= 1, "-n and --iter must be at least 1");
  GESTALT_CHECK(s.learning_rate > 0, "--lr must be positive, got {}", s.learning_rate);
  GESTALT_CHECK(s.image_size >= 16 && s.image_size <= 4096,
                "--image_size must be between 16 and 4096, got {}", s.image_size);
  GESTALT_CHECK(s.batch >= 1 && s.textures_per_image >= 1,
                "--batch and --num_texture_per_image must be at least 1");
  GESTALT_CHECK(s.save_every >= 0, "--save_every must be 0 or more, got {}", s.save_every);
  GESTALT_CHECK(s.layer_weights.empty() || s.layer_weights.size() == s.layers.size(),
                "--layer_weights has {} values for {} layers", s.layer_weights.size(),
                s.layers.size());
}

DType image_dtype(const SynthesisSettings& s) {
  return s.dtype == "f64" ? DType::f64 : DType::f32;
}

nlohmann::json to_json(const SynthesisSettings& s, const CommonOptions& common) {
  return {{"input", s.input},
          {"weights", s.weights.empty() ? "untrained" : s.weights},
          {"n", s.steps},
          {"iter", s.iterations},
          {"lr", s.learning_rate},
          {"num_texture_per_image", s.textures_per_image},
          {"topk", s.topk},
          {"reverse_topk", s.reverse_topk},
          {"image_size", s.image_size},
          {"layers", s.layers},
          {"layer_weights", s.layer_weights},
          {"pooling", s.pooling},
          {"batch", s.batch},
          {"init_image", s.init_image},
          {"dtype", s.dtype},
          {"exact", s.exact},
          {"device", common.device},
          {"threads", common.threads},
          {"seed", common.seed}};
}

}  // namespace gestalt::tools
