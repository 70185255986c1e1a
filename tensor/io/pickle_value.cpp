#include <algorithm>

#include "kernels/error.h"
#include "tensor/io/pickle.h"

namespace gestalt::pickle {

const char* to_string(Kind kind) {
  constexpr const char* names[] = {"None", "bool",   "int",    "float",   "int",
                                   "str",  "bytes",  "list",   "tuple",   "set",
                                   "dict", "global", "object", "storage", "tensor"};
  return names[static_cast<int>(kind)];
}

int64_t Value::as_integer() const {
  if (kind == Kind::boolean) return boolean ? 1 : 0;
  GESTALT_CHECK(kind == Kind::integer, "corrupt pickle: an int was expected, found a {}",
                to_string(kind));
  return integer;
}

const std::string& Value::as_text() const {
  GESTALT_CHECK(kind == Kind::text || kind == Kind::global,
                "corrupt pickle: a str was expected, found a {}", to_string(kind));
  return std::get<std::string>(node->content);
}

const Bytes& Value::as_bytes() const {
  GESTALT_CHECK(kind == Kind::bytes || kind == Kind::big_integer,
                "corrupt pickle: bytes were expected, found a {}", to_string(kind));
  return std::get<Bytes>(node->content);
}

std::vector<Value>& Value::items() const {
  GESTALT_CHECK(is_sequence() || kind == Kind::set,
                "corrupt pickle: a list or tuple was expected, found a {}", to_string(kind));
  return std::get<std::vector<Value>>(node->content);
}

std::vector<std::pair<Value, Value>>& Value::entries() const {
  GESTALT_CHECK(kind == Kind::dict, "corrupt pickle: a dict was expected, found a {}",
                to_string(kind));
  return std::get<std::vector<std::pair<Value, Value>>>(node->content);
}

const Value* Value::find(std::string_view key) const {
  const auto& all = entries();
  // The last one counts, as assigning to a Python dict does.
  const auto found = std::find_if(all.rbegin(), all.rend(), [&](const auto& entry) {
    return entry.first.is(Kind::text) && entry.first.as_text() == key;
  });
  return found == all.rend() ? nullptr : &found->second;
}

StorageRecord& Value::as_storage() const {
  GESTALT_CHECK(kind == Kind::storage, "corrupt pickle: a storage was expected, found a {}",
                to_string(kind));
  return *std::get<std::unique_ptr<StorageRecord>>(node->content);
}

TensorRecord& Value::as_tensor() const {
  GESTALT_CHECK(kind == Kind::tensor, "corrupt pickle: a tensor was expected, found a {}",
                to_string(kind));
  return *std::get<std::unique_ptr<TensorRecord>>(node->content);
}

Arena::Arena(size_t file_bytes)
    // An opcode of one byte makes at most one node; the rest leaves room for copies.
    : budget_(std::min<size_t>(file_bytes, size_t{1} << 24) * 4 * node_cost + (size_t{1} << 16)) {}

void Arena::charge(size_t cost) {
  GESTALT_CHECK(cost <= budget_ - spent_,
                "the pickle asks for more memory than a file of its size may");
  spent_ += cost;
}

Value make_integer(int64_t value) {
  Value result;
  result.kind = Kind::integer;
  result.integer = value;
  return result;
}

Value make_real(double value) {
  Value result;
  result.kind = Kind::real;
  result.real = value;
  return result;
}

}  // namespace gestalt::pickle
