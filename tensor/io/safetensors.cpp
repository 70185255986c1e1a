#include "tensor/io/safetensors.h"

#include <algorithm>
#include <set>
#ifdef GESTALT_WITH_JSON
#include <nlohmann/json.hpp>
#endif

#include "kernels/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/element_type.h"

namespace gestalt {
namespace {

constexpr uint64_t longest_header = 100'000'000;  // as the reference implementation has it

uint64_t header_length(const Bytes& bytes) {
  uint64_t length = 0;
  if (bytes.size >= sizeof(length)) std::memcpy(&length, bytes.data, sizeof(length));
  return length;
}

}  // namespace

bool is_safetensors(const Bytes& bytes) {
  return bytes.size > 8 && bytes.data[8] == std::byte{'{'} &&
         header_length(bytes) <= longest_header;
}

#ifdef GESTALT_WITH_JSON
namespace {

using Json = nlohmann::json;

constexpr size_t alignment = 8;

struct Entry {
  std::string name;
  const ElementType* type;
  Shape shape;
  uint64_t begin, end;
};

// The library would convert 2.5, and overflow on 1e30.
std::vector<uint64_t> whole_numbers(const Json& json, const std::string& name) {
  std::vector<uint64_t> numbers;
  for (const Json& item : json) {
    GESTALT_CHECK(json.is_array() && item.is_number_unsigned(),
                  "corrupt safetensors header: tensor '{}' has a size that is not a whole number",
                  name);
    numbers.push_back(item.get<uint64_t>());
  }
  return numbers;
}

Entry parse_entry(const std::string& name, const Json& json) {
  const std::string dtype = json.at("dtype").get<std::string>();
  const ElementType* type = element_type_of_safetensors(dtype);
  GESTALT_CHECK(type != nullptr && type->dtype.has_value(),
                "tensor '{}': the element type {} is not supported", name, dtype);
  const auto sizes = whole_numbers(json.at("shape"), name);
  const Shape shape = shape_in_file(format("tensor '{}'", name), sizes, type->size);
  const uint64_t size = static_cast<uint64_t>(shape.numel()) * type->size;
  const auto offsets = whole_numbers(json.at("data_offsets"), name);
  GESTALT_CHECK(offsets.size() == 2 && offsets[0] <= offsets[1] && offsets[1] - offsets[0] == size,
                "tensor '{}' ({} {}): its data has another size", name, dtype, shape);
  return {name, type, shape, offsets[0], offsets[1]};
}

Json parse_header(const Bytes& bytes) {
  const uint64_t length = header_length(bytes);
  GESTALT_CHECK(bytes.size >= 8 && length <= longest_header, "not a safetensors file");
  Cursor cursor(bytes);
  cursor.take(8);
  const std::string_view text = cursor.take(length).text();
  // The parser alone sees a name that comes twice; the object keeps the last.
  std::set<std::string> names;
  const auto see = [&](int depth, Json::parse_event_t event, const Json& parsed) {
    if (event == Json::parse_event_t::key && depth == 1) {
      const auto& name = parsed.get_ref<const std::string&>();
      GESTALT_CHECK(names.insert(name).second, "corrupt: two tensors are named '{}'", name);
    }
    return true;
  };
  Json header = Json::parse(text.begin(), text.end(), see);
  GESTALT_CHECK(header.is_object(), "corrupt safetensors header: not an object");
  return header;
}

// Fails on numbers and shapes of the wrong kind by nlohmann's exceptions.
std::vector<Entry> parse_entries(const Json& header, Metadata* metadata) {
  std::vector<Entry> entries;
  for (const auto& [name, json] : header.items()) {
    if (name != "__metadata__") {
      entries.push_back(parse_entry(name, json));
    } else if (metadata != nullptr) {
      *metadata = json.get<Metadata>();
    }
  }
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  return entries;
}

}  // namespace

StateDict read_safetensors(const Bytes& bytes, Metadata* metadata) {
  std::vector<Entry> entries;
  try {
    entries = parse_entries(parse_header(bytes), metadata);
  } catch (const Json::exception& error) {
    throw Error(format("corrupt safetensors header: {}", error.what()));
  }
  const size_t start = 8 + header_length(bytes);
  const Bytes data = bytes.slice(start, bytes.size - start);
  StateDict state;
  uint64_t expected = 0;
  for (const Entry& entry : entries) {
    GESTALT_CHECK(entry.end <= data.size, "truncated: tensor '{}' ends at {} of {} data bytes",
                  entry.name, entry.end, data.size);
    GESTALT_CHECK(entry.begin == expected,
                  "corrupt: tensor '{}' begins at {} where the one before ends at {}", entry.name,
                  entry.begin, expected);
    expected = entry.end;
    const auto storage = make_storage(data.slice(entry.begin, entry.end - entry.begin), *entry.type,
                                      entry.shape.numel());
    state.push_back({entry.name, Tensor::from_storage(storage, 0, entry.shape,
                                                      strides_of(entry.shape, Format::contiguous),
                                                      *entry.type->dtype)});
  }
  GESTALT_CHECK(expected == data.size, "corrupt: {} bytes after the last tensor",
                data.size - expected);
  return state;
}

void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                       const Metadata& metadata) {
  std::vector<const NamedTensor*> order;
  for (const NamedTensor& entry : tensors) {
    GESTALT_CHECK(entry.tensor.defined(), "cannot write '{}': tensor '{}' is undefined", path,
                  entry.name);
    order.push_back(&entry);
  }
  std::sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    const int64_t size_a = size_of(a->tensor.dtype()), size_b = size_of(b->tensor.dtype());
    return size_a != size_b ? size_a > size_b : a->name < b->name;
  });

  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const NamedTensor* entry : order) {
    GESTALT_CHECK(!header.contains(entry->name), "cannot write '{}': two tensors are named '{}'",
                  path, entry->name);
    const Shape& shape = entry->tensor.shape();
    const uint64_t end = offset + shape.numel() * size_of(entry->tensor.dtype());
    header[entry->name] = {{"dtype", element_type_of(entry->tensor.dtype()).safetensors},
                           {"shape", std::vector<int64_t>(shape.begin(), shape.end())},
                           {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::exception& error) {
    throw Error(format("cannot write '{}': {}", path, error.what()));
  }
  text.append((alignment - text.size() % alignment) % alignment, ' ');

  write_file_atomically(path, [&](const ByteSink& sink) {
    const uint64_t length = text.size();
    sink(&length, sizeof(length));
    sink(text.data(), text.size());
    for (const NamedTensor* entry : order) {
      const Tensor tensor = entry->tensor.detach().to(Device{}).contiguous();
      sink(tensor.view().data, tensor.numel() * size_of(tensor.dtype()));
    }
  });
}

#else

StateDict read_safetensors(const Bytes&, Metadata*) {
  throw Error("a safetensors file; this build has no JSON library to read it");
}

void write_safetensors(const std::string& path, std::span<const NamedTensor>, const Metadata&) {
  throw Error(format("cannot write '{}': this build has no JSON library", path));
}

#endif

}  // namespace gestalt
