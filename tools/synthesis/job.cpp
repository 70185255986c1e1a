#include "tools/synthesis/job.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "data/encode.h"
#include "kernels/error.h"
#include "tensor/io/checkpoint.h"
#include "tools/common/output.h"
#include "tools/common/picture_names.h"
#include "tools/synthesis/report.h"

namespace gestalt::tools {

namespace fs = std::filesystem;

Job::Job(size_t index, data::ImageSourcePtr images, int64_t image, const std::string& image_name,
         uint64_t seed, const SynthesisSettings& settings)
    : index_(index), images_(std::move(images)), image_(image), seed_(seed), settings_(settings) {
  name_ = format("seed_{}_{}", seed, image_name);
  picture_path_ = fs::path(settings.output) / (name_ + ".jpg");
}

fs::path Job::source_file() const {
  const fs::path location = images_->location();
  std::error_code ignored;
  return fs::is_regular_file(location, ignored) ? location : location / images_->name(image_);
}

void Job::load_source() {
  if (source_.target.defined()) return;
  data::Image original = read_image();
  // The picture is a JPEG of the same size.
  GESTALT_CHECK(std::max(original.height, original.width) <= data::longest_jpeg_side,
                "'{}' is {}x{}: a picture has at most {} pixels a side", images_->name(image_),
                original.height, original.width, data::longest_jpeg_side);
  source_ = to_source(std::move(original), settings_.image_size);
}

optim::LbfgsOptions Job::optimizer_options() const {
  return {.learning_rate = settings_.learning_rate,
          .max_iterations = settings_.iterations,
          .tolerance_gradient = 0,
          .tolerance_change = 0,
          .history_size = 100,
          .line_search = optim::LineSearch::strong_wolfe};
}

void Job::start(const Tensor& initial) {
  initial_ = initial.clone();
  optimizer_ = std::make_unique<optim::LbfgsStepper>(initial_, optimizer_options());
}

void Job::tell(double loss, const Tensor& gradient) {
  GESTALT_CHECK(std::isfinite(loss),
                "{}: the loss became {} at evaluation {}; the last good state is kept", name_, loss,
                losses_.size() + 1);
  losses_.push_back(loss);
  optimizer_->tell(loss, gradient);
  if (is_between_steps()) ++steps_done_;
}

// ---- checkpoints ----

namespace {

const char* const source_key = "source_sha256";  // in the metadata

constexpr std::string_view checkpoint_extension = ".safetensors";

// seed_{seed}_{image}.safetensors, or what stands under that name while it is written.
bool is_checkpoint_name(std::string_view name) {
  constexpr std::string_view digits = "0123456789", first = "seed_";
  constexpr std::string_view temporary_mark = ".gestalt-tmp.";
  if (!name.starts_with(first)) return false;
  name.remove_prefix(first.size());
  const size_t seed = name.find_first_not_of(digits);
  if (seed == 0 || seed == name.npos || name[seed] != '_') return false;
  name.remove_prefix(seed + 1);
  const size_t mark = name.rfind(temporary_mark);
  if (mark != name.npos) {
    const std::string_view process = name.substr(mark + temporary_mark.size());
    if (process.empty() || process.find_first_not_of(digits) != process.npos) return false;
    name = name.substr(0, mark);
    const size_t dot = name.rfind('.');  // behind it the number of the write
    const std::string_view write = dot == name.npos ? "" : name.substr(dot + 1);
    if (!write.empty() && write.find_first_not_of(digits) == write.npos) name = name.substr(0, dot);
  }
  return name.size() > checkpoint_extension.size() && name.ends_with(checkpoint_extension);
}

}  // namespace

fs::path checkpoint_folder(const SynthesisSettings& settings) {
  return fs::path(settings.output) / "checkpoints";
}

std::vector<fs::path> checkpoints_in(const fs::path& folder) {
  std::vector<fs::path> checkpoints;
  if (!fs::exists(folder)) return checkpoints;
  GESTALT_CHECK(fs::is_directory(folder),
                "'{}' is no folder, which checkpoints need: give another --output",
                folder.string());
  for (const fs::directory_entry& each : fs::directory_iterator(folder)) {
    if (is_checkpoint_name(each.path().filename().native()) &&
        fs::is_regular_file(each.symlink_status())) {
      checkpoints.push_back(each.path());
    }
  }
  return checkpoints;
}

void remove_checkpoints(const fs::path& folder) {
  for (const fs::path& checkpoint : checkpoints_in(folder)) fs::remove(checkpoint);
  std::error_code not_empty;
  fs::remove(folder, not_empty);
}

fs::path Job::checkpoint_path() const {
  return checkpoint_folder(settings_) / format("{}{}", name_, checkpoint_extension);
}

void Job::save_checkpoint() const {
  StateDict state;
  state.push_back({"initial", initial_});
  state.push_back({"losses", Tensor::from_vector(losses_, {static_cast<int64_t>(losses_.size())},
                                                 {.device = Device{}})});
  state.push_back(
      {"steps", Tensor::from_vector<int64_t>({steps_done_}, {1}, {.device = Device{}})});
  if (is_finished()) {  // the history is large, and nobody goes on from it
    state.push_back({"optimizer.x", point()});
  } else {
    for (const NamedTensor& entry : optimizer_->state_dict()) {
      state.push_back({"optimizer." + entry.name, entry.tensor});
    }
  }
  write_safetensors(checkpoint_path().string(), state, {{source_key, source_hash_}});
}

void Job::check_checkpoint() {
  const std::string path = checkpoint_path().string();
  if (!fs::exists(path)) return;
  const auto checkpoint = read_checkpoint(path);
  const auto hash = checkpoint.metadata.find(source_key);
  GESTALT_CHECK(hash == checkpoint.metadata.end() || hash->second == source_hash_,
                "--resume: '{}' is not what '{}' was begun with", source_file().string(), path);
  take_progress(checkpoint.tensors);
}

void Job::take_progress(const StateDict& checkpoint) {
  for (const NamedTensor& entry : checkpoint) {
    if (entry.name == "losses") losses_ = entry.tensor.to_vector<double>();
    if (entry.name == "steps") steps_done_ = static_cast<int64_t>(entry.tensor.item());
  }
}

void Job::forget_progress() {
  losses_.clear();
  steps_done_ = 0;
}

bool Job::resume() {
  const std::string path = checkpoint_path().string();
  if (!fs::exists(path)) return false;
  constexpr std::string_view prefix = "optimizer.";
  StateDict optimizer;
  const StateDict tensors = read_checkpoint(path).tensors;
  take_progress(tensors);
  for (const NamedTensor& entry : tensors) {
    if (entry.name == "initial") initial_ = entry.tensor.to(default_device());
    if (entry.name.starts_with(prefix)) {
      optimizer.push_back({entry.name.substr(prefix.size()), entry.tensor});
    }
  }
  GESTALT_CHECK(initial_.defined() && !optimizer.empty(), "'{}' is no checkpoint of this tool",
                path);
  start(initial_);
  if (is_finished()) {
    optimizer_->set_point(optimizer[0].tensor);
  } else {
    optimizer_->load_state_dict(optimizer);
  }
  return true;
}

void Job::release() {
  optimizer_.reset();
  initial_ = Tensor();
  source_ = {};
}

std::set<fs::path> input_files(const std::vector<Job>& jobs, const SynthesisSettings& settings) {
  std::set<fs::path> files;
  for (const Job& job : jobs) files.insert(job.source_file());
  for (const std::string& path : {settings.weights, settings.init_image}) {
    if (!path.empty()) files.insert(path);
  }
  return files;
}

namespace {

// The output folder may be an input's too; not so the names in it.
void check_overwrites_nothing(const std::vector<Job>& jobs, const SynthesisSettings& settings) {
  const fs::path folder = settings.output;
  std::error_code ignored;
  std::set<fs::path> outputs;
  for (const char* name : {"config.json", "log.txt"}) {
    outputs.insert(fs::weakly_canonical(folder / name, ignored));
  }
  for (const char* name : report_files) {
    outputs.insert(fs::weakly_canonical(folder / name, ignored));
  }
  for (const Job& job : jobs) outputs.insert(fs::weakly_canonical(job.picture_path(), ignored));
  const fs::path checkpoints = fs::weakly_canonical(checkpoint_folder(settings), ignored);
  const fs::path progress = fs::weakly_canonical(folder / "progress", ignored);
  for (const fs::path& input : input_files(jobs, settings)) {
    const fs::path path = fs::weakly_canonical(input, ignored);
    const bool is_overwritten =
        outputs.contains(path) || (settings.save_every > 0 && is_within(path, progress));
    GESTALT_CHECK(!is_overwritten,
                  "'{}' is an input that the run would write over: give another --output",
                  input.string());
    GESTALT_CHECK(!is_checkpoint_name(path.filename().native()) || !is_within(path, checkpoints),
                  "'{}' is an input with the name of a checkpoint, which the run removes: give "
                  "another --output",
                  input.string());
  }
  if (settings.save_tensors.empty()) return;
  const fs::path tensors = fs::weakly_canonical(settings.save_tensors, ignored);
  if (outputs.contains(tensors) || is_within(tensors, progress) ||
      is_within(tensors, checkpoints)) {
    throw UsageError(
        format("--save_tensors '{}' is a file that the run writes itself", settings.save_tensors));
  }
}

// What the file system takes in one name, less what a checkpoint's has beside the picture's:
// ".safetensors.WRITE.gestalt-tmp.PID", two numbers of up to 15 digits.
constexpr size_t longest_name = 255 - 56;

struct Input {
  data::ImageSourcePtr images;
  int64_t number = 0;
  fs::path path;
  std::string name;  // in those of the pictures made of it
};

// Names for images of one stem: with extensions, else with the folders that they have within a
// packed file, else with both.
void tell_apart(const std::vector<Input*>& same) {
  using Form = std::string (*)(const fs::path&);
  for (const Form form : std::initializer_list<Form>{
           stem_with_extension,
           [](const fs::path& name) { return flat_stem(name, Extension::left_out); },
           [](const fs::path& name) { return flat_stem(name, Extension::kept); }}) {
    std::set<std::string> names;
    for (Input* input : same) {
      input->name = form(input->images->name(input->number));
      names.insert(input->name);
    }
    if (names.size() == same.size()) return;
  }
}

// Names are without extension and folders, but where images are told apart by these alone. Throws
// Error.
std::vector<Input> list_inputs(const std::vector<std::string>& locations) {
  std::vector<Input> inputs;
  std::set<fs::path> given;
  for (const std::string& location : locations) {
    const data::ImageSourcePtr images = data::open_images(location);
    for (int64_t number = 0; number < images->size(); ++number) {
      const fs::path path = fs::path(images->location()) / images->name(number);
      GESTALT_CHECK(given.insert(path).second, "'{}' is given twice", path.string());
      inputs.push_back({images, number, path, path.stem().string()});
    }
  }
  std::map<std::string, std::vector<Input*>> of_stem;
  for (Input& input : inputs) of_stem[input.name].push_back(&input);
  for (const auto& [stem, same] : of_stem) {
    if (same.size() > 1) tell_apart(same);
  }
  std::map<std::string, fs::path> names;
  for (const Input& input : inputs) {
    const auto [other, is_new] = names.try_emplace(input.name, input.path);
    GESTALT_CHECK(is_new, "'{}' and '{}' would write the same picture: rename one",
                  other->second.string(), input.path.string());
  }
  return inputs;
}

}  // namespace

std::vector<Job> make_jobs(const SynthesisSettings& settings, uint64_t first_seed) {
  std::vector<Job> jobs;
  for (const Input& input : list_inputs(settings.inputs)) {
    for (int64_t i = 0; i < settings.textures_per_image; ++i) {
      jobs.emplace_back(jobs.size(), input.images, input.number, input.name,
                        first_seed + static_cast<uint64_t>(i), settings);
      GESTALT_CHECK(jobs.back().name().size() <= longest_name,
                    "'{}' has too long a name for the files that are made of it: rename it",
                    input.path.string());
    }
  }
  check_overwrites_nothing(jobs, settings);
  return jobs;
}

}  // namespace gestalt::tools
