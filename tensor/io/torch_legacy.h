#pragma once

// Legacy torch.save streams: magic number, protocol 1001, system information, the pickled object
// with storages as persistent ids, the list of keys, then per storage an int64 count and its bytes,
// little-endian whatever the machine that wrote them (internal to tensor/io/).

#include "tensor/io/pickle.h"

namespace gestalt::pickle {

// The stream's object. `depth`: how many pickles the stream stands inside.
Value read_legacy_stream(Cursor& cursor, Arena& arena, int depth = 0);

// A pickle file of any kind: a legacy stream; (modules: {name: source}, bytes) with a pickled
// module in the bytes; or a plain pickle whose storages carry their bytes.
Value read_pickle_file(const Bytes& bytes, Arena& arena, std::string& format_name);

}  // namespace gestalt::pickle
