#include "tensor/io/pickle.h"

#include <charconv>
#include <unordered_map>

#include "kernels/error.h"
#include "tensor/io/pickle_opcode.h"
#include "tensor/io/pickle_text.h"

namespace gestalt::pickle {
namespace {

constexpr int highest_protocol = 5;
constexpr size_t longest_integer = 256;  // bytes
constexpr size_t highest_stack = size_t{1} << 22;

std::string hex(uint8_t byte) {
  constexpr const char* digits = "0123456789abcdef";
  return {'0', 'x', digits[byte >> 4], digits[byte & 15]};
}

Value make_boolean(bool value) {
  Value result;
  result.kind = Kind::boolean;
  result.boolean = value;
  return result;
}

class Machine {
 public:
  Machine(Cursor& cursor, Arena& arena, PickleNames& names)
      : cursor_(cursor), arena_(arena), names_(names) {}

  Value run() {
    while (true) {
      const auto opcode = static_cast<Opcode>(cursor_.u8());
      if (opcode == Opcode::STOP) return pop();
      step(opcode);
    }
  }

 private:
  void step(Opcode opcode);
  bool step_number(Opcode opcode);
  bool step_text(Opcode opcode);
  bool step_container(Opcode opcode);
  bool step_memo(Opcode opcode);
  bool step_object(Opcode opcode);

  // ---- the stack ----
  void push(Value value) {
    GESTALT_CHECK(stack_.size() < highest_stack, "the pickle's stack grows beyond {} values",
                  highest_stack);
    stack_.push_back(value);
  }
  size_t bottom() const { return marks_.empty() ? 0 : marks_.back(); }
  Value& top() {
    GESTALT_CHECK(stack_.size() > bottom(), "corrupt pickle: its stack is empty");
    return stack_.back();
  }
  Value pop() {
    const Value value = top();
    stack_.pop_back();
    return value;
  }
  // The values above the last mark, which goes.
  std::vector<Value> pop_mark() {
    GESTALT_CHECK(!marks_.empty(), "corrupt pickle: a mark is missing");
    const auto begin = stack_.begin() + static_cast<ptrdiff_t>(marks_.back());
    std::vector<Value> values(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return values;
  }
  std::vector<Value> pop_count(size_t count) {
    std::vector<Value> values(count);
    for (size_t i = count; i-- > 0;) values[i] = pop();
    return values;
  }

  // ---- pushing ----
  void push_text(std::string text) { push(arena_.add(Kind::text, std::move(text))); }
  void push_bytes(size_t count) { push(arena_.add(Kind::bytes, cursor_.take(count))); }
  void push_utf8(size_t count) { push_text(std::string(cursor_.take(count).text())); }
  void push_latin1(size_t count) { push_text(latin1_to_utf8(cursor_.take(count).text())); }
  void push_sequence(Kind kind, std::vector<Value> items) {
    arena_.charge(items.size() * sizeof(Value));
    push(arena_.add(kind, std::move(items)));
  }
  void push_long(size_t count);
  void push_global(std::string_view module, std::string_view name) {
    std::string full = std::string(module) + '.' + std::string(name);
    names_.check_global(full);
    push(arena_.add(Kind::global, std::move(full)));
  }
  void push_call(const Value& global, std::span<const Value> arguments) {
    GESTALT_CHECK(global.is(Kind::global), "corrupt pickle: a {} is called",
                  to_string(global.kind));
    push(names_.call(arena_, global, arguments));
  }

  void extend(const Value& target, std::span<const Value> items) {
    arena_.charge(items.size() * sizeof(Value));
    std::vector<Value>& list = target.items();
    list.insert(list.end(), items.begin(), items.end());
  }
  void set_items(const Value& target, std::span<const Value> items) {
    GESTALT_CHECK(items.size() % 2 == 0, "corrupt pickle: a key without a value");
    arena_.charge(items.size() * sizeof(Value));
    auto& entries = target.entries();
    for (size_t i = 0; i < items.size(); i += 2) entries.emplace_back(items[i], items[i + 1]);
  }
  void build();
  void remember(uint32_t index) { memo_[index] = top(); }
  void recall(uint32_t index) {
    const auto found = memo_.find(index);
    GESTALT_CHECK(found != memo_.end(), "corrupt pickle: memo {} is missing", index);
    push(found->second);
  }

  Cursor& cursor_;
  Arena& arena_;
  PickleNames& names_;
  std::vector<Value> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint32_t, Value> memo_;
};

void Machine::push_long(size_t count) {
  GESTALT_CHECK(count <= longest_integer, "the pickle holds an integer of {} bytes (at most {})",
                count, longest_integer);
  const Bytes bytes = cursor_.take(count);
  if (count > 8) return push(arena_.add(Kind::big_integer, bytes));
  uint64_t value = 0;
  for (size_t i = 0; i < count; ++i) value |= std::to_integer<uint64_t>(bytes.data[i]) << (8 * i);
  if (count > 0 && count < 8) {  // sign extension
    const uint64_t sign = uint64_t{1} << (8 * count - 1);
    value = (value ^ sign) - sign;
  }
  push(make_integer(static_cast<int64_t>(value)));
}

bool Machine::step_number(Opcode opcode) {
  switch (opcode) {
    case Opcode::NONE:
      push({});
      return true;
    case Opcode::NEWTRUE:
      push(make_boolean(true));
      return true;
    case Opcode::NEWFALSE:
      push(make_boolean(false));
      return true;
    case Opcode::INT: {
      const std::string_view text = cursor_.line();
      const bool is_boolean = text == "00" || text == "01";
      push(is_boolean ? make_boolean(text == "01") : make_integer(parse_integer(text)));
      return true;
    }
    case Opcode::BININT:
      push(make_integer(cursor_.little_endian<int32_t>()));
      return true;
    case Opcode::BININT1:
      push(make_integer(cursor_.u8()));
      return true;
    case Opcode::BININT2:
      push(make_integer(cursor_.little_endian<uint16_t>()));
      return true;
    case Opcode::LONG: {
      std::string_view text = cursor_.line();
      if (text.ends_with('L')) text.remove_suffix(1);
      push(make_integer(parse_integer(text)));
      return true;
    }
    case Opcode::LONG1:
      push_long(cursor_.u8());
      return true;
    case Opcode::LONG4:
      push_long(cursor_.little_endian<uint32_t>());
      return true;
    case Opcode::FLOAT: {
      const std::string_view text = cursor_.line();
      double value = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      GESTALT_CHECK(error != std::errc::invalid_argument && end == text.data() + text.size(),
                    "corrupt pickle: a bad float");
      push(make_real(value));
      return true;
    }
    case Opcode::BINFLOAT: {  // big-endian
      uint64_t bits = 0;
      for (int i = 0; i < 8; ++i) bits = bits << 8 | cursor_.u8();
      push(make_real(std::bit_cast<double>(bits)));
      return true;
    }
    default:
      return false;
  }
}

bool Machine::step_text(Opcode opcode) {
  switch (opcode) {
    case Opcode::STRING: {
      const std::string_view line = cursor_.line();
      GESTALT_CHECK(line.size() >= 2 && line.front() == line.back() &&
                        (line.front() == '\'' || line.front() == '"'),
                    "corrupt pickle: a string without quotes");
      push_text(unescape(line.substr(1, line.size() - 2), false));
      return true;
    }
    case Opcode::BINSTRING:
      push_latin1(cursor_.little_endian<uint32_t>());
      return true;
    case Opcode::SHORT_BINSTRING:
      push_latin1(cursor_.u8());
      return true;
    case Opcode::UNICODE:
      push_text(unescape(cursor_.line(), true));
      return true;
    case Opcode::BINUNICODE:
      push_utf8(cursor_.little_endian<uint32_t>());
      return true;
    case Opcode::SHORT_BINUNICODE:
      push_utf8(cursor_.u8());
      return true;
    case Opcode::BINUNICODE8:
      push_utf8(cursor_.little_endian<uint64_t>());
      return true;
    case Opcode::BINBYTES:
      push_bytes(cursor_.little_endian<uint32_t>());
      return true;
    case Opcode::SHORT_BINBYTES:
      push_bytes(cursor_.u8());
      return true;
    case Opcode::BINBYTES8:
    case Opcode::BYTEARRAY8:
      push_bytes(cursor_.little_endian<uint64_t>());
      return true;
    default:
      return false;
  }
}

bool Machine::step_container(Opcode opcode) {
  switch (opcode) {
    case Opcode::MARK: {
      GESTALT_CHECK(marks_.size() < highest_stack, "the pickle has more than {} marks",
                    highest_stack);
      marks_.push_back(stack_.size());
      return true;
    }
    case Opcode::POP:
      if (stack_.size() == bottom() && !marks_.empty()) {
        marks_.pop_back();
      } else {
        pop();
      }
      return true;
    case Opcode::POP_MARK:
      pop_mark();
      return true;
    case Opcode::DUP:
      push(Value(top()));
      return true;
    case Opcode::EMPTY_LIST:
      push_sequence(Kind::list, {});
      return true;
    case Opcode::EMPTY_TUPLE:
      push_sequence(Kind::tuple, {});
      return true;
    case Opcode::EMPTY_SET:
      push_sequence(Kind::set, {});
      return true;
    case Opcode::LIST:
      push_sequence(Kind::list, pop_mark());
      return true;
    case Opcode::TUPLE:
      push_sequence(Kind::tuple, pop_mark());
      return true;
    case Opcode::FROZENSET:
      push_sequence(Kind::set, pop_mark());
      return true;
    case Opcode::TUPLE1:
      push_sequence(Kind::tuple, pop_count(1));
      return true;
    case Opcode::TUPLE2:
      push_sequence(Kind::tuple, pop_count(2));
      return true;
    case Opcode::TUPLE3:
      push_sequence(Kind::tuple, pop_count(3));
      return true;
    case Opcode::APPEND: {
      const Value item = pop();
      extend(top(), {&item, 1});
      return true;
    }
    case Opcode::APPENDS:
    case Opcode::ADDITEMS: {
      const std::vector<Value> items = pop_mark();
      extend(top(), items);
      return true;
    }
    case Opcode::EMPTY_DICT:
    case Opcode::DICT: {
      const std::vector<Value> items = opcode == Opcode::DICT ? pop_mark() : std::vector<Value>{};
      push(arena_.add(Kind::dict, std::vector<std::pair<Value, Value>>{}));
      set_items(top(), items);
      return true;
    }
    case Opcode::SETITEM: {
      const std::vector<Value> items = pop_count(2);
      set_items(top(), items);
      return true;
    }
    case Opcode::SETITEMS: {
      const std::vector<Value> items = pop_mark();
      set_items(top(), items);
      return true;
    }
    default:
      return false;
  }
}

bool Machine::step_memo(Opcode opcode) {
  const auto index_of = [](std::string_view text) {
    const int64_t index = parse_integer(text);
    GESTALT_CHECK(index >= 0 && index <= UINT32_MAX, "corrupt pickle: memo {}", index);
    return static_cast<uint32_t>(index);
  };
  switch (opcode) {
    case Opcode::GET:
      recall(index_of(cursor_.line()));
      return true;
    case Opcode::BINGET:
      recall(cursor_.u8());
      return true;
    case Opcode::LONG_BINGET:
      recall(cursor_.little_endian<uint32_t>());
      return true;
    case Opcode::PUT:
      remember(index_of(cursor_.line()));
      return true;
    case Opcode::BINPUT:
      remember(cursor_.u8());
      return true;
    case Opcode::LONG_BINPUT:
      remember(cursor_.little_endian<uint32_t>());
      return true;
    case Opcode::MEMOIZE:
      remember(static_cast<uint32_t>(memo_.size()));
      return true;
    default:
      return false;
  }
}

void Machine::build() {
  const Value state = pop();
  const Value target = top();
  if (target.is(Kind::object)) {
    std::get<Object>(target.node->content).state = state;
  } else {
    // Attributes of a dict or a tensor (a state dict's _metadata) are not needed.
    GESTALT_CHECK(target.is(Kind::dict) || target.is(Kind::tensor) || target.is(Kind::storage),
                  "corrupt pickle: a {} is given a state", to_string(target.kind));
  }
}

bool Machine::step_object(Opcode opcode) {
  switch (opcode) {
    case Opcode::GLOBAL: {
      const std::string_view module = cursor_.line();
      push_global(module, cursor_.line());
      return true;
    }
    case Opcode::STACK_GLOBAL: {
      const Value name = pop(), module = pop();
      arena_.charge(module.as_text().size() + name.as_text().size());
      push_global(module.as_text(), name.as_text());
      return true;
    }
    case Opcode::REDUCE:
    case Opcode::NEWOBJ: {
      const Value arguments = pop();
      push_call(pop(), arguments.items());
      return true;
    }
    case Opcode::NEWOBJ_EX: {
      const Value keywords = pop(), arguments = pop();
      GESTALT_CHECK(keywords.entries().empty(), "corrupt pickle: keyword arguments");
      push_call(pop(), arguments.items());
      return true;
    }
    case Opcode::INST: {
      const std::string_view module = cursor_.line();
      push_global(module, cursor_.line());
      const Value global = pop();
      push_call(global, pop_mark());
      return true;
    }
    case Opcode::OBJ: {
      const std::vector<Value> values = pop_mark();
      GESTALT_CHECK(!values.empty(), "corrupt pickle: an object without a class");
      push_call(values[0], std::span(values).subspan(1));
      return true;
    }
    case Opcode::BUILD:
      build();
      return true;
    case Opcode::PERSID: {
      const Value id = arena_.add(Kind::text, std::string(cursor_.line()));
      push(names_.persistent(arena_, id));
      return true;
    }
    case Opcode::BINPERSID:
      push(names_.persistent(arena_, pop()));
      return true;
    default:
      return false;
  }
}

void Machine::step(Opcode opcode) {
  if (opcode == Opcode::PROTO) {
    const int protocol = cursor_.u8();
    GESTALT_CHECK(protocol <= highest_protocol, "pickle protocol {} is not known (at most {})",
                  protocol, highest_protocol);
    return;
  }
  if (opcode == Opcode::FRAME) {  // frames are for readers that read ahead
    cursor_.little_endian<uint64_t>();
    return;
  }
  const bool known = step_memo(opcode) || step_container(opcode) || step_number(opcode) ||
                     step_text(opcode) || step_object(opcode);
  GESTALT_CHECK(known, "corrupt pickle: opcode {} at {} is not known",
                hex(static_cast<uint8_t>(opcode)), cursor_.position() - 1);
}

}  // namespace

Value unpickle(Cursor& cursor, Arena& arena, PickleNames& names) {
  return Machine(cursor, arena, names).run();
}

}  // namespace gestalt::pickle
