#include "tools/stylize/plan.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <utility>

#include "data/name_hash.h"
#include "kernels/error.h"
#include "tensor/random.h"
#include "tools/common/file_hash.h"
#include "tools/common/picture_names.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;

std::string short_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

// Of an input in the name of a picture made of it.
std::string stem(const fs::path& name, Extension extension) {
  return extension == Extension::kept ? stem_with_extension(name) : name.stem().string();
}

class Planner {
 public:
  Planner(const StylizeSettings& settings, uint64_t seed, const data::ImageSource& contents,
          const data::ImageSource& styles)
      : settings_(settings),
        seed_(seed),
        contents_(contents),
        styles_(styles),
        options_(options_text()) {}

  std::vector<PlannedPicture> plan() const {
    const int64_t count = styles_.size();
    std::vector<PlannedPicture> pictures;
    for (int64_t content = 0; content < contents_.size(); ++content) {
      if (settings_.styles == StyleChoice::each) {
        for (int64_t i = 0; i < count; ++i) pictures.push_back(picture(content, {i}, {1}));
      } else if (settings_.styles == StyleChoice::random) {
        // By the name, so that pictures added later change no other's style.
        Generator generator(seed_ ^ data::name_hash(contents_.name(content)));
        pictures.push_back(picture(content, {generator.integer(count)}, {1}));
      } else {
        std::vector<int64_t> all(count);
        for (int64_t i = 0; i < count; ++i) all[i] = i;
        pictures.push_back(
            picture(content, all,
                    settings_.weights.empty() ? std::vector<double>(count, 1) : settings_.weights));
      }
    }
    tell_apart(pictures);
    check_outputs(pictures);
    return pictures;
  }

 private:
  // Extensions come into the names of those that have none of their own without: of a.jpg and
  // a.png.
  void tell_apart(std::vector<PlannedPicture>& pictures) const {
    std::map<std::string, std::vector<PlannedPicture*>> by_output;
    for (PlannedPicture& picture : pictures) by_output[picture.output].push_back(&picture);
    for (const auto& [output, same] : by_output) {
      const auto if_differing = [&same = same](auto PlannedPicture::*ingredient) {
        const bool differ =
            std::any_of(same.begin(), same.end(), [&](const PlannedPicture* picture) {
              return picture->*ingredient != same[0]->*ingredient;
            });
        return differ ? Extension::kept : Extension::left_out;
      };
      const Extension of_content = if_differing(&PlannedPicture::content);
      const Extension of_style = if_differing(&PlannedPicture::styles);
      for (PlannedPicture* picture : same) {
        picture->output = output_of(*picture, of_content, of_style);
      }
    }
  }

  std::string output_of(const PlannedPicture& picture, Extension of_content,
                        Extension of_style) const {
    const fs::path name = contents_.name(picture.content);
    const std::string suffix = settings_.styles == StyleChoice::mix
                                   ? "interpolation"
                                   : flat_stem(styles_.name(picture.styles[0]), of_style);
    return (name.parent_path() /
            (stem(name, of_content) + "_stylized_" + suffix + settings_.extension))
        .string();
  }

  static void check_outputs(const std::vector<PlannedPicture>& pictures) {
    std::map<std::string, const PlannedPicture*> seen;
    for (const PlannedPicture& picture : pictures) {
      const auto [first, is_new] = seen.emplace(picture.output, &picture);
      GESTALT_CHECK(is_new, "{} would be made twice, of {} and of {}", picture.output,
                    first->second->entry.content, picture.entry.content);
    }
  }

  PlannedPicture picture(int64_t content, std::vector<int64_t> styles,
                         std::vector<double> weights) const {
    const fs::path name = contents_.name(content);
    const bool mixed = settings_.styles == StyleChoice::mix;
    std::string style_text;
    for (size_t i = 0; i < styles.size(); ++i) {
      style_text += (i > 0 ? "+" : "") + styles_.name(styles[i]);
      if (mixed) style_text += "*" + short_text(weights[i]);
    }
    std::string files = " content_file=" + fingerprint(contents_, content) + " style_files=";
    for (size_t i = 0; i < styles.size(); ++i) {
      files += (i > 0 ? "+" : "") + fingerprint(styles_, styles[i]);
    }
    ManifestEntry entry{name.string(), style_text, short_text(settings_.alpha), seed_,
                        options_ + files};
    PlannedPicture result{content, std::move(styles), std::move(weights), "", entry};
    result.output = output_of(result, Extension::left_out, Extension::left_out);
    return result;
  }

  std::string options_text() const {
    return format("content_size={} style_size={} crop={} preserve_color={} encoder={} decoder={}",
                  settings_.content_size, settings_.style_size, settings_.crop,
                  settings_.preserve_color,
                  settings_.encoder.empty() ? "untrained" : content_name(settings_.encoder),
                  content_name(settings_.decoder));
  }

  // Of an image's file (of a packed set, of that): its size and both its ends, which tell others
  // apart without reading millions of files.
  std::string fingerprint(const data::ImageSource& source, int64_t i) const {
    const fs::path location = source.location();
    std::error_code ignored;
    const fs::path file =
        fs::is_directory(location, ignored) ? location / source.name(i) : location;
    std::string& known = fingerprints_[file.string()];
    if (!known.empty()) return known;
    constexpr int64_t end = 4096;
    std::string text = std::to_string(fs::file_size(file, ignored)) + " ";
    std::ifstream in(file, std::ios::binary);
    for (const auto& [offset, from] :
         {std::pair{int64_t{0}, std::ios::beg}, {-end, std::ios::end}}) {
      std::string part(end, '\0');
      in.clear();
      in.seekg(offset, from);
      in.read(part.data(), end);
      text.append(part, 0, static_cast<size_t>(in.gcount()));
    }
    const std::string hash = sha256_of_text(text);
    return known = hash.empty() ? "unknown" : hash.substr(0, 16);
  }

  // Weights are what they hold, not where they lie.
  static std::string content_name(const std::string& path) {
    const std::string hash = sha256_of_file(path);
    return hash.empty() ? path : hash.substr(0, 16);
  }

  const StylizeSettings& settings_;
  uint64_t seed_;
  const data::ImageSource& contents_;
  const data::ImageSource& styles_;
  std::string options_;                                      // in the manifest
  mutable std::map<std::string, std::string> fingerprints_;  // by file
};

}  // namespace

std::vector<PlannedPicture> plan_pictures(const StylizeSettings& settings, uint64_t seed,
                                          const data::ImageSource& contents,
                                          const data::ImageSource& styles) {
  return Planner(settings, seed, contents, styles).plan();
}

}  // namespace gestalt::tools
