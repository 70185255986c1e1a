"""Inception-v3 of FID: the resize bit for bit, features at random weights to 1e-4 of each tap's largest, against a plain
definition in PyTorch and, where it is installed (PyPI's torch-fidelity), against torch-fidelity's network.
Usage: inception.py
"""

import os
import sys
import tempfile

import numpy
import torch

from fid_inception import TAPS, FidInception, prepare, randomize
from gestalt_io import read_safetensors, run_tool, write_safetensors

SIZES = ((32, 32), (64, 97), (256, 256), (299, 299), (411, 300), (1024, 75))


def images():
    random = numpy.random.RandomState(0)
    made = {}
    for height, width in SIZES:
        noise = random.randint(0, 256, (2, 3, height, width))
        rows, columns = numpy.mgrid[0:height, 0:width]
        noise[1] = (rows * 3 + columns * 5) // 4 % 256  # structure, and every level
        made[f"{height}x{width}"] = noise.astype("float32")
    return made


def torch_fidelity_network(path):
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError:
        return None
    return FeatureExtractorInceptionV3("inception-v3-compat", [str(tap) for tap in TAPS], feature_extractor_weights_path=path)


def compare(name, got, expected, judge):
    ok = True
    for tap, features in zip(TAPS, expected):
        features = features.numpy()
        error = numpy.abs(got[f"{name}/{tap}"] - features).max() / numpy.abs(features).max()
        ok &= bool(error <= 1e-4) and got[f"{name}/{tap}"].shape == features.shape
        print(f"{name:9} {judge:14} features {tap:4}: largest error {error:.1e} (allowed 1e-4) {'ok' if ok else 'FAILED'}",
              flush=True)
    return ok


def main():
    network = randomize(FidInception())
    given = images()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        weights, inputs, out = (os.path.join(folder, file) for file in ("weights.pth", "in.safetensors", "out.safetensors"))
        torch.save(network.state_dict(), weights)
        write_safetensors(inputs, given)
        run_tool("dump_inception", weights, inputs, out)
        got = read_safetensors(out)
        other = torch_fidelity_network(weights)
    with torch.no_grad():
        for name, batch in given.items():
            x = torch.from_numpy(batch)
            prepared = prepare(x)
            same = numpy.array_equal(got[f"{name}/prepared"].view("u4"), prepared.numpy().view("u4"))
            results.append(same)
            print(f"{name:9} resize: {'the same bits' if same else 'FAILED: other bits'}")
            results.append(compare(name, got, network(prepared), "plain PyTorch"))
            if other is not None:
                results.append(compare(name, got, other(x.byte()), "torch-fidelity"))
    if other is None:
        print("SKIPPED torch-fidelity: it is not installed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    print("PyTorch", torch.__version__)
    sys.exit(main())
