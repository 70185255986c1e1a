#include "tensor/io/torch_legacy.h"

#include <array>
#include <map>
#include <tuple>

#include "kernels/error.h"
#include "tensor/io/torch_names.h"

namespace gestalt::pickle {
namespace {

constexpr std::array<uint8_t, 10> magic = {0x6c, 0xfc, 0x9c, 0x46, 0xf9,
                                           0x20, 0x6a, 0xa8, 0x50, 0x19};
constexpr int64_t protocol = 1001;

bool is_magic(const Value& value) {
  if (!value.is(Kind::big_integer)) return false;
  const Bytes& bytes = value.as_bytes();
  return bytes.size == magic.size() && std::memcmp(bytes.data, magic.data(), magic.size()) == 0;
}

// The names of pickles that must not mention a persistent id.
Value no_storage(Arena&, const Value&) {
  throw Error("corrupt pickle: a storage where there can be none");
}

// A view of a storage is a record of its own whose bytes are a part of its root's.
struct StorageView {
  StorageRecord* root;
  int64_t offset;
  Value value;
};

class LegacyStorages {
 public:
  Value find(Arena& arena, const Value& id) {
    const auto [entry, is_new] = roots_.try_emplace(storage_key(id));
    if (is_new) entry->second = make_storage_record(arena, id);
    const std::vector<Value>& parts = id.items();
    if (parts.size() < 6 || parts[5].is(Kind::none)) return entry->second;
    return find_view(arena, entry->second.as_storage(), parts[5].items());
  }

  void read(Cursor& cursor, const Value& keys) {
    for (const Value& key : keys.items()) {
      const auto found = roots_.find(key.as_text());
      GESTALT_CHECK(found != roots_.end(), "corrupt: storage '{}' belongs to nothing",
                    key.as_text());
      StorageRecord& record = found->second.as_storage();
      const auto count = cursor.little_endian<int64_t>();
      GESTALT_CHECK(count == record.count,
                    "corrupt: storage '{}' has {} elements, {} were announced", record.key, count,
                    record.count);
      const int64_t element_size = record.type == nullptr ? 1 : record.type->size;
      record.bytes = cursor.take(static_cast<size_t>(count) * element_size);
      record.has_bytes = true;
    }
    for (const auto& [key, root] : roots_) {
      GESTALT_CHECK(root.as_storage().has_bytes, "corrupt: storage '{}' is missing", key);
    }
    for (const auto& [key, view] : views_) {
      const size_t size = view.root->type == nullptr ? 1 : view.root->type->size;
      StorageRecord& record = view.value.as_storage();
      record.bytes = view.root->bytes.slice(view.offset * size, record.count * size);
      record.has_bytes = true;
    }
  }

 private:
  Value find_view(Arena& arena, StorageRecord& root, const std::vector<Value>& metadata) {
    GESTALT_CHECK(metadata.size() == 3, "corrupt pickle: a storage's view");
    const std::string& key = metadata[0].as_text();
    const int64_t offset = metadata[1].as_integer(), count = metadata[2].as_integer();
    GESTALT_CHECK(offset >= 0 && count >= 0 && offset <= root.count && count <= root.count - offset,
                  "storage out of bounds: view '{}' reaches beyond storage '{}'", key, root.key);
    const auto [entry, is_new] = views_.try_emplace({root.key, key, offset, count});
    if (is_new) {
      auto record = std::make_unique<StorageRecord>();
      record->type = root.type;
      record->count = count;
      record->key = key;
      entry->second = {&root, offset, arena.add(Kind::storage, std::move(record))};
    }
    return entry->second.value;
  }

  using ViewKey = std::tuple<std::string, std::string, int64_t, int64_t>;
  std::map<std::string, Value> roots_;
  std::map<ViewKey, StorageView> views_;
};

// After the magic number.
Value read_rest(Cursor& cursor, Arena& arena, int depth) {
  TorchNames plain(no_storage, depth);
  const Value version = unpickle(cursor, arena, plain);
  GESTALT_CHECK(version.is(Kind::integer) && version.as_integer() == protocol,
                "a legacy PyTorch stream of an unknown protocol (1001 is known)");
  unpickle(cursor, arena, plain);  // system information: sizes of C types

  LegacyStorages storages;
  TorchNames names([&](Arena& a, const Value& id) { return storages.find(a, id); }, depth);
  const Value object = unpickle(cursor, arena, names);
  const Value keys = unpickle(cursor, arena, plain);
  storages.read(cursor, keys);
  return object;
}

}  // namespace

Value read_legacy_stream(Cursor& cursor, Arena& arena, int depth) {
  TorchNames plain(no_storage, depth);
  GESTALT_CHECK(is_magic(unpickle(cursor, arena, plain)), "not a legacy PyTorch stream");
  return read_rest(cursor, arena, depth);
}

Value read_pickle_file(const Bytes& bytes, Arena& arena, std::string& format_name) {
  Cursor cursor(bytes);
  TorchNames plain(no_storage);
  const Value first = unpickle(cursor, arena, plain);
  if (is_magic(first)) {
    format_name = "PyTorch legacy stream";
    return read_rest(cursor, arena, 0);
  }
  if (first.is(Kind::tuple) && first.items().size() == 2 && first.items()[0].is(Kind::dict) &&
      first.items()[1].is(Kind::bytes)) {
    format_name = "pickled PyTorch module with its sources";
    for (const auto& [module, source] : first.items()[0].entries()) {
      plain.allow_module(module.as_text());
    }
    Cursor inner(first.items()[1].as_bytes());
    return unpickle(inner, arena, plain);
  }
  format_name = "pickle";
  return first;
}

}  // namespace gestalt::pickle
