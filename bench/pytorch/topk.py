#!/usr/bin/env python3
"""Top-K, its fused forms, Gram matrices and AdaIN in PyTorch, beside bench/topk_bench in one run.

    python3 bench/pytorch/topk.py [--bench build/release/bin/topk_bench] [--threads 2] [--filter REGEX]

Top-K is the five operations as published (abs, topk, zeros, scatter, product). Prints a line a case:
PyTorch's milliseconds, Gestalt's, its GB/s (one read and one write), and how many times as fast it is.
The two are timed in turns, case by case, so that a busy machine slows both; medians. On a machine
that others use, --cpu-time compares the processor time of one thread instead.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import time

import torch

SHAPES = [[32, 2048, 7, 7], [32, 1024, 14, 14], [16, 512, 28, 28], [16, 128, 56, 56],
          [8, 64, 112, 112], [8, 16, 224, 224], [8, 256, 32, 32], [8, 128, 112, 112]]
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
FORMATS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}


def topk_five_operations(x, fraction):
    n, c, h, w = x.shape
    flat = x.reshape(n, c, h * w)
    k = int(max(1, fraction * h * w))
    index = torch.topk(flat.abs(), k, dim=2).indices
    mask = torch.zeros_like(flat).scatter_(2, index, 1)
    return (mask * flat).reshape(n, c, h, w)


def batch_norm(x, training):
    channels = x.shape[1]
    ones, zeros = torch.ones(channels), torch.zeros(channels)
    return torch.nn.functional.batch_norm(x, zeros, ones, ones, zeros, training)


def adain(x, style):
    def stats(v):
        deviation = (v.flatten(2).var(dim=2) + 1e-5).sqrt()
        return v.flatten(2).mean(dim=2)[..., None, None], deviation[..., None, None]
    mean, deviation = stats(x)
    style_mean, style_deviation = stats(style)
    return (x - mean) / deviation * style_deviation + style_mean


def shape_text(shape):
    return f"[{','.join(map(str, shape))}]"


def gram_cases():
    for batch, rows, side in ((1, 64, 256), (1, 64, 128), (1, 128, 64), (1, 256, 32), (1, 512, 16),
                              (8, 128, 64)):
        x = torch.randn(batch, rows, side * side)
        name = shape_text([batch, rows, side, side])
        yield f"gram/{name}", lambda: x @ x.transpose(1, 2)
        leaf = x.clone().requires_grad_()
        y = leaf @ leaf.transpose(1, 2)
        dy = torch.randn_like(y)
        yield (f"gram_backward/{name}",
               lambda: torch.autograd.grad(y, leaf, dy, retain_graph=True))


def image_cases():
    for shape in SHAPES:
        for dtype, torch_dtype in DTYPES.items():
            for layout, memory_format in FORMATS.items():
                x = torch.randn(shape).to(torch_dtype).contiguous(memory_format=memory_format)
                prefix = f"{dtype}{shape_text(shape)}/{layout}"
                for fraction in (0.05, 0.1, 0.2):
                    ops = {"topk": lambda v: topk_five_operations(v, fraction)}
                    if fraction == 0.1 and dtype == "f32":
                        ops["relu_topk"] = lambda v: topk_five_operations(v.relu(), fraction)
                        for mode in ("inference", "training"):
                            norm = lambda v, on=mode == "training": batch_norm(v, on)
                            ops[f"batch_norm_{mode}"] = norm
                            ops[f"batch_norm_{mode}_relu_topk"] = (
                                lambda v, norm=norm: topk_five_operations(norm(v).relu(), fraction))
                    for name, op in ops.items():
                        yield from both(name, f"{prefix}/{fraction}", x, op)


def adain_cases():
    for shape in ([8, 512, 32, 32], [2, 64, 256, 256]):
        for layout, memory_format in FORMATS.items():
            x = torch.randn(shape).contiguous(memory_format=memory_format)
            style = torch.randn(shape).contiguous(memory_format=memory_format)
            yield from both("adain", f"f32{shape_text(shape)}/{layout}", x,
                            lambda v: adain(v, style))


def both(name, suffix, x, op):
    """Forward without and backward with a graph."""
    def forward():
        with torch.no_grad():
            op(x)
    yield f"{name}/{suffix}", forward
    graph = {}

    def backward():
        if not graph:
            graph["leaf"] = x.clone().requires_grad_()
            graph["y"] = op(graph["leaf"])
            graph["dy"] = torch.randn_like(graph["y"])
        torch.autograd.grad(graph["y"], graph["leaf"], graph["dy"], retain_graph=True)
    yield f"{name}_backward/{suffix}", backward


def milliseconds(run, repeats, clock):
    run()
    times = []
    for _ in range(repeats):
        start = clock()
        run()
        times.append((clock() - start) * 1e3)
    return statistics.median(times)


def gestalt(bench, name, threads, time_key):
    """Milliseconds and GB/s of one case of the benchmark binary."""
    result = subprocess.run(
        [bench, "--benchmark_format=json", "--benchmark_min_time=0.1", "--benchmark_repetitions=3",
         f"--benchmark_filter=^{re.sub('[^a-zA-Z0-9_/]', '.', name)}/real_time$"],
        env={**os.environ, "OMP_NUM_THREADS": str(threads)}, check=True, capture_output=True)
    for entry in json.loads(result.stdout)["benchmarks"]:
        if entry.get("aggregate_name") == "median":
            to_ms = {"ns": 1e-6, "us": 1e-3, "ms": 1}[entry["time_unit"]]
            rate = entry.get("GB/s", 0) * entry["real_time"] / entry[time_key]
            return entry[time_key] * to_ms, rate
    raise SystemExit(f"{bench} has no case {name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default="build/release/bin/topk_bench")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--filter", default="", help="only cases whose name has a match")
    parser.add_argument("--cpu-time", action="store_true", help="of one thread, not wall time of all")
    args = parser.parse_args()
    clock, time_key = time.perf_counter, "real_time"
    if args.cpu_time:
        args.threads, clock, time_key = 1, time.process_time, "cpu_time"
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)

    measured = "processor time, 1 thread" if args.cpu_time else f"{args.threads} threads"
    print(f"PyTorch {torch.__version__}, {measured}")
    print(f"{'':58} {'PyTorch ms':>11} {'Gestalt ms':>11} {'GB/s':>6} {'ratio':>6}")
    for cases in (image_cases(), gram_cases(), adain_cases()):
        for name, run in cases:
            if not re.search(args.filter, name):
                continue
            theirs = milliseconds(run, args.repeats, clock)
            ours, rate = gestalt(args.bench, name, args.threads, time_key)
            rate = f"{rate:6.1f}" if rate else " " * 6
            print(f"{name:58} {theirs:11.3f} {ours:11.3f} {rate} {theirs / ours:6.1f}", flush=True)


if __name__ == "__main__":
    main()
