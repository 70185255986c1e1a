#!/usr/bin/env python3
"""FastGAN's training step with Top-K, in PyTorch and here, in turns on one machine; prints the ratios.

    python3 bench/pytorch/fewshot_gan.py [--device cpu|cuda] [--batch N] [--size 256] [--threads 2] [--rounds 3]

The step is the published one (tests/parity/fastgan_training.py): DiffAugment, the discriminator on real images with three
LPIPS losses by VGG-16 and on generated ones, the generator, Adam for both, the moving average. Batch 2 on the CPU, 8 on
CUDA. Each round runs both programs once; the best of all rounds counts. Peak memory is that of the whole process on the
CPU, and what PyTorch's allocator reserved on CUDA.
"""
import argparse
import os
import pathlib
import resource
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def in_pytorch(device, batch, size, sparse, repeats, threads):
    import torch
    sys.path.insert(0, str(ROOT / "tests/parity"))
    from fastgan import sparse_of
    from fastgan_networks import FastGanDiscriminator, FastGanGenerator
    from fastgan_training import Lpips, train_step, vgg16_features
    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = True
    generator = FastGanGenerator(size, sparse=sparse_of(sparse)).to(device)
    discriminator = FastGanDiscriminator(size).to(device)
    linear = [torch.rand(1, channels, 1, 1) for channels in (64, 128, 256, 512, 512)]
    perceptual = Lpips(vgg16_features(), linear).to(device)
    adam = [torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999)) for network in (generator, discriminator)]
    average = [parameter.detach().clone() for parameter in generator.parameters()]
    real = torch.rand(batch, 3, size, size, device=device) * 2 - 1

    def step():
        random = {"z": torch.randn(batch, 256, device=device), "part": int(torch.randint(4, ()))}
        for name in "margins_real", "margins_fake":
            random[name] = torch.rand(2 * batch * 25, device=device) * 0.2 + 0.8
        for name in "augment_real", "augment_big", "augment_small":
            random[name] = torch.rand(batch, 7, device=device)
        train_step(generator, discriminator, perceptual, *adam, average, real, random)
        if device != "cpu":
            torch.cuda.synchronize()

    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    seconds = sorted(seconds[1:])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if device != "cpu":
        memory = torch.cuda.max_memory_reserved() / 2**20
    print(f"seconds {seconds[len(seconds) // 2]:.4f}  peak_MB {memory:.1f}")


def measure(command):
    words = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(words[1]), float(words[3])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--batch", type=int, help="2 on the CPU, 8 on CUDA")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--sparse", default="32_5")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--binary", default=ROOT / "build/release/bin/fewshot_gan")
    parser.add_argument("--only", action="store_true", help=argparse.SUPPRESS)  # one run in PyTorch
    options = parser.parse_args()
    batch = options.batch or (2 if options.device == "cpu" else 8)
    if options.only:
        return in_pytorch(options.device, batch, options.size, options.sparse, options.repeats, options.threads)
    flags = ["--device", options.device, "--batch", str(batch), "--size", str(options.size), "--sparse", options.sparse,
             "--threads", str(options.threads), "--repeats", str(options.repeats)]
    there, here = [], []
    for _ in range(options.rounds):
        there.append(measure([sys.executable, __file__, *flags, "--only"]))
        here.append(measure([str(options.binary), *flags]))
        print(f"PyTorch {there[-1][0]:.3f} s, here {here[-1][0]:.3f} s", flush=True)
    (torch_s, torch_mb), (own_s, own_mb) = (tuple(map(min, zip(*results))) for results in (there, here))
    print(f"{options.device}, {batch}x3x{options.size}x{options.size}, Top-K {options.sparse}: PyTorch {torch_s:.3f} s, "
          f"{torch_mb:.0f} MB; here {own_s:.3f} s, {own_mb:.0f} MB; {torch_s / own_s:.2f} times as fast, "
          f"{own_mb / torch_mb:.2f} of the memory")
    return 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    sys.exit(main())
