#!/usr/bin/env python3
"""Training steps and inference of classifiers, in PyTorch and here, in turns on one machine; prints the ratios.

    python3 bench/pytorch/classifier.py [--threads 2] [--rounds 3] [--busy] [CASE ...]

Cases: train (resnet18, 8x3x224x224, f32: forward, cross-entropy, backward, SGD), alexnet and vgg16 (inference, 64 a
batch), topk (what Top-K of 20 % behind the four stages adds to a training step, here alone). Each round runs both programs
once; the best of all rounds counts. Peak memory is that of the whole process. --busy: CPU time of one thread in place of
the clock's, for a machine that others use.
"""
import argparse
import os
import pathlib
import resource
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASES = {"train": ("resnet18", "train", 8, 10), "alexnet": ("alexnet", "inference", 64, 5),
         "vgg16": ("vgg16", "inference", 64, 1)}


def in_pytorch(model, work, batch, repeats, threads, clock):
    import torch
    import torchvision
    torch.set_num_threads(threads)
    network = getattr(torchvision.models, model)()
    images, labels = torch.randn(batch, 3, 224, 224), torch.zeros(batch, dtype=torch.int64)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)

    def step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()

    def infer():
        with torch.no_grad():
            network(images)

    run = step if work == "train" else infer
    network.train(work == "train")
    seconds = []
    for _ in range(repeats + 1):
        start = clock()
        run()
        seconds.append(clock() - start)
    seconds = sorted(seconds[1:])
    print(f"seconds {seconds[len(seconds) // 2]:.4f}  peak_MB {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.1f}")


def measure(command):
    words = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(words[1]), float(words[3])


def best(results):
    return min(seconds for seconds, _ in results), min(megabytes for _, megabytes in results)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", default=["train", "alexnet", "vgg16", "topk"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--binary", default=ROOT / "build/release/bin/classifier")
    parser.add_argument("--only", nargs=4, help=argparse.SUPPRESS)  # one run in PyTorch
    options = parser.parse_args()
    if options.only:
        model, work, batch, repeats = options.only
        clock = time.process_time if options.busy else time.perf_counter
        return in_pytorch(model, work, int(batch), int(repeats), options.threads, clock)
    flags = ["--threads", "1", "--busy"] if options.busy else ["--threads", str(options.threads)]
    for case in options.cases:
        if case == "topk":
            here = [str(options.binary), "resnet18", "train", *flags]
            pairs = [(measure(here), measure(here + ["--topk", "20"])) for _ in range(options.rounds)]
            plain, sparse = best([a for a, _ in pairs])[0], best([b for _, b in pairs])[0]
            print(f"topk: training step {plain:.4f} s, with Top-K behind four stages {sparse:.4f} s: {100 * (sparse / plain - 1):.1f} % more")
            continue
        model, work, batch, repeats = CASES[case]
        here = [str(options.binary), model, work, "--batch", str(batch), "--repeats", str(repeats), *flags]
        there = [sys.executable, __file__, *flags, "--only", model, work, str(batch), str(repeats)]
        pairs = [(measure(there), measure(here)) for _ in range(options.rounds)]
        (torch_s, torch_mb), (own_s, own_mb) = best([a for a, _ in pairs]), best([b for _, b in pairs])
        print(f"{case}: {model} {work} x{batch}: PyTorch {torch_s:.4f} s, {torch_mb:.0f} MB; here {own_s:.4f} s, {own_mb:.0f} MB; "
              f"{torch_s / own_s:.2f} times as fast, {own_mb / torch_mb:.2f} of the memory", flush=True)
    return 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    sys.exit(main())
