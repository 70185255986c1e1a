#include "tensor/io/npy.h"

#include <algorithm>
#include <charconv>
#include <new>
#include <optional>
#include <vector>

#include "kernels/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/element_type.h"
#include "tensor/io/file_content.h"
#include "tensor/io/file_kind.h"
#include "tensor/io/zip_archive.h"

namespace gestalt {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::string_view extension = ".npy";  // of an archive's entries

// For an error's one line: a header may be as long as the file, and hold anything.
std::string shortened(std::string_view text) {
  constexpr size_t most = 60;
  std::string result(text.substr(0, most));
  std::replace_if(
      result.begin(), result.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return text.size() > most ? result + "..." : result;
}

struct Header {
  std::string_view descr;  // "<f4"
  bool fortran_order = false;
  std::vector<uint64_t> extents;
};

// {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), } of a Python dict's grammar: no more
// than NumPy writes, in any order and spacing.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : rest_(text) {}

  Header parse() {
    std::optional<std::string_view> descr;
    std::optional<bool> fortran_order;
    std::optional<std::vector<uint64_t>> extents;
    expect('{');
    while (!accept('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr" && !descr) {
        descr = type();
      } else if (key == "fortran_order" && !fortran_order) {
        fortran_order = truth();
      } else if (key == "shape" && !extents) {
        extents = whole_numbers();
      } else {
        throw Error(format("corrupt .npy header: an entry '{}' too many", shortened(key)));
      }
      if (accept('}')) break;
      expect(',');
    }
    skip_spaces();
    if (!rest_.empty()) fail("its end");
    GESTALT_CHECK(descr, "corrupt .npy header: no 'descr'");
    GESTALT_CHECK(fortran_order, "corrupt .npy header: no 'fortran_order'");
    GESTALT_CHECK(extents, "corrupt .npy header: no 'shape'");
    return {*descr, *fortran_order, *extents};
  }

 private:
  [[noreturn]] void fail(const std::string& wanted) const {
    throw Error(format("corrupt .npy header: expected {} at '{}'", wanted, shortened(rest_)));
  }

  void skip_spaces() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size()));
  }

  bool accept(std::string_view token) {
    skip_spaces();
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  bool accept(char token) { return accept({&token, 1}); }
  void expect(char token) {
    if (!accept(token)) fail(std::string("'") + token + "'");
  }

  std::string_view quoted() {
    const char quote = accept('"') ? '"' : '\'';
    if (quote == '\'') expect(quote);
    const size_t length = rest_.find(quote);
    if (length == std::string_view::npos) fail("the end of a string");
    const std::string_view text = rest_.substr(0, length);
    rest_.remove_prefix(length + 1);
    return text;
  }

  std::string_view type() {
    skip_spaces();
    GESTALT_CHECK(!rest_.starts_with('['),
                  "an array of records with several fields, not of numbers");
    return quoted();
  }

  bool truth() {
    if (accept("True")) return true;
    if (!accept("False")) fail("True or False");
    return false;
  }

  std::vector<uint64_t> whole_numbers() {
    std::vector<uint64_t> numbers;
    expect('(');
    while (!accept(')')) {
      skip_spaces();
      uint64_t number = 0;
      const auto [end, fault] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
      if (fault != std::errc{}) fail("a whole number");
      rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
      accept('L');  // of Python 2
      numbers.push_back(number);
      if (accept(')')) break;
      expect(',');
    }
    return numbers;
  }

  std::string_view rest_;
};

const ElementType& element_type(std::string_view descr) {
  GESTALT_CHECK(descr != "|O", "an array of Python objects: they are a pickle, which is not run");
  const bool has_order = !descr.empty() && std::string_view("<>|").find(descr[0]) != descr.npos;
  const ElementType* type = has_order ? element_type_of_numpy(descr.substr(1)) : nullptr;
  GESTALT_CHECK(type != nullptr && type->dtype && (type->size == 1 || descr[0] != '|'),
                "elements of NumPy's type '{}' are not supported", shortened(descr));
  return *type;
}

// "(3,)", "(3, 4)", as Python writes a tuple.
std::string tuple_of(const Shape& shape) {
  std::string text;
  for (const int64_t extent : shape) text += (text.empty() ? "" : ", ") + std::to_string(extent);
  return "(" + text + (shape.rank() == 1 ? ",)" : ")");
}

// A .npy file: what stands before the elements, which are on the CPU and contiguous.
struct NpyParts {
  std::string header;
  Tensor values;

  std::string_view elements() const {
    return {static_cast<const char*>(values.view().data),
            static_cast<size_t>(values.numel() * element_type_of(values.dtype()).size)};
  }
};

NpyParts npy_parts(const Tensor& tensor) {
  GESTALT_CHECK(tensor.defined(), "the tensor is undefined");
  const ElementType& type = element_type_of(tensor.dtype());
  GESTALT_CHECK(!type.numpy.empty(), "NumPy has no {}; convert it to f32", tensor.dtype());
  std::string header = std::string("{'descr': '") + (type.size == 1 ? '|' : '<') +
                       std::string(type.numpy) +
                       "', 'fortran_order': False, 'shape': " + tuple_of(tensor.shape()) + ", }";
  constexpr size_t magic_and_length = 10, alignment = 64;  // of the elements
  const size_t used = magic_and_length + header.size() + 1;
  header.append((alignment - used % alignment) % alignment, ' ');
  header += '\n';
  const auto length = static_cast<uint16_t>(header.size());
  std::string before(magic);
  before += {'\x01', '\x00', static_cast<char>(length & 0xff), static_cast<char>(length >> 8)};
  return {before + header, tensor.detach().to(Device{}).contiguous()};
}

Bytes whole(const NpyParts& parts) {
  const std::string_view elements = parts.elements();
  std::byte* memory;
  Bytes bytes = allocate_bytes(parts.header.size() + elements.size(), memory);
  std::copy_n(parts.header.data(), parts.header.size(), reinterpret_cast<char*>(memory));
  std::copy_n(elements.data(), elements.size(),
              reinterpret_cast<char*>(memory) + parts.header.size());
  return bytes;
}

template <class Make>
auto naming_output(const std::string& path, const Make& make) {
  try {
    return make();
  } catch (const Error& error) {
    throw Error(format("cannot write '{}': {}", path, error.what()));
  }
}

template <class Read>
auto load(const std::string& path, const Read& read) {
  try {
    return read(map_file(path));
  } catch (const Error& error) {
    throw Error(format("cannot read '{}': {}", path, error.what()));
  } catch (const std::bad_alloc&) {
    throw Error(format("cannot read '{}': out of memory", path));
  }
}

}  // namespace

bool is_npy(const Bytes& bytes) {
  return bytes.text().starts_with(magic);
}

bool is_npz(const Bytes& bytes) {
  if (!is_zip(bytes)) return false;
  const std::vector<std::string> names = ZipArchive(bytes).names();
  return std::any_of(names.begin(), names.end(),
                     [](const std::string& name) { return name.ends_with(extension); });
}

Tensor read_npy(const Bytes& bytes) {
  check_has_content(bytes.text());
  GESTALT_CHECK(is_npy(bytes), "not a NumPy .npy file");
  Cursor cursor(bytes);
  cursor.take(magic.size());
  const int major = cursor.u8(), minor = cursor.u8();
  GESTALT_CHECK(major >= 1 && major <= 3 && minor == 0,
                ".npy of version {}.{}, expected 1.0 to 3.0", major, minor);
  const size_t length =
      major == 1 ? cursor.little_endian<uint16_t>() : cursor.little_endian<uint32_t>();
  const Header header = HeaderParser(cursor.take(length).text()).parse();
  const ElementType& type = element_type(header.descr);
  const Shape shape = shape_in_file("the array", header.extents, type.size);

  const Bytes data = cursor.take(cursor.left());
  const auto size = static_cast<size_t>(shape.numel() * type.size);
  GESTALT_CHECK(size <= data.size, "truncated: {} bytes for {} of {} bytes each", data.size, shape,
                type.size);
  GESTALT_CHECK(size == data.size, "{} bytes after the array", data.size - size);
  const bool is_big_endian = header.descr[0] == '>';
  auto storage = make_storage(data, type, shape.numel(), is_big_endian);
  Strides strides = strides_of(shape, Format::contiguous);
  if (header.fortran_order) {
    Shape turned = shape;
    std::reverse(&turned[0], &turned[0] + shape.rank());
    strides = strides_of(turned, Format::contiguous);
    std::reverse(&strides[0], &strides[0] + shape.rank());
  }
  return Tensor::from_storage(std::move(storage), 0, shape, strides, *type.dtype).contiguous();
}

StateDict read_npz(const Bytes& bytes) {
  check_has_content(bytes.text());
  GESTALT_CHECK(is_zip(bytes), "not a NumPy .npz archive");
  ZipArchive archive(bytes);
  StateDict arrays;
  for (const std::string& entry : archive.names()) {
    if (!entry.ends_with(extension)) continue;
    const std::string name = entry.substr(0, entry.size() - extension.size());
    try {
      arrays.push_back({name, read_npy(archive.read(entry))});
    } catch (const Error& error) {
      throw Error(format("array '{}': {}", name, error.what()));
    }
  }
  GESTALT_CHECK(!arrays.empty(), "holds no arrays");
  return arrays;
}

Tensor load_npy(const std::string& path) {
  return load(path, read_npy);
}

StateDict load_npz(const std::string& path) {
  return load(path, read_npz);
}

void save_npy(const std::string& path, const Tensor& tensor) {
  const NpyParts parts = naming_output(path, [&] { return npy_parts(tensor); });
  write_file_atomically(path, [&](const ByteSink& write) {
    write(parts.header.data(), parts.header.size());
    write(parts.elements().data(), parts.elements().size());
  });
}

void save_npz(const std::string& path, std::span<const NamedTensor> arrays) {
  const Bytes archive = naming_output(path, [&] {
    GESTALT_CHECK(!arrays.empty(), "there are no arrays");
    std::vector<ZipEntry> entries;
    for (const NamedTensor& array : arrays) {
      try {
        entries.push_back({array.name + std::string(extension), whole(npy_parts(array.tensor))});
      } catch (const Error& error) {
        throw Error(format("array '{}': {}", array.name, error.what()));
      }
    }
    return make_zip(entries);
  });
  write_file_atomically(path, archive.data, archive.size);
}

void check_can_save_npz(const std::string& path) {
  naming_output(path, check_can_make_zip);
}

}  // namespace gestalt
