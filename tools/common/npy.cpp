#include "tools/common/npy.h"

#include <bit>
#include <cstring>
#include <string>

#include "kernels/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/bytes.h"

namespace gestalt::tools {

static_assert(std::endian::native == std::endian::little);

namespace {

constexpr std::string_view magic = "\x93NUMPY";

// An entry of the header, a Python dict of a fixed form:
// {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }
std::string value_of(const std::string& header, const std::string& key) {
  const std::string label = "'" + key + "':";
  const size_t place = header.find(label);
  GESTALT_CHECK(place != std::string::npos, "a .npy header without '{}': {}", key, header);
  const size_t begin = header.find_first_not_of(' ', place + label.size());
  GESTALT_CHECK(begin != std::string::npos, "a .npy header that ends behind '{}'", key);
  const size_t end = header.find(header[begin] == '(' ? ')' : ',', begin);
  return header.substr(begin, end == std::string::npos ? end : end - begin);
}

template <class T>
Tensor matrix_of(const Bytes& data, int64_t rows, int64_t columns) {
  GESTALT_CHECK(rows == 0 || columns <= static_cast<int64_t>(data.size / sizeof(T)) / rows,
                "truncated: {} bytes for {}x{} numbers", data.size, rows, columns);
  std::vector<T> values(static_cast<size_t>(rows * columns));
  std::memcpy(values.data(), data.data, values.size() * sizeof(T));
  return Tensor::from_vector(values, {rows, columns}, {.device = Device{}});
}

}  // namespace

void write_npy(const std::filesystem::path& path, const std::vector<double>& values) {
  std::string header = "{'descr': '<f8', 'fortran_order': False, 'shape': (" +
                       std::to_string(values.size()) + ",), }";
  constexpr size_t magic_and_length = 10, alignment = 64;
  const size_t used = magic_and_length + header.size() + 1;
  header.append((alignment - used % alignment) % alignment, ' ');
  header += '\n';
  const auto length = static_cast<uint16_t>(header.size());
  write_file_atomically(path.string(), [&](const ByteSink& write) {
    write(magic.data(), magic.size());
    write("\x01\x00", 2);
    write(&length, sizeof length);
    write(header.data(), header.size());
    write(values.data(), values.size() * sizeof(double));
  });
}

bool is_npy(const std::filesystem::path& path) {
  try {
    return map_file(path.string()).text().starts_with(magic);
  } catch (const Error&) {
    return false;
  }
}

Tensor read_npy_matrix(const std::filesystem::path& path) {
  Cursor cursor(map_file(path.string()));
  cursor.take(magic.size());
  const uint8_t version = cursor.u8();
  cursor.u8();
  const size_t length =
      version == 1 ? cursor.little_endian<uint16_t>() : cursor.little_endian<uint32_t>();
  constexpr size_t most = 1 << 16;  // the form is fixed and short
  GESTALT_CHECK(length <= most, "a .npy header of {} bytes", length);
  const std::string header(cursor.take(length).text());
  const std::string type = value_of(header, "descr"), shape = value_of(header, "shape");
  GESTALT_CHECK(type == "'<f4'" || type == "'<f8'", "numbers of type {}, expected f4 or f8", type);
  GESTALT_CHECK(value_of(header, "fortran_order") == "False",
                "an array in Fortran order: save numpy.ascontiguousarray(it)");
  long long rows = -1, columns = -1;
  char more = 0;
  const int found = std::sscanf(shape.c_str(), "(%12lld, %12lld%c", &rows, &columns, &more);
  GESTALT_CHECK(found == 2 && rows >= 0 && columns >= 0, "an array of shape {}), expected (N, D)",
                shape);
  const Bytes data = cursor.take(cursor.left());
  return type == "'<f4'" ? matrix_of<float>(data, rows, columns)
                         : matrix_of<double>(data, rows, columns);
}

}  // namespace gestalt::tools
