#include "tensor/io/torch_names.h"

#include <algorithm>

#include "kernels/error.h"
#include "tensor/io/torch_legacy.h"

namespace gestalt::pickle {
namespace {

using Arguments = std::span<const Value>;

struct Call {
  TorchNames& names;
  Arena& arena;
  const Value& global;
  Arguments arguments;

  const Value& operator[](size_t i) const {
    GESTALT_CHECK(i < arguments.size(), "corrupt pickle: {} is called with {} arguments",
                  global.as_text(), arguments.size());
    return arguments[i];
  }
};

std::vector<int64_t> integers(const Value& value) {
  std::vector<int64_t> out;
  for (const Value& item : value.items()) out.push_back(item.as_integer());
  return out;
}

// "torch.float32" -> float32
const ElementType& dtype_of_global(const Value& value) {
  std::string_view name = value.as_text();
  constexpr std::string_view prefix = "torch.";
  if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  const ElementType* type = element_type_of_torch(name);
  GESTALT_CHECK(type != nullptr, "corrupt pickle: '{}' is not a dtype", value.as_text());
  return *type;
}

// The elements must lie inside the storage; sizes and strides must not overflow.
void check_inside(const TensorRecord& tensor) {
  const StorageRecord& storage = *tensor.storage;
  GESTALT_CHECK(tensor.sizes.size() == tensor.strides.size(),
                "corrupt pickle: a tensor of {} sizes and {} strides", tensor.sizes.size(),
                tensor.strides.size());
  GESTALT_CHECK(tensor.sizes.size() <= static_cast<size_t>(Shape::max_rank),
                "a tensor has {} dimensions (at most {})", tensor.sizes.size(),
                static_cast<int>(Shape::max_rank));
  const int64_t available =
      storage.type == nullptr ? storage.count / tensor.type->size : storage.count;
  int64_t last = tensor.offset, numel = 1;
  bool fits = tensor.offset >= 0;
  for (size_t i = 0; i < tensor.sizes.size(); ++i) {
    GESTALT_CHECK(tensor.sizes[i] >= 0 && tensor.strides[i] >= 0,
                  "corrupt pickle: a negative size or stride");
    int64_t step = 0;
    fits = fits && !__builtin_mul_overflow(numel, tensor.sizes[i], &numel) &&
           !__builtin_mul_overflow(std::max<int64_t>(tensor.sizes[i] - 1, 0), tensor.strides[i],
                                   &step) &&
           !__builtin_add_overflow(last, step, &last);
  }
  GESTALT_CHECK(fits && (numel == 0 ? tensor.offset <= available : last < available),
                "storage out of bounds: a tensor at offset {} reaches beyond the {} elements of "
                "its storage '{}'",
                tensor.offset, available, storage.key);
}

Value make_tensor(const Call& call, const ElementType* type) {
  auto tensor = std::make_unique<TensorRecord>();
  tensor->storage = &call[0].as_storage();
  tensor->type = type != nullptr ? type : tensor->storage->type;
  GESTALT_CHECK(tensor->type != nullptr, "corrupt pickle: a tensor without an element type");
  GESTALT_CHECK(
      tensor->storage->type == nullptr || tensor->type->size == tensor->storage->type->size,
      "corrupt pickle: a {} tensor in a {} storage", tensor->type->torch,
      tensor->storage->type->torch);
  tensor->offset = call[1].as_integer();
  tensor->sizes = integers(call[2]);
  tensor->strides = integers(call[3]);
  check_inside(*tensor);
  return call.arena.add(Kind::tensor, std::move(tensor));
}

// What PyTorch says of a tensor besides: {"neg": True} of a view that stands for its negative.
void check_metadata(const Call& call, size_t place) {
  if (call.arguments.size() <= place || !call[place].is(Kind::dict)) return;
  for (const auto& [key, value] : call[place].entries()) {
    const bool negative = key.is(Kind::text) && key.as_text() == "neg" && value.as_integer() != 0;
    GESTALT_CHECK(!negative,
                  "a tensor with PyTorch's negative bit (of a complex one's imaginary part); save "
                  "its resolve_neg()");
  }
}

Value rebuild_tensor(const Call& call) {
  check_metadata(call, 6);
  return make_tensor(call, nullptr);
}

Value rebuild_tensor_v3(const Call& call) {
  check_metadata(call, 7);
  return make_tensor(call, &dtype_of_global(call[6]));
}

Value first_argument(const Call& call) {
  return call[0];
}

// (function, type, arguments, state): a tensor subclass or a tensor with attributes.
Value rebuild_from_type(const Call& call) {
  GESTALT_CHECK(
      call[0].is(Kind::global) && call[0].as_text().find("_rebuild_from_type") == std::string::npos,
      "corrupt pickle: a tensor is rebuilt by itself");
  return call.names.call(call.arena, call[0], call[2].items());
}

Value load_storage_from_bytes(const Call& call) {
  constexpr int deepest = 4;
  GESTALT_CHECK(call.names.depth() < deepest, "pickles inside pickles, more than {} deep", deepest);
  const Bytes& bytes = call[0].as_bytes();
  call.arena.charge(bytes.size);
  Cursor cursor(bytes);
  return read_legacy_stream(cursor, call.arena, call.names.depth() + 1);
}

Value make_dict(const Call& call) {
  std::vector<std::pair<Value, Value>> entries;
  // Before they are there: one list may be given as an argument many times.
  const auto charge = [&](size_t count) { call.arena.charge(count * sizeof(entries[0])); };
  // OrderedDict([[key, value], ...]); a defaultdict's factory is not an item.
  for (const Value& argument : call.arguments) {
    if (argument.is(Kind::global) || argument.is(Kind::none)) continue;
    if (argument.is(Kind::dict)) {
      charge(argument.entries().size());
      entries.insert(entries.end(), argument.entries().begin(), argument.entries().end());
      continue;
    }
    charge(argument.items().size());
    for (const Value& pair : argument.items()) {
      GESTALT_CHECK(pair.items().size() == 2, "corrupt pickle: a dict item without a value");
      entries.emplace_back(pair.items()[0], pair.items()[1]);
    }
  }
  return call.arena.add(Kind::dict, std::move(entries));
}

Value make_sequence(const Call& call) {
  std::vector<Value> items;
  if (!call.arguments.empty()) items = call[0].items();
  call.arena.charge(items.size() * sizeof(Value));
  const bool is_set = call.global.as_text().ends_with("set");
  return call.arena.add(is_set ? Kind::set : Kind::tuple, std::move(items));
}

Value make_record(const Call& call) {
  return call.arena.add(Kind::object, Object{call.global, {}});
}

Value nothing(const Call&) {
  return {};
}

// _codecs.encode(text, 'latin1'): how protocol 2 writes bytes.
Value encode_latin1(const Call& call) {
  const std::string& text = call[0].as_text();
  call.arena.charge(text.size());
  std::byte* out;
  Bytes bytes = allocate_bytes(text.size(), out);
  size_t count = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    auto code = static_cast<uint8_t>(text[i]);
    if (code >= 0x80) {  // two bytes of UTF-8
      GESTALT_CHECK((code == 0xc2 || code == 0xc3) && i + 1 < text.size(),
                    "corrupt pickle: text that is not Latin-1");
      code = static_cast<uint8_t>((code << 6) | (static_cast<uint8_t>(text[++i]) & 63));
    }
    out[count++] = std::byte{code};
  }
  bytes.size = count;
  return call.arena.add(Kind::bytes, std::move(bytes));
}

// A name and what calling it gives; null: it may be mentioned, not called.
struct Known {
  std::string_view name;
  Value (*call)(const Call&);
};

constexpr Known known_names[] = {
    {"collections.OrderedDict", make_dict},
    {"collections.defaultdict", make_dict},
    {"collections.Counter", make_dict},
    {"builtins.dict", make_dict},
    {"builtins.set", make_sequence},
    {"builtins.frozenset", make_sequence},
    {"torch.Size", make_sequence},
    {"builtins.list", nullptr},
    {"builtins.int", nullptr},
    {"builtins.float", nullptr},
    {"builtins.bool", nullptr},
    {"builtins.str", nullptr},
    {"builtins.tuple", nullptr},
    {"builtins.slice", nothing},
    {"builtins.range", nothing},
    {"builtins.bytearray", first_argument},
    {"builtins.complex", nothing},
    {"pathlib.PosixPath", nothing},
    {"datetime.datetime", nothing},
    {"_codecs.encode", encode_latin1},
    {"torch._utils._rebuild_tensor", rebuild_tensor},
    {"torch._utils._rebuild_tensor_v2", rebuild_tensor},
    {"torch._utils._rebuild_tensor_v3", rebuild_tensor_v3},
    {"torch._utils._rebuild_parameter", first_argument},
    {"torch._utils._rebuild_parameter_with_state", first_argument},
    {"torch._tensor._rebuild_from_type", rebuild_from_type},
    {"torch._tensor._rebuild_from_type_v2", rebuild_from_type},
    {"torch.tensor._rebuild_from_type", rebuild_from_type},
    {"torch.nn.parameter.Parameter", first_argument},
    {"torch.Tensor", nullptr},
    {"torch.storage._load_from_bytes", load_storage_from_bytes},
    {"torch.storage.UntypedStorage", nullptr},
    {"torch.UntypedStorage", nullptr},
    {"torch.serialization._get_layout", nothing},
    {"torch.device", nothing},
    {"torch.jit._pickle.build_intlist", first_argument},
    {"torch.jit._pickle.build_doublelist", first_argument},
    {"torch.jit._pickle.build_boollist", first_argument},
    {"torch.jit._pickle.build_tensorlist", first_argument},
    {"torch.jit._pickle.build_tensor_from_id", nothing},
    {"torch.jit._pickle.restore_type_tag", first_argument},
    {"torch.nn.backends.thnn._get_thnn_function_backend", nothing},
    {"argparse.Namespace", make_record},
    {"types.SimpleNamespace", make_record},
    {"numpy.dtype", make_record},
    {"numpy.ndarray", nullptr},
    {"numpy.core.multiarray.scalar", nothing},
    {"numpy._core.multiarray.scalar", nothing},
    {"numpy.core.multiarray._reconstruct", make_record},
    {"numpy._core.multiarray._reconstruct", make_record},
};

// The names of Python 2, which protocol 2 writes, torch.save's own.
std::string name_of_python3(std::string_view name) {
  constexpr std::string_view old = "__builtin__.";
  if (!name.starts_with(old)) return std::string(name);
  name.remove_prefix(old.size());
  const std::string_view renamed = name == "long"      ? "int"
                                   : name == "unicode" ? "str"
                                   : name == "xrange"  ? "range"
                                                       : name;
  return "builtins." + std::string(renamed);
}

const Known* find_known(std::string_view given) {
  const std::string name = name_of_python3(given);
  const auto found = std::find_if(std::begin(known_names), std::end(known_names),
                                  [&](const Known& known) { return known.name == name; });
  return found == std::end(known_names) ? nullptr : found;
}

// "torch.FloatStorage", "torch.cuda.HalfStorage" -> its type
const ElementType* storage_class(std::string_view name) {
  for (const std::string_view prefix : {"torch.cuda.", "torch.storage.", "torch."}) {
    if (name.starts_with(prefix)) return element_type_of_storage(name.substr(prefix.size()));
  }
  return nullptr;
}

bool is_dtype(std::string_view name) {
  return name.starts_with("torch.") && element_type_of_torch(name.substr(6)) != nullptr;
}

}  // namespace

bool TorchNames::is_record_class(const std::string& name) const {
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos) return false;
  if (name.starts_with("__torch__.")) return true;
  if (name.find("__") != std::string::npos) return false;
  for (const char* prefix : {"torch.nn.modules.", "torch.nn.parallel.", "torch.nn.utils."}) {
    if (name.starts_with(prefix)) return true;
  }
  return allowed_modules_.contains(name.substr(0, dot));
}

void TorchNames::check_global(const std::string& name) {
  if (find_known(name) != nullptr || is_dtype(name) || storage_class(name) != nullptr ||
      is_record_class(name)) {
    return;
  }
  constexpr size_t longest_shown = 120;
  throw Error(format("refused: the pickle asks for '{}', which is not known as data",
                     name.substr(0, longest_shown)));
}

Value TorchNames::call(Arena& arena, const Value& global, std::span<const Value> arguments) {
  const std::string& name = global.as_text();
  const Call call{*this, arena, global, arguments};
  if (const Known* known = find_known(name)) {
    GESTALT_CHECK(known->call != nullptr, "refused: the pickle calls '{}'", name);
    return known->call(call);
  }
  GESTALT_CHECK(is_record_class(name), "refused: the pickle calls '{}'", name);
  return make_record(call);
}

Value TorchNames::persistent(Arena& arena, const Value& id) {
  const std::vector<Value>& parts = id.items();
  GESTALT_CHECK(parts.size() >= 2, "corrupt pickle: a persistent id of {} parts", parts.size());
  // A class with its source, as old versions wrote it.
  if (parts[0].as_text() == "module") {
    GESTALT_CHECK(parts[1].is(Kind::global), "corrupt pickle: a module without a class");
    return parts[1];
  }
  GESTALT_CHECK(parts[0].as_text() == "storage" && parts.size() >= 5,
                "corrupt pickle: an unknown persistent id");
  return find_storage_(arena, id);
}

const std::string& storage_key(const Value& id) {
  return id.items()[2].as_text();
}

Value make_storage_record(Arena& arena, const Value& id) {
  const std::vector<Value>& parts = id.items();
  GESTALT_CHECK(parts[1].is(Kind::global), "corrupt pickle: a storage without a type");
  const std::string& type_name = parts[1].as_text();
  auto record = std::make_unique<StorageRecord>();
  record->type = storage_class(type_name);
  GESTALT_CHECK(record->type != nullptr || type_name.ends_with("UntypedStorage"),
                "'{}' is not a storage type", type_name);
  record->key = storage_key(id);
  record->count = parts[4].as_integer();
  const int64_t element_size = record->type == nullptr ? 1 : record->type->size;
  GESTALT_CHECK(record->count >= 0 && record->count <= INT64_MAX / element_size,
                "corrupt pickle: a storage of {} elements", record->count);
  return arena.add(Kind::storage, std::move(record));
}

}  // namespace gestalt::pickle
