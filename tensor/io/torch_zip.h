#pragma once

// PyTorch zip archives (torch.save since 1.6) and TorchScript archives: NAME/data.pkl,
// NAME/data/KEY with the storages, NAME/byteorder. Entries may be stored or deflated; their
// checksums are checked (internal to tensor/io/).

#include <functional>

#include "tensor/io/pickle.h"

namespace gestalt::pickle {

struct ZipObject {
  Value object;
  bool is_torchscript = false;
  bool is_big_endian = false;
  // Reads the bytes of a storage that the object mentions.
  std::function<void(StorageRecord&)> load;
};

ZipObject read_zip(const Bytes& bytes, Arena& arena);

}  // namespace gestalt::pickle
