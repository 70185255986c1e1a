#include "tools/common/npy.h"

#include <bit>
#include <string>

#include "tensor/io/atomic_file.h"

namespace gestalt::tools {

static_assert(std::endian::native == std::endian::little);

void write_npy(const std::filesystem::path& path, const std::vector<double>& values) {
  std::string header = "{'descr': '<f8', 'fortran_order': False, 'shape': (" +
                       std::to_string(values.size()) + ",), }";
  constexpr size_t magic_and_length = 10, alignment = 64;
  const size_t used = magic_and_length + header.size() + 1;
  header.append((alignment - used % alignment) % alignment, ' ');
  header += '\n';
  const auto length = static_cast<uint16_t>(header.size());
  write_file_atomically(path.string(), [&](const ByteSink& write) {
    write("\x93NUMPY\x01\x00", 8);
    write(&length, sizeof length);
    write(header.data(), header.size());
    write(values.data(), values.size() * sizeof(double));
  });
}

}  // namespace gestalt::tools
