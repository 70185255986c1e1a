#!/usr/bin/env python3
"""Training steps and inference of classifiers, in PyTorch and here, in turns on one machine; prints the ratios.

    python3 bench/pytorch/classifier.py [--threads 2] [--rounds 3] [--busy] [CASE ...]
    python3 bench/pytorch/classifier.py --device cuda --dtype bf16 --channels_last --graph train

Cases: train (resnet18, 224x224: forward, cross-entropy, backward, SGD; 8 images, 128 on CUDA, or --batch), alexnet and
vgg16 (inference, 64 a batch), topk (what Top-K of 20 % after the four stages adds to a training step: here alone, in one process, in turns). Each
round runs both programs once with the same --device, --dtype (bf16: mixed precision), --channels_last and --graph (the
step as a CUDA graph); the best of all rounds counts. A repeat is one step, or ten on CUDA and one wait after them.
Peak memory is that of the whole process, or what is taken on the CUDA device at the end. --busy: CPU time of one thread
in place of the clock's, for a machine that others use.

PyTorch takes the algorithms that cuDNN's rules choose; --cudnn_benchmark lets it try them, which takes minutes on some
machines. A program that has not ended after --limit seconds is stopped, and its case is left out.
"""
import argparse
import os
import pathlib
import resource
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASES = {"train": ("resnet18", "train", None, 10), "alexnet": ("alexnet", "inference", 64, 5),
         "vgg16": ("vgg16", "inference", 64, 1)}


def in_pytorch(model, work, batch, repeats, options):
    import contextlib

    import torch
    import torchvision
    torch.set_num_threads(options.threads)
    torch.backends.cudnn.benchmark = options.cudnn_benchmark
    cuda = options.device != "cpu"
    if cuda:
        torch.cuda.set_device(options.device)
    taken = (lambda: (lambda free, total: (total - free) / 2**20)(*torch.cuda.mem_get_info())) if cuda else None
    before = taken() if cuda else 0
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    network = getattr(torchvision.models, model)().to(options.device).to(memory_format=layout)
    network.train(work == "train")
    images = torch.randn(batch, 3, 224, 224, device=options.device).contiguous(memory_format=layout)
    labels = torch.zeros(batch, dtype=torch.int64, device=options.device)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)

    def mixed():
        if options.dtype == "f32":
            return contextlib.nullcontext()
        # A captured step may not keep the rounded weights of the step before.
        return torch.autocast(options.device.split(":")[0], dtype=torch.bfloat16, cache_enabled=not options.graph)

    def learn():
        with mixed():
            loss = torch.nn.functional.cross_entropy(network(images), labels)
        loss.backward()

    def infer():
        with torch.no_grad(), mixed():
            network(images)

    compute = learn if work == "train" else infer
    if options.graph:
        if not cuda:
            sys.exit("PyTorch records a step on CUDA alone")
        from cuda_graph import captured
        replay = captured(compute, before=lambda: optimizer.zero_grad(set_to_none=True))

    def step():
        if options.graph:
            replay()
        else:
            optimizer.zero_grad(set_to_none=True)
            compute()
        if work == "train":
            optimizer.step()

    clock = time.process_time if options.busy else time.perf_counter
    steps = 10 if cuda else 1
    seconds = []
    for _ in range(repeats + 1):
        start = clock()
        for _ in range(steps):
            step()
        if cuda:
            torch.cuda.synchronize()
        seconds.append((clock() - start) / steps)
    seconds = sorted(seconds[1:])
    memory = taken() - before if cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"seconds {seconds[len(seconds) // 2]:.5f}  peak_MB {memory:.1f}")


def run(command, limit):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=limit).stdout.split()


def measure(command, limit):
    words = run(command, limit)
    return float(words[1]), float(words[3])


def best(results):
    return min(seconds for seconds, _ in results), min(megabytes for _, megabytes in results)


def compare(case, options, flags):
    if case == "topk":
        here = [str(options.binary), "resnet18", "topk", "--topk", "20", "--repeats", "20", *flags]
        if options.batch:
            here += ["--batch", str(options.batch)]
        words = run(here, options.limit)
        ratio, low, high = (100 * (float(word) - 1) for word in (words[5], words[7], words[8]))
        print(f"topk: training step {words[1]} s, with Top-K after four stages {words[3]} s (the least of 20); of the steps taken "
              f"in turns half are {low:.1f} to {high:.1f} % longer, in the middle {ratio:.1f} %", flush=True)
        return
    model, work, batch, repeats = CASES[case]
    batch = options.batch or batch or (8 if options.device == "cpu" else 128)
    here = [str(options.binary), model, work, "--batch", str(batch), "--repeats", str(repeats), *flags]
    there = [sys.executable, __file__, *flags, "--only", model, work, str(batch), str(repeats)]
    if options.cudnn_benchmark:
        there.append("--cudnn_benchmark")
    pairs = [(measure(there, options.limit), measure(here, options.limit)) for _ in range(options.rounds)]
    (torch_s, torch_mb), (own_s, own_mb) = best([a for a, _ in pairs]), best([b for _, b in pairs])
    print(f"{case}: {model} {work} x{batch}: PyTorch {torch_s:.5f} s, {torch_mb:.0f} MB; here {own_s:.5f} s, {own_mb:.0f} MB; "
          f"{torch_s / own_s:.2f} times as fast, {own_mb / torch_mb:.2f} of the memory", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", default=["train", "alexnet", "vgg16", "topk"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="f32", choices=("f32", "bf16"))
    parser.add_argument("--channels_last", action="store_true")
    parser.add_argument("--graph", action="store_true")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=300, help="seconds a program may take")
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--cudnn_benchmark", action="store_true")
    parser.add_argument("--binary", default=ROOT / "build/release/bin/classifier")
    parser.add_argument("--only", nargs=4, help=argparse.SUPPRESS)  # one run in PyTorch
    options = parser.parse_args()
    if options.only:
        model, work, batch, repeats = options.only
        return in_pytorch(model, work, int(batch), int(repeats), options)
    flags = ["--device", options.device, "--dtype", options.dtype,
             "--threads", "1" if options.busy else str(options.threads)]
    flags += [f"--{name}" for name in ("channels_last", "graph", "busy") if getattr(options, name)]
    missed = 0
    for case in options.cases:
        try:
            compare(case, options, flags)
        except subprocess.TimeoutExpired as error:
            missed += 1
            print(f"{case}: not ended after {error.timeout:.0f} s: {' '.join(map(str, error.cmd))}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    sys.exit(main())
