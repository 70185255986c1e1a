#include "tensor/io/checkpoint.h"

#include <algorithm>
#include <map>

#include "kernels/error.h"
#include "tensor/counted.h"
#include "tensor/io/file_kind.h"
#include "tensor/io/flatten.h"
#include "tensor/io/torch_legacy.h"
#include "tensor/io/torch_zip.h"

namespace gestalt {
namespace {

// Tensors with a stride of 0 may be larger than their storage, but not without limit: whoever makes
// them contiguous needs the memory.
constexpr uint64_t highest_expansion = 64;
constexpr uint64_t free_expansion = uint64_t{1} << 30;  // bytes

class Materializer {
 public:
  Materializer(std::function<void(pickle::StorageRecord&)> load, bool is_big_endian)
      : load_(std::move(load)), is_big_endian_(is_big_endian) {}

  Tensor make(const pickle::TensorRecord& record) {
    const ElementType& type = *record.type;
    GESTALT_CHECK(type.dtype.has_value(), "the element type {} is not supported", type.torch);
    const Shape shape(record.sizes), strides(record.strides);
    const auto storage = storage_of(*record.storage, type);
    uint64_t bytes = 0;
    const bool counts = !__builtin_mul_overflow(static_cast<uint64_t>(shape.numel()),
                                                size_of(*type.dtype), &bytes) &&
                        !__builtin_add_overflow(logical_bytes_, bytes, &logical_bytes_);
    GESTALT_CHECK(counts && logical_bytes_ <= free_expansion + highest_expansion * storage_bytes_,
                  "the tensors claim {} bytes from storages of {}", logical_bytes_, storage_bytes_);
    return Tensor::from_storage(storage, record.offset, shape, strides, *type.dtype);
  }

 private:
  std::shared_ptr<Storage> storage_of(pickle::StorageRecord& record, const ElementType& type) {
    const auto [entry, is_new] = storages_.try_emplace({&record, &type});
    if (!is_new) return entry->second;
    if (!record.has_bytes) load_(record);
    const int64_t count = record.type == nullptr ? record.count / type.size : record.count;
    try {
      entry->second = make_storage(record.bytes, type, count, is_big_endian_);
    } catch (const Error& error) {
      throw Error(format("storage '{}' out of bounds: {}", record.key, error.what()));
    }
    storage_bytes_ += entry->second->bytes();
    return entry->second;
  }

  std::function<void(pickle::StorageRecord&)> load_;
  bool is_big_endian_;
  uint64_t logical_bytes_ = 0, storage_bytes_ = 0;
  std::map<std::pair<const pickle::StorageRecord*, const ElementType*>, std::shared_ptr<Storage>>
      storages_;
};

void add_tree(Checkpoint& checkpoint, const pickle::Value& root, const pickle::Arena& arena,
              Materializer materializer, const ReadOptions& options) {
  pickle::FlatTree tree = pickle::flatten(root, arena, {.training_state = options.training_state});
  for (const pickle::FlatTensor& flat : tree.tensors) {
    try {
      checkpoint.tensors.push_back({flat.name, materializer.make(*flat.record)});
    } catch (const Error& error) {
      throw Error(format("tensor '{}': {}", flat.name, error.what()));
    }
  }
  for (pickle::FlatGroup& group : tree.groups) {
    checkpoint.groups.push_back({std::move(group.prefix), group.is_list, group.numbers_alone});
  }
  for (pickle::FlatNumber& number : tree.numbers) {
    checkpoint.numbers.push_back({std::move(number.name), number.value});
  }
  checkpoint.passed_over = std::move(tree.passed_over);
}

void read_into(Checkpoint& checkpoint, const Bytes& bytes, const ReadOptions& options) {
  const FileKind kind = kind_of_file(bytes);
  if (kind == FileKind::safetensors) {
    checkpoint.format = "safetensors";
    checkpoint.tensors = read_safetensors(bytes, &checkpoint.metadata);
    checkpoint.groups.emplace_back();
    return;
  }
  pickle::Arena arena(bytes.size);
  if (kind == FileKind::zip) {
    pickle::ZipObject zip = pickle::read_zip(bytes, arena);
    checkpoint.format = zip.is_torchscript ? "TorchScript archive" : "PyTorch zip archive";
    add_tree(checkpoint, zip.object, arena, {zip.load, zip.is_big_endian}, options);
    return;
  }
  const pickle::Value root = pickle::read_pickle_file(bytes, arena, checkpoint.format);
  const auto no_bytes = [](pickle::StorageRecord& record) {
    throw Error(format("storage '{}' is missing", record.key));
  };
  add_tree(checkpoint, root, arena, {no_bytes, false}, options);
}

bool is_under(const std::string& name, const std::string& prefix) {
  return prefix.empty() ||
         (name.starts_with(prefix) && name.size() > prefix.size() && name[prefix.size()] == '.');
}

std::string described(const std::vector<Checkpoint::Group>& groups, const StateDict& tensors) {
  std::string text;
  for (const Checkpoint::Group& group : groups) {
    const auto count = std::count_if(tensors.begin(), tensors.end(), [&](const NamedTensor& entry) {
      return is_under(entry.name, group.prefix);
    });
    text +=
        format("{}{} ({})", text.empty() ? "" : ", ",
               group.prefix.empty() ? "the whole file" : group.prefix, counted(count, "tensor"));
  }
  return text;
}

}  // namespace

Checkpoint read_checkpoint(const Bytes& bytes, const std::string& path,
                           const ReadOptions& options) {
  Checkpoint checkpoint;
  checkpoint.path = path;
  try {
    read_into(checkpoint, bytes, options);
    GESTALT_CHECK(!checkpoint.tensors.empty(), "holds no tensors");
  } catch (const Error& error) {
    throw Error(format("cannot read '{}': {}", path, error.what()));
  } catch (const std::bad_alloc&) {
    throw Error(format("cannot read '{}': out of memory", path));
  }
  return checkpoint;
}

Checkpoint read_checkpoint(const std::string& path, const ReadOptions& options) {
  Bytes bytes;
  try {
    bytes = map_file(path);
  } catch (const Error& error) {
    throw Error(format("cannot read '{}': {}", path, error.what()));
  }
  return read_checkpoint(bytes, path, options);
}

std::vector<Checkpoint::Group> candidate_groups(const Checkpoint& checkpoint) {
  const bool has_real = std::any_of(checkpoint.groups.begin(), checkpoint.groups.end(),
                                    [](const auto& group) { return !group.numbers_alone; });
  std::vector<Checkpoint::Group> candidates;
  for (const Checkpoint::Group& group : checkpoint.groups) {
    const bool is_part =
        std::any_of(candidates.begin(), candidates.end(), [&](const Checkpoint::Group& other) {
          return other.prefix != group.prefix && is_under(group.prefix, other.prefix);
        });
    if (!is_part && !(has_real && group.numbers_alone)) candidates.push_back(group);
  }
  return candidates;
}

StateDict find_state_dict(const Checkpoint& checkpoint, const SelectOptions& options) {
  const std::vector<Checkpoint::Group> candidates = candidate_groups(checkpoint);
  std::string prefix = options.prefix;
  if (prefix.empty()) {
    GESTALT_CHECK(candidates.size() == 1,
                  "'{}' holds several state dicts, choose one by its prefix: {}", checkpoint.path,
                  described(candidates, checkpoint.tensors));
    prefix = candidates[0].prefix;
  }
  const bool is_list = std::any_of(
      checkpoint.groups.begin(), checkpoint.groups.end(),
      [&](const Checkpoint::Group& group) { return group.is_list && group.prefix == prefix; });
  const size_t dot = prefix.rfind('.');
  const std::string kept =
      is_list ? prefix.substr(dot == std::string::npos ? 0 : dot + 1) + '.' : "";

  StateDict state;
  for (const NamedTensor& entry : checkpoint.tensors) {
    if (!is_under(entry.name, prefix)) continue;
    std::string name = prefix.empty() ? entry.name : kept + entry.name.substr(prefix.size() + 1);
    state.push_back({std::move(name), entry.tensor});
  }
  strip_prefix(state, options.strip);
  GESTALT_CHECK(!state.empty(), "'{}' has no tensors under '{}'; it holds {}", checkpoint.path,
                prefix, described(candidates, checkpoint.tensors));
  return state;
}

StateDict load_weights(const std::string& path, const SelectOptions& options) {
  return find_state_dict(read_checkpoint(path), options);
}

}  // namespace gestalt
