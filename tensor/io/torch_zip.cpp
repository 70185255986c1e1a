#include "tensor/io/torch_zip.h"

#include <map>

#include "kernels/error.h"
#include "tensor/io/torch_names.h"
#include "tensor/io/zip_archive.h"

namespace gestalt::pickle {
namespace {

// "archive/" of "archive/data.pkl".
std::string find_root(const ZipArchive& archive) {
  constexpr std::string_view object = "data.pkl";
  bool has_arrays = false;
  for (const std::string& name : archive.names()) {
    if (name == object || name.ends_with("/data.pkl")) {
      return name.substr(0, name.size() - object.size());
    }
    GESTALT_CHECK(!name.ends_with("/model.json"),
                  "a TorchScript archive from before PyTorch 1.4: save it again with a newer one");
    has_arrays = has_arrays || name.ends_with(".npy");
  }
  GESTALT_CHECK(!has_arrays, "not a checkpoint: a NumPy .npz archive");
  throw Error("not a checkpoint: a zip archive without data.pkl");
}

}  // namespace

ZipObject read_zip(const Bytes& bytes, Arena& arena) {
  const auto archive = std::make_shared<ZipArchive>(bytes);
  const std::string root = find_root(*archive);
  ZipObject result;
  result.is_torchscript = archive->has(root + "constants.pkl");
  if (archive->has(root + "byteorder")) {
    const Bytes order = archive->read(root + "byteorder");
    result.is_big_endian = order.text() == "big";
    GESTALT_CHECK(result.is_big_endian || order.text() == "little", "unknown byte order");
  }

  std::map<std::string, Value> storages;
  TorchNames names([&](Arena& a, const Value& id) {
    const auto [entry, is_new] = storages.try_emplace(storage_key(id));
    if (is_new) entry->second = make_storage_record(a, id);
    return entry->second;
  });
  const Bytes pickled = archive->read(root + "data.pkl");
  Cursor cursor(pickled);
  result.object = unpickle(cursor, arena, names);
  result.load = [archive, root](StorageRecord& record) {
    record.bytes = archive->read(root + "data/" + record.key);
    record.has_bytes = true;
  };
  return result;
}

}  // namespace gestalt::pickle
