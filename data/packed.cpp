#include "data/packed.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernels/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/bytes.h"
#include "tensor/io/safetensors.h"

namespace gestalt::data {
namespace {

constexpr const char* format_name = "gestalt packed images 1";

uint64_t checksum(const uint8_t* data, size_t bytes) {
  constexpr uint64_t prime = 0x100000001B3;
  uint64_t value = 0xCBF29CE484222325, word = 0;
  size_t i = 0;
  for (; i + sizeof(word) <= bytes; i += sizeof(word)) {
    std::memcpy(&word, data + i, sizeof(word));
    value = (value ^ word) * prime;
  }
  if (i < bytes) {
    word = 0;
    std::memcpy(&word, data + i, bytes - i);
    value = (value ^ word) * prime;
  }
  return value;
}

Tensor join(const std::vector<std::string>& texts) {
  std::vector<uint8_t> bytes;
  for (const std::string& text : texts) {
    bytes.insert(bytes.end(), text.begin(), text.end());
    bytes.push_back(0);
  }
  const int64_t size = static_cast<int64_t>(bytes.size());
  return Tensor::from_vector(bytes, {size}, {.device = Device{}});
}

std::vector<std::string> split(const Tensor& tensor) {
  const std::vector<uint8_t> bytes = tensor.to_vector<uint8_t>();
  std::vector<std::string> texts;
  for (auto begin = bytes.begin(); begin != bytes.end();) {
    const auto end = std::find(begin, bytes.end(), 0);
    GESTALT_CHECK(end != bytes.end(), "its names are cut off");
    texts.emplace_back(begin, end);
    begin = end + 1;
  }
  return texts;
}

// The bytes of the file, as one tensor that maps it.
Tensor map_pixels(const std::filesystem::path& path, const Shape& shape) {
  const Bytes bytes = map_file(path.string());
  GESTALT_CHECK(static_cast<int64_t>(bytes.size) == shape.numel(),
                "{}: {} bytes were written of {}", path.string(), bytes.size, shape.numel());
  const auto storage = std::make_shared<Storage>(Device{}, const_cast<std::byte*>(bytes.data),
                                                 bytes.size, bytes.owner);
  return Tensor::from_storage(storage, 0, shape, strides_of(shape, Format::contiguous), DType::u8);
}

class PackedImage : public OpenedImage {
 public:
  explicit PackedImage(const ImageView& view) : view_(view) {
    height_ = view.height;
    width_ = view.width;
  }
  ImageView decode(const Rectangle& part) override { return view_.part(part); }

 private:
  ImageView view_;
};

class PackedSource : public ImageSource {
 public:
  explicit PackedSource(const std::filesystem::path& path) : path_(path) {
    Metadata metadata;
    state_ = read_safetensors(map_file(path.string()), &metadata);
    const auto entry = metadata.find("format");
    GESTALT_CHECK(entry != metadata.end() && entry->second == format_name,
                  "a safetensors file, but not one of packed images");
    const Tensor images = find("images", DType::u8);
    pixels_ = images.data<uint8_t>();
    index_.names = split(find("names", DType::u8));
    index_.classes = split(find("classes", DType::u8));
    offsets_ = numbers("offsets", 1);
    sizes_ = numbers("sizes", 2);
    checksums_ = numbers("checksums", 1);
    index_.labels = numbers("labels", 1);
    check(images.numel());
    if (index_.classes.empty()) index_.labels.clear();
  }

  std::unique_ptr<OpenedImage> open(int64_t i) const override {
    return std::make_unique<PackedImage>(view(i));
  }
  std::string location() const override { return path_.string(); }
  std::optional<int64_t> checksum_of(int64_t i) const override { return checksums_[i]; }

  void verify() const {
    for (int64_t i = 0; i < size(); ++i) {
      const ImageView image = view(i);
      const uint64_t found = checksum(image.pixels, image.row_bytes() * image.height);
      GESTALT_CHECK(static_cast<int64_t>(found) == checksums_[i],
                    "the pixels of image {} ('{}') are not what was written", i, name(i));
    }
  }

 private:
  Tensor find(const char* name, DType dtype) const {
    for (const NamedTensor& entry : state_) {
      if (entry.name == name && entry.tensor.dtype() == dtype) return entry.tensor;
    }
    throw Error(format("it has no tensor '{}' of {}", name, dtype));
  }

  std::vector<int64_t> numbers(const char* name, size_t per_image) const {
    std::vector<int64_t> values = find(name, DType::i64).to_vector<int64_t>();
    GESTALT_CHECK(values.size() == per_image * index_.names.size(),
                  "'{}' has {} numbers for {} images", name, values.size(), index_.names.size());
    return values;
  }

  // So that no later read can leave the file.
  void check(int64_t bytes) const {
    GESTALT_CHECK(size() > 0, "it holds no image");
    const int64_t classes = static_cast<int64_t>(index_.classes.size());
    for (int64_t i = 0; i < size(); ++i) {
      const int64_t height = sizes_[2 * i], width = sizes_[2 * i + 1], offset = offsets_[i];
      const bool inside =
          fits_packed(height, width) && offset >= 0 && offset <= bytes - 3 * height * width;
      GESTALT_CHECK(inside, "image {} ('{}', {}x{} at {}) is not inside its {} bytes", i, name(i),
                    height, width, offset, bytes);
      const int64_t label = index_.labels[i];
      GESTALT_CHECK(label >= 0 && label < std::max<int64_t>(classes, 1),
                    "image {} ('{}') has label {} of {} classes", i, name(i), label, classes);
    }
  }

  ImageView view(int64_t i) const {
    const int height = static_cast<int>(sizes_[2 * i]), width = static_cast<int>(sizes_[2 * i + 1]);
    return {pixels_ + offsets_[i], height, width, 3, 3 * static_cast<size_t>(width)};
  }

  std::filesystem::path path_;
  StateDict state_;  // keeps the file mapped
  const uint8_t* pixels_ = nullptr;
  std::vector<int64_t> offsets_, sizes_, checksums_;
};

std::shared_ptr<const PackedSource> open_source(const std::filesystem::path& path) {
  try {
    return std::make_shared<PackedSource>(path);
  } catch (const Error& reason) {
    throw Error(format("cannot read '{}': {}", path.string(), reason.what()));
  }
}

}  // namespace

bool fits_packed(int64_t height, int64_t width) {
  return height >= 1 && width >= 1 && width <= max_image_pixels / height;
}

bool is_packed(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;
  try {
    return is_safetensors(map_file(path.string()));
  } catch (const Error&) {
    return false;
  }
}

ImageSourcePtr open_packed(const std::filesystem::path& path) {
  return open_source(path);
}

void verify_packed(const std::filesystem::path& path) {
  const auto source = open_source(path);
  try {
    source->verify();
  } catch (const Error& reason) {
    throw Error(format("'{}': {}", path.string(), reason.what()));
  }
}

PackWriter::PackWriter(const std::filesystem::path& path, std::vector<std::string> classes)
    : path_(path), pixels_path_(temporary_path(path.string() + ".pixels")) {
  pixels_.open(pixels_path_, std::ios::binary | std::ios::trunc);
  GESTALT_CHECK(pixels_.is_open(), "cannot write '{}': {}", pixels_path_.string(),
                std::strerror(errno));
  index_.classes = std::move(classes);
}

PackWriter::~PackWriter() {
  pixels_.close();
  std::error_code ignored;
  std::filesystem::remove(pixels_path_, ignored);
}

void PackWriter::add(const std::string& name, int64_t label, const Image& image) {
  GESTALT_CHECK(image.channels == 3 && image.height >= 1 && image.width >= 1,
                "[packed] {}: expected an RGB image, got {}x{} of {} channels", name, image.height,
                image.width, image.channels);
  GESTALT_CHECK(fits_packed(image.height, image.width),
                "[packed] {}: {}x{} are more than the {} pixels that an image may have", name,
                image.height, image.width, max_image_pixels);
  index_.names.push_back(name);
  index_.labels.push_back(label);
  offsets_.push_back(bytes_);
  sizes_.insert(sizes_.end(), {image.height, image.width});
  checksums_.push_back(static_cast<int64_t>(checksum(image.pixels.data(), image.pixels.size())));
  bytes_ += static_cast<int64_t>(image.pixels.size());
  pixels_.write(reinterpret_cast<const char*>(image.pixels.data()),
                static_cast<std::streamsize>(image.pixels.size()));
  GESTALT_CHECK(pixels_.good(), "cannot write '{}': {}", pixels_path_.string(),
                std::strerror(errno));
}

void PackWriter::finish() {
  const int64_t count = index_.size();
  GESTALT_CHECK(count > 0, "'{}': there is no image to pack", path_.string());
  pixels_.close();
  GESTALT_CHECK(!pixels_.fail(), "cannot write '{}'", pixels_path_.string());
  Shape shape{bytes_};
  const int64_t height = sizes_[0], width = sizes_[1];
  const auto same_size = [&](int64_t i) {
    return sizes_[2 * i] == height && sizes_[2 * i + 1] == width;
  };
  int64_t i = 0;
  while (i < count && same_size(i)) ++i;
  if (i == count) shape = {count, height, width, 3};

  const FromVectorOptions cpu{.device = Device{}};
  const std::vector<NamedTensor> tensors = {
      {"images", map_pixels(pixels_path_, shape)},
      {"offsets", Tensor::from_vector(offsets_, {count}, cpu)},
      {"sizes", Tensor::from_vector(sizes_, {count, 2}, cpu)},
      {"checksums", Tensor::from_vector(checksums_, {count}, cpu)},
      {"labels", Tensor::from_vector(index_.labels, {count}, cpu)},
      {"names", join(index_.names)},
      {"classes", join(index_.classes)}};
  write_safetensors(path_.string(), tensors, {{"format", format_name}});
}

}  // namespace gestalt::data
