#pragma once

// NumPy's .npy files (numpy.save), both ways: a magic word, a version, a header that is a Python
// dict, then the elements; and its .npz archives (numpy.savez, savez_compressed). Source:
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
//
// f32, f64, f16, i64 and u8 keep their type; narrower integers become i64, bool becomes u8.
// Refused: unsigned integers of 64 bits, complex numbers, text, dates, records, and arrays of
// Python objects, which are pickles. NumPy has no bf16.

#include <span>
#include <string>

#include "tensor/io/bytes.h"
#include "tensor/state_dict.h"
#include "tensor/tensor.h"

namespace gestalt {

// Whether the bytes start as a .npy file does.
bool is_npy(const Bytes& bytes);
// Whether they are a zip archive with arrays in it. Throws Error where it is damaged.
bool is_npz(const Bytes& bytes);

// A contiguous tensor on the CPU, of up to 8 dimensions; it uses the file's mapped memory where the
// elements can stay as they are. Either byte order, C and Fortran order, versions 1 to 3. Throws
// Error with the reason, without the path: truncated, bytes after the array ...
Tensor read_npy(const Bytes& bytes);
Tensor load_npy(const std::string& path);  // the error names the path too

// The arrays of a .npz by their names; other entries are passed over. Throws Error as above, which
// names the array too, and where there are none.
StateDict read_npz(const Bytes& bytes);
StateDict load_npz(const std::string& path);

// Replaces the file whole or not at all: version 1.0, little-endian, C order. A tensor of any
// device and any strides. Throws Error with the path and the reason; bf16 is one.
void save_npy(const std::string& path, const Tensor& tensor);
// An archive of such arrays, not compressed, as numpy.savez writes it. `path` is the file's whole
// name: no extension is added. Error also: no arrays, a name that comes twice, a build without
// libzip.
void save_npz(const std::string& path, std::span<const NamedTensor> arrays);
// Throws Error with the path in a build without libzip, before there is anything to save.
void check_can_save_npz(const std::string& path);

}  // namespace gestalt
