#include "data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

#include "data/transfer.h"
#include "kernels/error.h"
#include "kernels/threads.h"

namespace gestalt::data {
namespace {

// A batch being made. Rows are written by the workers, each its own.
struct Pending {
  Batch batch;
  std::vector<std::string> reasons;           // one a row; empty where the image was read
  std::map<int64_t, std::string> unreadable;  // the same by index, once the batch is ready
  size_t rows = 0, begun = 0, done = 0;
  bool ready = false;
};

void move_row(const Tensor& tensor, size_t from, size_t to) {
  const size_t row = static_cast<size_t>(tensor.numel() / tensor.size(0) * size_of(tensor.dtype()));
  uint8_t* data = tensor.view().as<uint8_t>();
  std::copy_n(data + from * row, row, data + to * row);
}

Tensor first_rows(const Tensor& tensor, size_t count) {
  Shape shape = tensor.shape();
  shape[0] = static_cast<int64_t>(count);
  return tensor.as_strided(shape, tensor.strides(), 0);
}

// Takes the rows of unreadable images out.
void compact(Pending& pending) {
  Batch& batch = pending.batch;
  size_t kept = 0;
  for (size_t row = 0; row < pending.rows; ++row) {
    if (!pending.reasons[row].empty()) {
      pending.unreadable.emplace(batch.indices[row], std::move(pending.reasons[row]));
      continue;
    }
    if (kept != row) {
      move_row(batch.images, row, kept);
      if (batch.labels) move_row(batch.labels, row, kept);
      batch.indices[kept] = batch.indices[row];
    }
    ++kept;
  }
  if (kept == pending.rows) return;
  batch.indices.resize(kept);
  batch.images = first_rows(batch.images, kept);
  if (batch.labels) batch.labels = first_rows(batch.labels, kept);
}

void check_transform(const Transform& transform) {
  GESTALT_CHECK(
      transform.plan && transform.height >= 1 && transform.width >= 1,
      "[loader] the transform needs a plan and a size of at least 1 x 1, has {} and {} x {}",
      transform.plan ? "one" : "none", transform.height, transform.width);
}

// Of a source of the user's own; those of data/ have checked it.
void check_labels(const ImageSource& source) {
  const ImageIndex& index = source.index();
  if (!index.has_labels()) return;
  GESTALT_CHECK(index.labels.size() == index.names.size(), "[loader] {}: {} labels for {} images",
                source.location(), index.labels.size(), index.names.size());
  const auto classes = static_cast<int64_t>(index.classes.size());
  for (size_t i = 0; i < index.labels.size(); ++i) {
    GESTALT_CHECK(index.labels[i] >= 0 && index.labels[i] < classes,
                  "[loader] {}: the label of {} is {}, there are {} classes", source.location(),
                  index.names[i], index.labels[i], classes);
  }
}

void check_options(const ImageSource& source, const LoaderOptions& options, int64_t steps) {
  GESTALT_CHECK(options.dtype == DType::f32 || options.dtype == DType::u8,
                "[loader] images are f32 or u8, not {}", options.dtype);
  GESTALT_CHECK(options.prefetch >= 1 && options.workers >= 0 && options.epochs >= 0,
                "[loader] expected prefetch >= 1, workers >= 0 and epochs >= 0, got {}, {} and {}",
                options.prefetch, options.workers, options.epochs);
  GESTALT_CHECK(options.epoch >= 0 && options.step >= 0 && options.step <= steps,
                "[loader] {}: step {} of epoch {} does not exist (an epoch has {})",
                source.location(), options.step, options.epoch, steps);
}

}  // namespace

class Loader::Workers {
 public:
  Workers(ImageSourcePtr source, Transform transform, const LoaderOptions& options)
      : source_(std::move(source)),
        transform_(std::move(transform)),
        options_(options),
        sampler_(source_->size(), options.sampler),
        transfer_(options.device),
        epoch_(options.epoch),
        step_(options.step) {
    check_transform(transform_);
    check_labels(*source_);
    check_options(*source_, options_, sampler_.steps());
    const int threads = options_.workers > 0 ? options_.workers : num_threads();
    try {
      for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
    } catch (const std::system_error& error) {
      stop();
      throw Error(format("[loader] {} workers can't be begun: {}", threads, error.what()));
    }
  }

  ~Workers() { stop(); }

  int64_t steps() const { return sampler_.steps(); }

  std::optional<Batch> next() {
    std::unique_lock lock(mutex_);
    for (;;) {
      if (error_) std::rethrow_exception(error_);
      if (pending_.empty() && !begin_batch()) return std::nullopt;
      work_.notify_all();
      ready_.wait(lock, [&] { return error_ || pending_.front()->ready; });
      if (error_) std::rethrow_exception(error_);
      const std::unique_ptr<Pending> pending = std::move(pending_.front());
      pending_.pop_front();
      work_.notify_all();
      unreadable_.merge(pending->unreadable);
      check_readable(pending->batch);
      if (!pending->batch.indices.empty()) return std::move(pending->batch);
    }
  }

  std::map<int64_t, std::string> unreadable() const {
    const std::lock_guard lock(mutex_);
    return unreadable_;
  }

 private:
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    work_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  // Throws at the end of an epoch without a single image; of one that began in the middle, what
  // came before is not known.
  void check_readable(const Batch& batch) {
    images_of_epoch_ += static_cast<int64_t>(batch.indices.size());
    if (batch.step + 1 < steps()) return;
    const bool whole = batch.epoch > options_.epoch || options_.step == 0;
    GESTALT_CHECK(images_of_epoch_ > 0 || !whole,
                  "'{}': none of the images can be read; the first: {}", source_->location(),
                  unreadable_.begin()->second);
    images_of_epoch_ = 0;
  }

  // Appends the next batch to pending_; false after the last. The mutex is held.
  bool begin_batch() {
    if (step_ == steps()) {
      ++epoch_;
      step_ = 0;
    }
    if (epoch_ >= options_.epoch + options_.epochs) return false;
    auto pending = std::make_unique<Pending>();
    Batch& batch = pending->batch;
    batch.epoch = epoch_;
    batch.step = step_;
    batch.indices = sampler_.batch(epoch_, step_);
    pending->rows = batch.indices.size();
    pending->reasons.resize(pending->rows);
    const int64_t rows = static_cast<int64_t>(pending->rows);
    batch.images =
        transfer_.host_tensor({rows, 3, transform_.height, transform_.width}, options_.dtype);
    if (source_->index().has_labels()) batch.labels = transfer_.host_tensor({rows}, DType::i64);
    pending_.push_back(std::move(pending));
    ++step_;
    return true;
  }

  // A batch with a row to make; null where there is none for now. The mutex is held.
  Pending* find_work() {
    for (const auto& pending : pending_) {
      if (pending->begun < pending->rows) return pending.get();
    }
    const bool room = static_cast<int>(pending_.size()) < options_.prefetch;
    return room && begin_batch() ? pending_.back().get() : nullptr;
  }

  void work() {
    set_num_threads(1);  // of this thread's OpenMP loops: the workers are the parallelism
    std::unique_lock lock(mutex_);
    try {
      while (!stopped_) {
        Pending* pending = find_work();
        if (pending == nullptr) {
          work_.wait(lock);
          continue;
        }
        const size_t row = pending->begun++;
        lock.unlock();
        make_row(*pending, row);
        lock.lock();
        if (++pending->done < pending->rows) continue;
        lock.unlock();
        finish(*pending);
        lock.lock();
        pending->ready = true;
        ready_.notify_all();
      }
    } catch (...) {
      if (!lock.owns_lock()) lock.lock();
      if (!error_) error_ = std::current_exception();
      stopped_ = true;
      work_.notify_all();
      ready_.notify_all();
    }
  }

  void make_row(Pending& pending, size_t row) {
    Batch& batch = pending.batch;
    const int64_t index = batch.indices[row];
    if (batch.labels) batch.labels.data<int64_t>()[row] = source_->index().labels[index];
    const PhiloxState state = sample_state(options_.sampler.seed, batch.epoch, index);
    Generator random(state.seed);
    random.set_state(state);
    Geometry geometry;
    std::unique_ptr<OpenedImage> image;
    std::optional<DecodedPart> part;
    try {
      image = source_->open(index);
      geometry = transform_.plan(image->height(), image->width(), random);
      const Size resized{.height = geometry.resized_height, .width = geometry.resized_width};
      part = options_.fast_jpeg ? image->decode_for(geometry.part, resized)
                                : image->decode(geometry.part);
    } catch (const Error& error) {
      pending.reasons[row] = error.what();
      return;
    }
    // Its rows of the batch are of the size that the Transform says. Not the image's fault, so
    // thrown.
    GESTALT_CHECK(
        geometry.output_height == transform_.height && geometry.output_width == transform_.width,
        "[loader] the transform's plan gives {} x {} (height x width), its Transform says {} x {}",
        geometry.output_height, geometry.output_width, transform_.height, transform_.width);
    const int64_t values = int64_t{3} * transform_.height * transform_.width;
    const int64_t offset = static_cast<int64_t>(row) * values;
    if (options_.dtype == DType::u8) {
      apply(geometry, *part, batch.images.data<uint8_t>() + offset);
    } else {
      apply(geometry, *part, options_.normalization, batch.images.data<float>() + offset);
    }
  }

  void finish(Pending& pending) {
    compact(pending);
    Batch& batch = pending.batch;
    if (batch.indices.empty()) return;
    batch.images = transfer_.to_device(batch.images);
    if (batch.labels) batch.labels = transfer_.to_device(batch.labels);
  }

  const ImageSourcePtr source_;
  const Transform transform_;
  const LoaderOptions options_;
  BatchSampler sampler_;
  Transfer transfer_;

  mutable std::mutex mutex_;
  std::condition_variable work_, ready_;
  std::deque<std::unique_ptr<Pending>> pending_;  // in order; the workers fill them
  int64_t epoch_, step_;                          // of the batch to begin next
  int64_t images_of_epoch_ = 0;                   // delivered
  std::map<int64_t, std::string> unreadable_;
  std::exception_ptr error_;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

Loader::Loader(ImageSourcePtr source, Transform transform, const LoaderOptions& options)
    : workers_(std::make_unique<Workers>(std::move(source), std::move(transform), options)) {}

Loader::~Loader() = default;

int64_t Loader::steps() const {
  return workers_->steps();
}

std::optional<Batch> Loader::next() {
  return workers_->next();
}

std::map<int64_t, std::string> Loader::unreadable() const {
  return workers_->unreadable();
}

}  // namespace gestalt::data
