// FID and KID of two sets of images (docs/measure_fid.md).

#include "tools/common/choice.h"
#include "tools/common/ranges.h"
#include "tools/common/tool.h"
#include "tools/fid/measure.h"

int main(int argc, char** argv) {
  using namespace gestalt::tools;
  Tool tool("measure_fid",
            "FID (Heusel et al. 2017) and KID (Binkowski et al. 2018) of two sets of images.\n"
            "Features are kept, so that a set costs its time once.",
            CommonFlags::without_seed);
  MeasureSettings s;
  CLI::App& app = tool.app();
  using Range = gestalt::eval::PixelRange;
  const Names<std::vector<Range>> ranges = {
      {"full", {Range::full}}, {"paper", {Range::paper}}, {"both", {Range::full, Range::paper}}};
  const char* kinds = "folder of images, packed file, file of features, or .npz of statistics";
  app.add_option("A", s.a, kinds)->required();
  app.add_option("B", s.b, kinds)->required();
  app.add_option("--inception", s.inception,
                 "Inception's weights, pt_inception-2015-12-05-6726825d.pth or "
                 "weights-inception-2015-12-05-6726825d.pth; without, the untrained network")
      ->type_name("FILE");
  app.add_option("--features", s.width, "channels of the layer whose features are compared")
      ->check(CLI::IsMember(std::vector<int64_t>{64, 192, 768, 2048}));
  add_choice(
      app, "--range", s.ranges, ranges,
      "range of pixel values: full, [0,255]; paper, [127,255] as in the published evaluation of "
      "few-shot synthesis; both, one after the other");
  app.add_option("--resize", s.resize,
                 "side of the square to which the images of both sets are resized first, whatever "
                 "their shape, as by pack_images --resize square, pixels; 0: they stay")
      ->check(in_range(0, 32768));
  app.add_option("--subsets", s.subsets, "KID: number of subsets")->check(at_least(1));
  app.add_option("--subset_size", s.subset_size,
                 "KID: images in each; fewer if a set has fewer, which the result says")
      ->check(at_least(2));
  app.add_option("--kid_seed", s.kid_seed, "KID: seed of the subsets, NumPy's RandomState");
  app.add_option("--batch_size", s.batch_size, "images at a time")->check(at_least(1));
  app.add_option("--save_a", s.save_a,
                 "write A's features to this file, .safetensors; .npz: their mean and covariance "
                 "(mu, sigma), as pytorch-fid keeps them")
      ->type_name("FILE");
  app.add_option("--save_b", s.save_b, "the same of B")->type_name("FILE");
  app.add_option("--json", s.json, "write the figures here too; -: to stdout, in place of text")
      ->type_name("FILE");
  auto* cache = app.add_option("--cache", s.cache,
                               "folder in which features are kept and looked up; without, "
                               "$XDG_CACHE_HOME/gestalt/features or ~/.cache/gestalt/features");
  cache->type_name("FOLDER");
  app.add_flag("--no_cache", s.no_cache, "neither look up features nor keep them")->excludes(cache);
  return tool.run(argc, argv, [&] {
    s.command = tool.command_line();
    s.quiet = tool.common().quiet;
    for (const char* flag : {"--inception", "--features", "--range", "--resize"}) {
      if (app.count(flag) > 0) s.of_images.push_back(flag);
    }
    return measure_fid(s);
  });
}
