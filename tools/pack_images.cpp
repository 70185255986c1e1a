// pack_images FOLDER OUT: decoded, resized pixels in one mapped file (docs/pack_images.md).

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <new>

#include "data/folder.h"
#include "data/packed.h"
#include "data/transforms.h"
#include "kernels/error.h"
#include "kernels/parallel.h"
#include "tensor/counted.h"
#include "tensor/io/atomic_file.h"
#include "tools/common/choice.h"
#include "tools/common/output.h"
#include "tools/common/passed_over.h"
#include "tools/common/progress.h"
#include "tools/common/ranges.h"
#include "tools/common/tool.h"

namespace gestalt::tools {
namespace {

enum class Resize { shorter, square, none };
const Names<Resize> resize_names = {
    {"shorter", Resize::shorter}, {"square", Resize::square}, {"none", Resize::none}};
const Names<data::Filter> filter_names = {{"bilinear", data::Filter::bilinear},
                                          {"bicubic", data::Filter::bicubic},
                                          {"lanczos", data::Filter::lanczos}};

struct Settings {
  std::string in, out;
  Resize resize = Resize::shorter;
  data::Filter filter = data::Filter::bilinear;
  int size = 256, crop = 0, threads = 0;
  bool flat = false, verify = false, quiet = false;
};

// Throws Error where the result is none that a packed file can have.
data::Geometry packed_form(int height, int width, const Settings& settings) {
  data::Geometry geometry = data::whole_image(height, width);
  if (settings.resize == Resize::shorter) data::resize_shorter_side(geometry, settings.size);
  if (settings.resize == Resize::square) data::resize_to(geometry, settings.size, settings.size);
  if (settings.crop > 0) data::center_crop(geometry, settings.crop, settings.crop);
  GESTALT_CHECK(data::fits_packed(geometry.output_height, geometry.output_width),
                "packed it would be {}x{}, more than the {} pixels that an image may have",
                geometry.output_height, geometry.output_width, data::max_image_pixels);
  geometry.filter = settings.filter;
  return geometry;
}

std::string path_of(const data::ImageSource& source, int64_t i) {
  return (std::filesystem::path(source.location()) / source.name(i)).string();
}

data::Image read_packed_form(const data::ImageSource& source, int64_t i, const Settings& settings) {
  const std::unique_ptr<data::OpenedImage> image = source.open(i);
  data::Geometry geometry;
  try {
    geometry = packed_form(image->height(), image->width(), settings);
  } catch (const Error& error) {
    throw Error(format("'{}': {}", path_of(source, i), error.what()));
  }
  return data::render(geometry, image->decode_whole());
}

struct Packed {
  data::Image image;
  std::string error;  // why there is no image
};

// What no image could be packed with. Throws UsageError.
void check_sizes(const Settings& settings) {
  const bool is_square = settings.crop > 0 || settings.resize == Resize::square;
  const int side = settings.crop > 0 ? settings.crop : settings.size;
  if (!is_square || data::fits_packed(side, side)) return;
  throw UsageError(format("{} {}: images of {}x{} are more than the {} pixels that one may have",
                          settings.crop > 0 ? "--crop" : "--size", side, side, side,
                          data::max_image_pixels));
}

// Throws UsageError where whoever lists the folder next would find the packed file among its
// images.
void check_is_no_image_of(const std::string& out, const std::string& folder) {
  namespace fs = std::filesystem;
  if (!data::has_image_extension(out) && !data::has_foreign_image_extension(out)) return;
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored) || !is_within(out, folder)) return;
  throw UsageError(
      format("'{}' would be taken for an image of '{}': give it a name that is none, such as '{}'",
             out, folder, fs::path(out).replace_extension(".packed").string()));
}

// Throws before the packed file is begun where it must not be written.
data::ImageSourcePtr open_source(const Settings& settings) {
  check_can_write(settings.out);
  remove_leftovers(std::filesystem::path(settings.out).parent_path());
  data::ImageSourcePtr source =
      settings.flat ? data::open_images(settings.in) : data::open_dataset(settings.in);
  check_not_input(settings.out, *source);
  check_is_no_image_of(settings.out, settings.in);
  print_passed_over({source.get()});
  return source;
}

// As many images at a time as may wait for their turn to be written: what those before took tells
// how large they are.
int64_t next_group(const std::vector<Packed>& before) {
  constexpr int64_t most = 64, most_bytes = int64_t{256} << 20;
  int64_t largest = most_bytes;  // not known yet
  if (!before.empty()) largest = 1;
  for (const Packed& each : before) {
    largest = std::max(largest, static_cast<int64_t>(each.image.pixels.size()));
  }
  return std::clamp<int64_t>(most_bytes / largest, std::min<int64_t>(num_threads(), most), most);
}

// `count` images from `begin` on, side by side.
std::vector<Packed> decode(const data::ImageSource& source, int64_t begin, int64_t count,
                           const Settings& settings) {
  std::vector<Packed> packed(count);
  parallel_for(count, 1, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      try {
        packed[i].image = read_packed_form(source, begin + i, settings);
      } catch (const std::bad_alloc&) {
        packed[i].error = format("'{}': out of memory", path_of(source, begin + i));
      } catch (const Error& error) {
        packed[i].error = error.what();
      }
    }
  });
  return packed;
}

// In order; says which can't be read, and returns how many.
int64_t write(data::PackWriter& writer, const data::ImageSource& source, int64_t begin,
              const std::vector<Packed>& packed) {
  int64_t unreadable = 0;
  for (size_t i = 0; i < packed.size(); ++i) {
    const int64_t index = begin + static_cast<int64_t>(i);
    if (!packed[i].error.empty()) {
      std::fprintf(stderr, "left out: %s\n", packed[i].error.c_str());
      ++unreadable;
      continue;
    }
    const bool labeled = source.index().has_labels();
    writer.add(source.name(index), labeled ? source.index().labels[index] : 0, packed[i].image);
  }
  return unreadable;
}

int pack(const Settings& settings) {
  check_sizes(settings);
  if (settings.threads > 0) set_num_threads(settings.threads);
  const data::ImageSourcePtr source = open_source(settings);
  data::PackWriter writer(settings.out, source->index().classes);
  catch_interrupts();
  Progress progress("packed", source->size(), settings.quiet);
  int64_t unreadable = 0;
  std::vector<Packed> packed;
  for (int64_t begin = 0; begin < source->size();) {
    const int64_t count = std::min(next_group(packed), source->size() - begin);
    packed.clear();
    packed = decode(*source, begin, count, settings);
    unreadable += write(writer, *source, begin, packed);
    if (interrupted()) {
      std::fprintf(stderr, "pack_images: interrupted, nothing was written\n");
      return exit_interrupted;
    }
    begin += count;
    progress.update(begin, "");
  }
  progress.finish();
  GESTALT_CHECK(unreadable < source->size(), "{}: none of the {} images can be read", settings.in,
                source->size());
  writer.finish();
  std::printf("%s: %s in %zu classes, %lld left out\n", settings.out.c_str(),
              counted(source->size() - unreadable, "image").c_str(), source->index().classes.size(),
              static_cast<long long>(unreadable));
  return exit_done;
}

int verify(const Settings& settings) {
  data::verify_packed(settings.in);
  std::printf("%s: every checksum is right\n", settings.in.c_str());
  return exit_done;
}

}  // namespace
}  // namespace gestalt::tools

int main(int argc, char** argv) {
  using namespace gestalt::tools;
  Tool tool(
      "pack_images",
      "Decodes and resizes the images of class folders (FOLDER/CLASS/NAME.jpg) into one file\n"
      "that the tools which read folders of images take in place of the folder, without decoding.",
      CommonFlags::none);
  Settings settings;
  CLI::App& app = tool.app();
  app.add_option("in", settings.in, "the folder; with --verify a packed file")->required();
  auto* out = app.add_option("out", settings.out, "the packed file to write");
  add_choice(app, "--resize", settings.resize, resize_names,
             "shorter: the shorter side becomes --size; square: both do; none: neither");
  app.add_option("--size", settings.size, "size to resize to, pixels")->check(in_range(1, 32768));
  app.add_option("--crop", settings.crop,
                 "side of the centred square that is then cut out, pixels; 0: none")
      ->check(in_range(0, 32768));
  add_choice(app, "--filter", settings.filter, filter_names, "resampling filter");
  app.add_flag("--flat", settings.flat, "the images lie in FOLDER itself and have no classes");
  app.add_option("--threads", settings.threads, "CPU threads; 0: all cores")->check(thread_count());
  app.add_flag("--quiet", settings.quiet, "print only errors and results");
  app.add_flag("--verify", settings.verify, "read a packed file and compare its checksums")
      ->excludes(out);
  app.callback([&] {
    if (!settings.verify && settings.out.empty()) throw CLI::RequiredError("OUT (or --verify)");
  });
  return tool.run(argc, argv, [&] { return settings.verify ? verify(settings) : pack(settings); });
}
