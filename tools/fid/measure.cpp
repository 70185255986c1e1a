#include "tools/fid/measure.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <spdlog/fmt/fmt.h>

#include "kernels/error.h"
#include "tensor/counted.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/npy.h"
#include "tools/common/output.h"
#include "tools/common/passed_over.h"
#include "tools/common/tool.h"
#include "tools/common/utf8.h"
#include "tools/common/version.h"
#include "tools/common/weights.h"
#include "tools/fid/extraction.h"
#include "tools/fid/inputs.h"

namespace gestalt::tools {
namespace {

using nlohmann::json;

constexpr int64_t few_images = 10;

// Figures under one range, with all that they depend on.
struct Result {
  double fid = 0;
  std::optional<eval::KernelDistance> kid;  // none: of statistics
  eval::MetricStamp stamp;
  bool origin_known = true;
  int64_t unreadable_a = 0, unreadable_b = 0;

  std::string name(const char* metric) const {
    return eval::metric_name(metric, stamp.width, stamp.origin.weights);
  }
};

void check_settings(const MeasureSettings& settings, const MeasureInput& a, const MeasureInput& b) {
  const auto check_saved = [](const char* flag, const std::string& file,
                              const MeasureInput& input) {
    GESTALT_CHECK(file.empty() || !input.features.statistics,
                  "{}: '{}' holds statistics already, and no features", flag, input.path.string());
  };
  check_saved("--save_a", settings.save_a, a);
  check_saved("--save_b", settings.save_b, b);
  if (settings.ranges.size() == 1) {
    if (a.images || b.images || settings.of_images.empty()) return;
    throw UsageError(format("{} tells how features of images are made, '{}' and '{}' hold theirs",
                            settings.of_images.front(), a.path.string(), b.path.string()));
  }
  for (const MeasureInput* input : {&a, &b}) {
    GESTALT_CHECK(input->images, "--range both needs images, '{}' holds {} of one range",
                  input->path.string(), input->features.statistics ? "statistics" : "features");
  }
  GESTALT_CHECK(settings.save_a.empty() && settings.save_b.empty(),
                "--save_a and --save_b keep features of one range: not with --range both");
}

void check_outputs(const MeasureSettings& settings, const MeasureInput& a, const MeasureInput& b) {
  const std::string* const outputs[] = {&settings.save_a, &settings.save_b, &settings.json};
  for (size_t i = 0; i < std::size(outputs); ++i) {
    for (size_t j = 0; j < i; ++j) {
      GESTALT_CHECK(outputs[i]->empty() || *outputs[i] != *outputs[j],
                    "two outputs would be written to '{}'", *outputs[i]);
    }
  }
  for (const std::string& output : {settings.save_a, settings.save_b, settings.json}) {
    check_not_input(output, settings.inception);
    for (const MeasureInput* input : {&a, &b}) {
      check_not_input(output, input->path);
      if (input->images) check_not_input(output, *input->images);
    }
  }
}

eval::FeatureOrigin unknown_origin() {
  return {.resize = "not told",
          .range = "not told",
          .network = "not told",
          .network_hash = "",
          .weights = eval::Weights::unknown};
}

// A folder that can't be had is found before the work: an error where the user named it.
FeatureCache open_cache(const MeasureSettings& settings) {
  if (settings.no_cache) return FeatureCache({});
  const std::filesystem::path folder =
      settings.cache.empty() ? default_cache_folder() : std::filesystem::path(settings.cache);
  try {
    GESTALT_CHECK(!folder.empty(), "neither XDG_CACHE_HOME nor HOME is set");
    make_folder(folder);
    check_can_write(folder / "features");
    remove_leftovers(folder);
    return FeatureCache(folder);
  } catch (const Error& error) {
    if (!settings.cache.empty()) throw;
    std::fprintf(stderr, "warning: nothing is kept: %s\n", error.what());
    return FeatureCache({});
  }
}

// Whether their distance is had from statistics, which are kept.
bool is_by_statistics(const Features& a, const Features& b) {
  if (a.statistics || b.statistics) return true;
  return eval::is_by_factors(a.images(), b.images(), a.width());
}

// Whether there is something to keep in the cache.
bool keeps_any(const MeasureInput& a, const MeasureInput& b) {
  if (a.images || b.images) return true;
  const bool made_already = a.features.statistics && b.features.statistics;
  return !made_already && is_by_statistics(a.features, b.features);
}

double frechet_distance(const FeatureCache& cache, const Features& a, const Features& b) {
  if (!is_by_statistics(a, b)) return eval::frechet_distance(a.values, b.values);
  return eval::frechet_distance(cache.statistics(a), cache.statistics(b));
}

Result compare(const MeasureSettings& settings, const FeatureCache& cache, const Features& a,
               const Features& b) {
  Result result;
  result.fid = frechet_distance(cache, a, b);
  if (!a.statistics && !b.statistics) {
    result.kid = eval::kernel_distance(a.values, b.values,
                                       {.subsets = settings.subsets,
                                        .subset_size = settings.subset_size,
                                        .seed = settings.kid_seed,
                                        .interrupted = interrupted});
  }
  result.origin_known = a.origin && b.origin;
  result.stamp = {.origin = a.origin   ? *a.origin
                            : b.origin ? *b.origin
                                       : unknown_origin(),
                  .width = a.width(),
                  .images1 = a.images(),
                  .images2 = b.images(),
                  .draws = "as given"};
  result.unreadable_a = a.unreadable;
  result.unreadable_b = b.unreadable;
  return result;
}

void print_kid(const Result& result, const MeasureSettings& settings) {
  if (!result.kid) {
    std::printf("%s: none, it needs the features of both sets, not statistics\n",
                result.name("KID").c_str());
    return;
  }
  const eval::KernelDistance& kid = *result.kid;
  std::string deviation;  // one subset has none
  if (!std::isnan(kid.deviation)) deviation = fmt::format(" +- {:.7g}", kid.deviation);
  std::printf("%s: %.7g%s, %s of %s\n", result.name("KID").c_str(), kid.mean, deviation.c_str(),
              counted(settings.subsets, "subset").c_str(),
              counted(kid.subset_size, "image").c_str());
  if (kid.subset_size < settings.subset_size) {
    std::printf("  KID's subsets are reduced from %lld images: the smaller set has no more\n",
                static_cast<long long>(settings.subset_size));
  }
}

void print(const Result& result, const MeasureSettings& settings) {
  std::printf("%s: %.7g\n", result.name("FID").c_str(), result.fid);
  print_kid(result, settings);
  std::printf("  %s\n", eval::to_text(result.stamp).c_str());
  if (result.unreadable_a + result.unreadable_b > 0) {
    std::printf("  left out, since they can't be read: %lld of A, %lld of B\n",
                static_cast<long long>(result.unreadable_a),
                static_cast<long long>(result.unreadable_b));
  }
  if (!result.origin_known) {
    std::printf("  a file of %s\n",
                result.kid ? "features does not tell how they were made"
                           : "statistics does not tell how they were made, nor of how many images");
  }
}

json kid_to_json(const Result& result, const MeasureSettings& settings) {
  if (!result.kid) return nullptr;
  const eval::KernelDistance& kid = *result.kid;
  return {{"name", result.name("KID")},
          {"mean", kid.mean},
          {"deviation", kid.deviation},
          {"subsets", settings.subsets},
          {"subset_size", kid.subset_size},
          {"subset_size_reduced", kid.subset_size < settings.subset_size},
          {"seed", settings.kid_seed}};
}

json to_json(const Result& result, const MeasureSettings& settings) {
  const eval::MetricStamp& stamp = result.stamp;
  const auto count = [](int64_t images) { return images > 0 ? json(images) : json(nullptr); };
  return {{"fid", {{"name", result.name("FID")}, {"value", result.fid}}},
          {"kid", kid_to_json(result, settings)},
          {"resize", stamp.origin.resize},
          {"range", stamp.origin.range},
          {"network",
           {{"description", stamp.origin.network},
            {"sha256", stamp.origin.network_hash},
            {"weights", eval::to_string(stamp.origin.weights)}}},
          {"features", stamp.width},
          {"origin_known", result.origin_known},
          {"images", json::array({count(stamp.images1), count(stamp.images2)})},
          {"unreadable", {result.unreadable_a, result.unreadable_b}},
          {"draws", stamp.draws}};
}

void report(const std::vector<Result>& results, const MeasureSettings& settings) {
  for (const Result& result : results) {
    if (settings.json != "-") print(result, settings);
    int64_t fewest = few_images;
    for (const int64_t images : {result.stamp.images1, result.stamp.images2}) {
      if (images > 0) fewest = std::min(fewest, images);
    }
    if (fewest < few_images) {
      std::fprintf(stderr, "warning: a set of %s says little\n", counted(fewest, "image").c_str());
    }
  }
  if (settings.json.empty()) return;
  json all = {{"tool", "measure_fid"}, {"version", version_text()}, {"command", settings.command},
              {"a", settings.a},       {"b", settings.b},           {"results", json::array()}};
  for (const Result& result : results) all["results"].push_back(to_json(result, settings));
  const std::string text = as_utf8_json(all).dump(2) + "\n";
  if (settings.json == "-") {
    std::fputs(text.c_str(), stdout);
  } else {
    write_text(settings.json, text);
  }
}

// Features of A and of B, one for each range; nothing where the user interrupted.
using FeaturePairs = std::vector<std::pair<Features, Features>>;
std::optional<FeaturePairs> all_features(const MeasureSettings& settings, const FeatureCache& cache,
                                         const MeasureInput& a, const MeasureInput& b) {
  if (!a.images && !b.images) return FeaturePairs{{a.features, b.features}};
  eval::InceptionFeatures extractor(
      eval::load_inception(settings.inception, settings.width, default_device(), read_weights));
  if (extractor.network().weights == eval::Weights::untrained && !settings.quiet) {
    std::fprintf(stderr,
                 "no --inception FILE: the network is untrained, and its figures are comparable "
                 "with each other alone\n");
  }
  const FeaturesOptions options{settings.ranges, settings.resize, settings.batch_size,
                                settings.quiet};
  // What can't be compared is found before the work.
  for (const MeasureInput* input : {&a, &b}) {
    if (input->images) continue;
    Features promised;
    promised.values = Tensor::zeros({2, settings.width}, {.device = Device{}});
    promised.origin = origin_of(extractor.network(), options.ranges[0], options.resize);
    const MeasureInput& other = input == &a ? b : a;
    check_comparable(*input, input->features, other, promised);
  }
  FeaturePairs pairs(options.ranges.size());
  for (const MeasureInput* input : {&a, &b}) {
    std::vector<Features> features = {input->features};
    if (input->images) {
      std::optional<std::vector<Features>> made = features_of(*input, extractor, cache, options);
      if (!made) return {};
      features = std::move(*made);
    }
    for (size_t i = 0; i < pairs.size(); ++i) {
      (input == &a ? pairs[i].first : pairs[i].second) = std::move(features[i]);
    }
  }
  return pairs;
}

bool is_for_statistics(const std::string& path) {
  return std::filesystem::path(path).extension() == ".npz";
}

void save(const std::string& path, const Features& features, const FeatureCache& cache) {
  if (path.empty()) return;
  if (is_for_statistics(path)) {
    write_statistics(path, cache.statistics(features));
  } else {
    write_features(path, features);
  }
}

}  // namespace

int measure_fid(const MeasureSettings& settings) {
  for (const std::string* path : {&settings.save_a, &settings.save_b, &settings.json}) {
    if (!path->empty() && *path != "-") check_can_write(*path);
  }
  for (const std::string* path : {&settings.save_a, &settings.save_b}) {
    if (is_for_statistics(*path)) check_can_save_npz(*path);
  }
  const MeasureInput a = open_input(settings.a), b = open_input(settings.b);
  as_usage([&] { check_settings(settings, a, b); });
  check_outputs(settings, a, b);
  print_passed_over({a.images.get(), b.images.get()});
  const FeatureCache cache = keeps_any(a, b) ? open_cache(settings) : FeatureCache({});
  catch_interrupts();
  const std::optional<FeaturePairs> pairs = all_features(settings, cache, a, b);
  if (!pairs) {
    std::fprintf(
        stderr,
        "interrupted; features of a whole set are kept in the cache, nothing else was written\n");
    return exit_interrupted;
  }
  for (const auto& [of_a, of_b] : *pairs) {
    check_comparable(a, of_a, b, of_b);
    save(settings.save_a, of_a, cache);
    save(settings.save_b, of_b, cache);
  }
  std::vector<Result> results;
  for (const auto& [of_a, of_b] : *pairs) {
    results.push_back(compare(settings, cache, of_a, of_b));
    if (!results.back().kid || !results.back().kid->interrupted) continue;
    std::fprintf(stderr, "interrupted; there are no figures, features that were kept stay\n");
    return exit_interrupted;
  }
  report(results, settings);
  return exit_done;
}

}  // namespace gestalt::tools
