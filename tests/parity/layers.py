"""VGG-19 with the same random weights in PyTorch and here: every tap and the gradient to the image.

Error: the difference's norm over the expected one's. Allowed: 1e-5 in exact mode, 1e-3 with Winograd. The
largest difference over the largest magnitude stands beside it: a rounding error in front of a ReLU can
let one gradient through that the other stops, so for the gradient it may be larger in single pixels.
"""

import os
import sys
import tempfile

import numpy
import torch

from gestalt_io import read_safetensors, run_tool, write_safetensors
from texture_network import TAPS, forward_taps, make_vgg19

SIZE = 256


def main():
    network = make_vgg19()
    image = torch.randn(1, 3, SIZE, SIZE) * 60
    with tempfile.TemporaryDirectory() as folder:
        weights, inputs, out = (os.path.join(folder, name) for name in ("vgg.pth", "in.safetensors", "out.safetensors"))
        torch.save(network.state_dict(), weights)
        write_safetensors(inputs, {"image": image.numpy()})
        image.requires_grad_(True)
        taps = forward_taps(network, image)
        sum((tap ** 2).mean() for tap in taps.values()).backward()
        expected = {name: taps[name].detach().numpy() for name in TAPS}
        expected["gradient"] = image.grad.numpy()
        failed = False
        for mode, allowed in (("exact", 1e-5), ("fast", 1e-3)):
            run_tool("dump_vgg", weights, inputs, out, mode)
            got = read_safetensors(out)
            for name, array in expected.items():
                difference = got[name] - array
                error = numpy.linalg.norm(difference) / numpy.linalg.norm(array)
                largest = numpy.abs(difference).max() / numpy.abs(array).max()
                ok = error <= allowed
                failed |= not ok
                print(f"{mode:6} {name:9} relative error {error:.2e} (allowed {allowed:g}), largest {largest:.2e} "
                      f"{'ok' if ok else 'FAILED'}")
    return 1 if failed else 0


if __name__ == "__main__":
    print("PyTorch", torch.__version__)
    sys.exit(main())
