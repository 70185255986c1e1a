"""Reads the tools' safetensors files with nothing but NumPy, and runs the tools."""

import json
import os
import struct
import subprocess

import numpy

DTYPES = {"F32": "<f4", "F64": "<f8", "I64": "<i8", "U8": "u1"}


def read_safetensors(path):
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    header.pop("__metadata__", None)
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        array = numpy.frombuffer(data[begin:end], DTYPES[entry["dtype"]])
        arrays[name] = array.reshape(entry["shape"]).copy()
    return arrays


def write_safetensors(path, arrays):
    """Arrays by name: float64 as it is, anything else as float32."""
    header, chunks, offset = {}, [], 0
    for name, array in arrays.items():
        dtype = "F64" if array.dtype == numpy.float64 else "F32"
        data = array.astype(DTYPES[dtype]).tobytes()
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
        chunks.append(data)
    text = json.dumps(header)
    text += " " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text.encode() + b"".join(chunks))


def worst_of(errors):
    """The name and the value of the largest; of one that is NaN, where there is any."""
    return max(errors.items(), key=lambda item: numpy.inf if numpy.isnan(item[1]) else item[1])


def run_tool(name, *arguments):
    """The tool of the release build, or of the folder that GESTALT_BIN names."""
    here = os.path.dirname(os.path.abspath(__file__))
    folder = os.environ.get("GESTALT_BIN", os.path.join(here, "../../build/release/bin"))
    subprocess.run([os.path.join(folder, name), *map(str, arguments)], check=True)
