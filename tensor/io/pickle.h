#pragma once

// (internal to tensor/io/) Python pickles (protocols 0 to 5) read as data. Nothing is ever run: a
// global is a name, and what a name means, and which names are allowed at all, is up to the
// PickleNames that the caller gives.
//
// Values live in an Arena and refer to each other by pointer, so sharing stays sharing (nothing
// expands) and cycles are harmless. The arena has a budget that grows with the file, so that a
// small file cannot ask for much memory or time.
//
// Source: the opcode descriptions in CPython's Lib/pickletools.py.

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "tensor/io/bytes.h"
#include "tensor/io/element_type.h"

namespace gestalt::pickle {

struct Node;
struct StorageRecord;
struct TensorRecord;

enum class Kind : uint8_t {
  none,
  boolean,
  integer,
  real,
  big_integer,  // more than 8 bytes; a Bytes node, little-endian two's complement
  text,
  bytes,
  list,
  tuple,
  set,
  dict,
  global,  // a name, "module.name"
  object,
  storage,
  tensor,
};

struct Value {
  Kind kind = Kind::none;
  union {
    bool boolean;
    int64_t integer = 0;
    double real;
    Node* node;
  };

  bool is(Kind wanted) const { return kind == wanted; }
  bool is_sequence() const { return kind == Kind::list || kind == Kind::tuple; }
  // The members below throw Error where the value is of another kind.
  int64_t as_integer() const;                             // also a boolean
  const std::string& as_text() const;                     // also a global's name
  const Bytes& as_bytes() const;                          // also a big integer
  std::vector<Value>& items() const;                      // list, tuple, set
  std::vector<std::pair<Value, Value>>& entries() const;  // dict
  // The value of a text key in a dict; null where there is none.
  const Value* find(std::string_view key) const;
  StorageRecord& as_storage() const;
  TensorRecord& as_tensor() const;
};

const char* to_string(Kind kind);

// An instance of a class that is kept as a record: its name and the state it was pickled with.
struct Object {
  Value type;   // global
  Value state;  // what BUILD gave; none before
};

struct StorageRecord {
  const ElementType* type;  // null: untyped bytes
  int64_t count;            // elements; bytes where untyped
  std::string key;
  Bytes bytes;
  bool has_bytes = false;
};

struct TensorRecord {
  StorageRecord* storage;
  const ElementType* type;
  int64_t offset;  // in elements, like the strides
  std::vector<int64_t> sizes, strides;
};

struct Node {
  template <class T>
  explicit Node(T value) : content(std::in_place_type<T>, std::move(value)) {}

  std::variant<std::string, Bytes, std::vector<Value>, std::vector<std::pair<Value, Value>>, Object,
               std::unique_ptr<StorageRecord>, std::unique_ptr<TensorRecord>>
      content;
};

class Arena {
 public:
  explicit Arena(size_t file_bytes);

  template <class T>
  Value add(Kind kind, T content) {
    charge(node_cost);
    nodes_.emplace_back(std::move(content));
    Value value;
    value.kind = kind;
    value.node = &nodes_.back();
    return value;
  }
  // Counts memory or work of about that many bytes; throws Error where it is too much for the file.
  void charge(size_t cost);
  size_t spent() const { return spent_; }

 private:
  static constexpr size_t node_cost = sizeof(Node);

  std::deque<Node> nodes_;
  size_t budget_, spent_ = 0;
};

Value make_integer(int64_t value);
Value make_real(double value);

// What the names in a pickle mean.
class PickleNames {
 public:
  virtual ~PickleNames() = default;
  // Called for each global that the pickle mentions; throws Error to refuse it.
  virtual void check_global(const std::string& name) = 0;
  // What calling the global `name` with `arguments` gives (REDUCE, NEWOBJ ...).
  virtual Value call(Arena& arena, const Value& global, std::span<const Value> arguments) = 0;
  // What a persistent id stands for.
  virtual Value persistent(Arena& arena, const Value& id) = 0;
};

// Reads one pickle and leaves the cursor behind its end. Throws Error.
Value unpickle(Cursor& cursor, Arena& arena, PickleNames& names);

}  // namespace gestalt::pickle
