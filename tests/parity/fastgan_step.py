"""Three of FastGAN's training steps with the same weights, images and random numbers in PyTorch and here: DiffAugment
with its gradient, every loss of every step, the gradient of every parameter in the first, and the buffers (spectral
norm's vectors, batch norm's statistics) and the moving average after the third.

Error: the norm of the difference over the norm of PyTorch's value. f64 decides about everything. f32: DiffAugment and the
losses of the discriminator, 1e-4. In its gradients a rounding error in front of a ReLU or of Top-K changes single pixels,
in PyTorch too: ours are at most twice as far from PyTorch's f64 as PyTorch's own f32 (median over the parameters). Behind
Adam's first step, which moves every weight by the learning rate however small its gradient is, f32 runs drift; their
figures are printed.
"""

import os
import statistics
import sys
import tempfile

import numpy
import torch

from fastgan import sparse_of
from fastgan_networks import FastGanDiscriminator, FastGanGenerator
from fastgan_training import TAPS, Lpips, diff_augment, train_step, vgg16_features
from gestalt_io import read_safetensors, run_tool, worst_of, write_safetensors

STEPS, BATCH = 3, 2
# f64 first: f32 is judged beside it.
CASES = [(64, 16, 4, "32_5", ("f64", "f32")), (256, 8, 8, "16-32_10-5", ("f64", "f32"))]


def random_numbers(logits):
    step = {"z": torch.randn(BATCH, 256), "part": torch.rand(2)}
    for name in "margins_real", "margins_fake":
        step[name] = torch.rand(logits) * 0.2 + 0.8
    for name in "augment_real", "augment_big", "augment_small":
        step[name] = torch.rand(BATCH, 7)
    return step


def in_pytorch(generator, discriminator, perceptual, real, numbers, dtype):
    for network in generator, discriminator, perceptual:
        network.to(dtype)
    real, out = real.to(dtype), {}
    adam = [torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999)) for network in (generator, discriminator)]
    average = [parameter.detach().clone() for parameter in generator.parameters()]
    for i, step in enumerate(numbers):
        def watch(name, value):
            if not isinstance(value, torch.nn.Module):
                out[f"{i}.{name}"] = value.detach()
            elif i == 0:
                out.update((f"{name}/{parameter}", tensor.grad.clone()) for parameter, tensor in value.named_parameters())
        given = {name: value.to(dtype) if name[0] in "zm" else value for name, value in step.items()}
        given["part"] = 2 * int(step["part"][0] >= 0.5) + int(step["part"][1] >= 0.5)
        train_step(generator, discriminator, perceptual, *adam, average, real, given, watch)
    for prefix, network in ("buffers/g/", generator), ("buffers/d/", discriminator):
        out.update((prefix + name, buffer) for name, buffer in network.named_buffers())
    out.update(("average/" + name, mean) for (name, _), mean in zip(generator.named_parameters(), average))
    x = real.clone().requires_grad_(True)
    y = diff_augment(x, numbers[0]["augment_real"], cutout=True)
    (y ** 3).sum().backward()
    out |= {"augmented": y.detach(), "augmented_gradient": x.grad}
    return {name: value.numpy().astype("f8") for name, value in out.items()}


def errors(expected, got, chosen):
    found = {}
    for name in filter(chosen, expected):
        scale = numpy.linalg.norm(expected[name])
        found[name] = float(numpy.linalg.norm(got[name] - expected[name]) / scale) if scale > 0 else 0.0
    return found


def is_first_loss(name):
    return name.startswith("0.") and name != "0.generator"


def is_behind_adam(name):
    return name[:2] in ("0.", "1.", "2.", "g/") and not is_first_loss(name)


def is_left(name):
    return name.startswith(("buffers/", "average/")) and not name.endswith("num_batches_tracked")


# What, the names, allowed in f32 (None: not judged) and in f64.
KINDS = (("augmentation", lambda name: name.startswith("augmented"), 1e-4, 1e-10),
         ("losses of D", is_first_loss, 1e-4, 1e-9),
         ("gradients of D", lambda name: name.startswith("d/"), None, 1e-6),
         ("loss and gradients of G, later losses", is_behind_adam, None, 1e-6),
         ("buffers and average", is_left, None, 1e-6))


def main():
    failed = False
    for size, base, divisor, sparse, modes in CASES:
        torch.manual_seed(1)
        generator = FastGanGenerator(size, base=base, sparse=sparse_of(sparse))
        discriminator = FastGanDiscriminator(size, base=base)
        features = vgg16_features(divisor)
        for layer in features:
            if hasattr(layer, "weight"):
                torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        linear = [torch.rand(1, features[tap - 1].out_channels, 1, 1) for tap in TAPS]
        perceptual = Lpips(features, linear)
        real = torch.rand(BATCH, 3, size, size) * 2 - 1
        numbers = [random_numbers(2 * BATCH * 25) for _ in range(STEPS)]
        states = [{name: value.clone() for name, value in network.state_dict().items()}
                  for network in (generator, discriminator)]
        with tempfile.TemporaryDirectory() as folder:
            files = [os.path.join(folder, name) for name in ("g.pth", "d.pth", "vgg", "in", "out")]
            torch.save(states[0], files[0])
            torch.save(states[1], files[1])
            weights = {name: value.numpy() for name, value in features.state_dict().items()}
            weights |= {f"lin{i}.model.1.weight": weight.numpy() for i, weight in enumerate(linear)}
            write_safetensors(files[2], weights)
            write_safetensors(files[3], {"real": real.numpy()} | {f"{i}.{name}": value.numpy()
                                         for i, step in enumerate(numbers) for name, value in step.items()})
            for mode in modes:
                for network, state in zip((generator, discriminator), states):
                    network.to(torch.float32).load_state_dict(state)
                dtype = torch.float32 if mode == "f32" else torch.float64
                expected = in_pytorch(generator, discriminator, perceptual, real, numbers, dtype)
                run_tool("dump_fastgan_step", *files, mode, size, base, sparse)
                got = read_safetensors(files[4])
                if mode == "f64":
                    exact = expected
                for what, chosen, in_f32, in_f64 in KINDS:
                    found = errors(expected, got, chosen)
                    worst, judged = worst_of(found)
                    allowed = in_f64 if mode == "f64" else in_f32
                    if mode == "f32" and what == "gradients of D":
                        judged, allowed = (statistics.median(errors(exact, run, chosen).values())
                                           for run in (got, expected))
                        allowed *= 2
                    ok = allowed is None or judged <= allowed
                    failed |= not ok
                    bound = "not judged" if allowed is None else f"allowed {allowed:.2g}"
                    print(f"{size:4} {sparse:10} {mode} {what}: {judged:.2e} ({bound}; of {len(found)}, worst "
                          f"{found[worst]:.2e}: {worst}) {'ok' if ok else 'FAILED'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    print("PyTorch", torch.__version__)
    sys.exit(main())
