"""FastGAN's networks with the same random weights in PyTorch and here: outputs of generator and discriminator, every
parameter's gradient, and the vectors of spectral norm after three steps.

Error: the norm of the difference over the norm of PyTorch's value. Allowed: 1e-4 for outputs and buffers in f32.
For gradients f64 decides, 1e-6: in f32 a rounding error in front of a leaky ReLU or of Top-K changes single pixels'
gradients, and batch norm over two images of 8x8 spreads that; the f32 figures are printed beside it.
"""

import os
import sys
import tempfile

import numpy
import torch

from fastgan_networks import FastGanDiscriminator, FastGanGenerator, small_size
from gestalt_io import read_safetensors, run_tool, worst_of, write_safetensors

CASES = [(256, 16, "32_5", "sigmoid"), (256, 16, "32_5", "linear"), (256, 16, "4-16-32_20-10-5", "sigmoid"),
         (64, 32, "none", "sigmoid"), (512, 8, "none", "sigmoid"), (1024, 8, "32_15", "linear")]


def sparse_of(text):
    if text == "none":
        return {}
    levels, percents = (part.split("-") for part in text.split("_"))
    return {int(level): float(percent) * 0.01 for level, percent in zip(levels, percents)}


def step(generator, discriminator, z, big, small):
    fake = generator(z)
    logits, whole, rec_small, part = discriminator(big, small, 2)
    judged = discriminator(*fake)
    loss = (logits ** 2).mean() + (whole ** 2).mean() + (rec_small ** 2).mean() + (part ** 2).mean() - judged.mean()
    loss.backward()
    out = dict(big=fake[0], small=fake[1], real=logits, fake=judged, whole=whole, rec_small=rec_small, part=part)
    out = {"out/" + name: value.detach() for name, value in out.items()}
    with torch.no_grad():
        generator(z)
        generator(z)
    for prefix, network in ("g/", generator), ("d/", discriminator):
        out |= {prefix + name: parameter.grad for name, parameter in network.named_parameters()}
        out |= {prefix + name: buffer for name, buffer in network.named_buffers()}
    return {name: value.numpy().astype("f8") for name, value in out.items()}


def worst(expected, got, chosen):
    errors = {}
    for name in filter(chosen, expected):
        scale = numpy.linalg.norm(expected[name])
        errors[name] = numpy.linalg.norm(got[name] - expected[name]) / scale if scale > 0 else 0.0
    name, error = worst_of(errors)
    return error, name


def is_value(name):
    return name.startswith("out/") or not is_gradient(name)


def is_gradient(name):
    return name[:2] in ("g/", "d/") and (name.endswith("weight_orig") or name.endswith((".weight", ".bias")))


def main():
    failed = False
    for size, base, sparse, excitation in CASES:
        torch.manual_seed(0)
        z = torch.randn(2, 256)
        big, small = torch.rand(2, 3, size, size) * 2 - 1, torch.rand(2, 3, small_size(size), small_size(size)) * 2 - 1
        generator = FastGanGenerator(size, base=base, sparse=sparse_of(sparse), excitation=excitation)
        discriminator = FastGanDiscriminator(size, base=base, excitation=excitation)
        with tempfile.TemporaryDirectory() as folder:
            files = [os.path.join(folder, name) for name in ("g.pth", "d.pth", "in.safetensors", "out.safetensors")]
            torch.save(generator.state_dict(), files[0])
            torch.save(discriminator.state_dict(), files[1])
            write_safetensors(files[2], {"z": z.numpy(), "big": big.numpy(), "small": small.numpy()})
            states = generator.state_dict(), discriminator.state_dict()
            states = [{name: value.clone() for name, value in state.items()} for state in states]
            for mode, dtype, allowed_values, allowed_gradients in (("f32", torch.float32, 1e-4, None),
                                                                   ("f64", torch.float64, 1e-8, 1e-6)):
                for network, state in zip((generator, discriminator), states):
                    network.load_state_dict(state)
                    network.to(dtype).zero_grad()
                expected = step(generator, discriminator, z.to(dtype), big.to(dtype), small.to(dtype))
                run_tool("dump_fastgan", *files, mode, size, base, sparse, excitation)
                got = read_safetensors(files[3])
                for what, chosen, allowed in (("values", is_value, allowed_values),
                                              ("gradients", is_gradient, allowed_gradients)):
                    error, name = worst(expected, got, chosen)
                    ok = allowed is None or error <= allowed
                    failed |= not ok
                    bound = f"allowed {allowed:g}" if allowed else "not judged"
                    print(f"{size:4} {sparse:10} {excitation} {mode} {what:9} {error:.2e} ({bound}, worst: {name}) "
                          f"{'ok' if ok else 'FAILED'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    print("PyTorch", torch.__version__)
    sys.exit(main())
