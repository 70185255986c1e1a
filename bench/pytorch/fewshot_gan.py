#!/usr/bin/env python3
"""FastGAN's training step with Top-K, in PyTorch and here, in turns on one machine; prints the ratios.

    python3 bench/pytorch/fewshot_gan.py [--device cpu] [--batch N] [--size 256] [--threads 2] [--rounds 3]
    python3 bench/pytorch/fewshot_gan.py --device cuda --channels_last --graph --published_pytorch
    python3 bench/pytorch/fewshot_gan.py --device cuda --dtype bf16 --channels_last --graph

The step is the published one (tests/parity/fastgan_training.py): DiffAugment, the discriminator on real images with three
LPIPS losses by VGG-16 and on generated ones, the generator, Adam for both, the moving average. Batch 2 on the CPU, 8 on
CUDA. Each round runs both programs once with the same --device, --dtype (bf16: mixed precision), --channels_last and
--graph (the step as a CUDA graph); --published_pytorch leaves PyTorch's step as published: eager, f32, contiguous. The
best of all rounds counts. A repeat is one step, or ten on CUDA and one wait after them. Peak memory is that of the whole
process on the CPU, and what is taken on the device at the end on CUDA. PyTorch takes the algorithms that cuDNN's rules
choose; --cudnn_benchmark lets it try them, as the published code does, which takes minutes on some machines.
"""
import argparse
import os
import pathlib
import resource
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def in_pytorch(batch, options):
    import torch
    sys.path.insert(0, str(ROOT / "tests/parity"))
    from fastgan import sparse_of
    from fastgan_networks import FastGanDiscriminator, FastGanGenerator
    from fastgan_training import Lpips, train_step, vgg16_features
    torch.set_num_threads(options.threads)
    torch.backends.cudnn.benchmark = options.cudnn_benchmark
    device, size = options.device, options.size
    cuda = device != "cpu"
    if cuda:
        torch.cuda.set_device(device)
    taken = (lambda: (lambda free, total: (total - free) / 2**20)(*torch.cuda.mem_get_info())) if cuda else None
    before = taken() if cuda else 0
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    generator = FastGanGenerator(size, sparse=sparse_of(options.sparse)).to(device).to(memory_format=layout)
    discriminator = FastGanDiscriminator(size).to(device).to(memory_format=layout)
    linear = [torch.rand(1, channels, 1, 1) for channels in (64, 128, 256, 512, 512)]
    perceptual = Lpips(vgg16_features(), linear).to(device).to(memory_format=layout)
    adam = [torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999), capturable=options.graph)
            for network in (generator, discriminator)]
    average = [parameter.detach().clone() for parameter in generator.parameters()]
    real = (torch.rand(batch, 3, size, size, device=device) * 2 - 1).contiguous(memory_format=layout)
    random = {"z": torch.empty(batch, 256, device=device), "part": 0}
    random |= {name: torch.empty(2 * batch * 25, device=device) for name in ("margins_real", "margins_fake")}
    augment = ("augment_real", "augment_big", "augment_small")
    random |= {name: torch.empty(batch, 7, device=device) for name in augment}

    def draw():
        random["z"].normal_()
        for name in "margins_real", "margins_fake":
            random[name].uniform_(0.8, 1)
        for name in augment:
            random[name].uniform_()

    def compute():
        with torch.autocast(device.split(":")[0], torch.bfloat16, options.dtype == "bf16", cache_enabled=not options.graph):
            train_step(generator, discriminator, perceptual, *adam, average, real, random)

    if options.graph:
        if not cuda:
            sys.exit("PyTorch records a step on CUDA alone")
        from cuda_graph import captured
        draw()
        replay = captured(compute)

    def step():
        draw()
        if options.graph:
            replay()
        else:
            random["part"] = int(torch.randint(4, ()))  # a recorded step keeps its quarter
            compute()

    steps = 10 if cuda else 1
    seconds = []
    for _ in range(options.repeats + 1):
        start = time.perf_counter()
        for _ in range(steps):
            step()
        if cuda:
            torch.cuda.synchronize()
        seconds.append((time.perf_counter() - start) / steps)
    seconds = sorted(seconds[1:])
    memory = taken() - before if cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"seconds {seconds[len(seconds) // 2]:.4f}  peak_MB {memory:.1f}")


def measure(command):
    words = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return float(words[1]), float(words[3])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="f32", choices=("f32", "bf16"))
    parser.add_argument("--channels_last", action="store_true")
    parser.add_argument("--graph", action="store_true")
    parser.add_argument("--published_pytorch", action="store_true")
    parser.add_argument("--cudnn_benchmark", action="store_true")
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
        return in_pytorch(batch, options)
    flags = ["--device", options.device, "--batch", str(batch), "--size", str(options.size), "--sparse", options.sparse,
             "--threads", str(options.threads), "--repeats", str(options.repeats)]
    form = ["--dtype", options.dtype] + [f"--{name}" for name in ("channels_last", "graph") if getattr(options, name)]
    pytorch_form = [] if options.published_pytorch else list(form)
    if options.cudnn_benchmark:
        pytorch_form.append("--cudnn_benchmark")
    there, here = [], []
    for _ in range(options.rounds):
        here.append(measure([str(options.binary), *flags, *form]))
        print(f"here {here[-1][0]:.4f} s", flush=True)
        there.append(measure([sys.executable, __file__, *flags, *pytorch_form, "--only"]))
        print(f"PyTorch {there[-1][0]:.4f} s", flush=True)
    (torch_s, torch_mb), (own_s, own_mb) = (tuple(map(min, zip(*results))) for results in (there, here))
    print(f"{options.device}, {batch}x3x{options.size}x{options.size}, Top-K {options.sparse}: "
          f"PyTorch ({' '.join(pytorch_form) or 'as published'}) {torch_s:.4f} s, {torch_mb:.0f} MB; "
          f"here ({' '.join(form)}) {own_s:.4f} s, {own_mb:.0f} MB; {torch_s / own_s:.2f} times as fast, "
          f"{own_mb / torch_mb:.2f} of the memory")
    return 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    sys.exit(main())
