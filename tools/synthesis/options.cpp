#include "tools/synthesis/options.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "tensor/context.h"
#include "tensor/graph.h"
#include "tools/common/config.h"
#include "tools/common/list_flag.h"
#include "tools/common/ranges.h"

namespace gestalt::tools {

void add_synthesis_flags(Tool& tool, SynthesisSettings& s) {
  CLI::App& app = tool.app();
  app.add_option("-i,--input", s.inputs, "images, folders of images, or packed files")
      ->default_str("")
      ->required();
  app.add_option("-o,--output", s.output, "output folder");
  app.add_option("-m,--weights", s.weights,
                 "VGG-19 weights: PyTorch file or safetensors; without, the untrained network");
  app.add_option("-n", s.steps, "optimizer steps")->check(at_least(1));
  app.add_option("--iter", s.iterations, "L-BFGS iterations per step")->check(at_least(1));
  app.add_option("--lr", s.learning_rate, "L-BFGS learning rate")->check(positive());
  app.add_option("--num_texture_per_image", s.textures_per_image,
                 "results per image, from seeds --seed, --seed+1, ...")
      ->check(at_least(1));
  app.add_option("--topk", s.topk, "fraction of each channel's activations that Top-K keeps")
      ->check(in_range(0, 1, Ends::upper));
  app.add_flag("--reverse_topk", s.reverse_topk, "drop the Top-K and keep the rest");
  app.add_option("--image_size", s.image_size, "height and width while optimizing, pixels")
      ->check(in_range(16, 4096));
  add_list(app, "--layers", s.layers, "network layers to match");
  add_list(app, "--layer_weights", s.layer_weights, "one per layer; without, all 1",
           not_negative());
  add_choice(app, "--pooling", s.pooling, pooling_names, "pooling of the network");
  app.add_option("--batch_size,--batch", s.batch,
                 "images optimized at a time; on the CPU results stay the same")
      ->check(at_least(1));
  app.add_option(
      "--init_image", s.init_image,
      "start from this image, or from what --save_tensors wrote (its result); without, noise");
  app.add_option("--save_tensors", s.save_tensors,
                 "safetensors file for initial, result, losses and target/<layer>");
  app.add_option("--save_every", s.save_every, "save a picture every N steps; 0: only the last")
      ->check(at_least(0));
  app.add_flag("--sheet", s.sheet, "also write sheet.png, the originals beside the results");
  add_choice(app, "--dtype", s.dtype,
             Names<DType>{{"f32", DType::f32}, {"bf16", DType::bf16}, {"f64", DType::f64}},
             "element type inside the network; f64: of the whole run, slow, CPU only");
  app.add_flag("--exact", s.exact,
               "f32 convolutions without Winograd (CPU) and TF32 (CUDA): slower");
  add_choice(app, "--capture", s.capture, choice_names,
             "record an evaluation once and replay it; auto: on CUDA");
  app.add_flag("--resume", s.resume, "go on with an interrupted run in the output folder");
}

void check_settings(const SynthesisSettings& s) {
  if (!s.layer_weights.empty() && s.layer_weights.size() != s.layers.size()) {
    throw UsageError(format("--layer_weights has {} values for {} layers", s.layer_weights.size(),
                            s.layers.size()));
  }
  const auto is_zero = [](double weight) { return weight == 0; };
  if (!s.layer_weights.empty() &&
      std::all_of(s.layer_weights.begin(), s.layer_weights.end(), is_zero)) {
    throw UsageError("--layer_weights are all 0: nothing would be matched");
  }
  // Top-K of all is the identity, reversed or not, here as in the published code: a flag without
  // effect would go unnoticed.
  if (s.reverse_topk && s.topk == 1) {
    throw UsageError(
        "--reverse_topk has no effect with --topk 1, which keeps everything: give a smaller "
        "--topk, or no --reverse_topk");
  }
  std::set<std::string> seen;
  for (const std::string& layer : s.layers) {
    if (!seen.insert(layer).second) {
      throw UsageError(format("--layers has '{}' twice", layer));
    }
  }
}

DType image_dtype(const SynthesisSettings& s) {
  return s.dtype == DType::f64 ? DType::f64 : DType::f32;
}

bool is_captured(const SynthesisSettings& s) {
  return is_on(s.capture, capture_pays(default_device()));
}

nlohmann::json to_json(const SynthesisSettings& s, const CommonOptions& common) {
  nlohmann::json settings = {{"input", s.inputs},
                             {"output", s.output},
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
                             {"pooling", name_of(pooling_names, s.pooling)},
                             {"batch", s.batch},
                             {"init_image", s.init_image},
                             {"save_tensors", s.save_tensors},
                             {"save_every", s.save_every},
                             {"sheet", s.sheet},
                             {"dtype", to_string(s.dtype)},
                             {"exact", s.exact},
                             {"capture", name_of(choice_names, s.capture)}};
  add_common(settings, common);
  return settings;
}

}  // namespace gestalt::tools
