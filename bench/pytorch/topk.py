#!/usr/bin/env python3
"""Top-K and Gram matrices in PyTorch, beside bench/topk_bench in the same run.

    python3 bench/pytorch/topk.py [--bench build/release/bin/topk_bench] [--threads 2]

Prints a line a shape: PyTorch's milliseconds, Gestalt's, and the ratio.
"""
import argparse
import json
import os
import statistics
import subprocess
import time

import torch


def topk_five_operations(x, fraction):
    n, c, h, w = x.shape
    flat = x.reshape(n, c, h * w)
    k = int(max(1, fraction * h * w))
    index = torch.topk(flat.abs(), k, dim=2).indices
    mask = torch.zeros_like(flat).scatter_(2, index, 1)
    return (mask * flat).reshape(n, c, h, w)


def gram(x):
    return x @ x.t()


def milliseconds(run, repeats):
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", default="build/release/bin/topk_bench")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)

    theirs = {}
    with torch.no_grad():
        for shape in ([8, 128, 112, 112], [8, 256, 32, 32]):
            x = torch.randn(shape)
            for fraction in (0.2, 0.1):
                name = f"topk/f32[{','.join(map(str, shape))}]/{fraction}"
                theirs[name] = milliseconds(lambda: topk_five_operations(x, fraction), args.repeats)
        for rows, side in ((64, 256), (64, 128), (128, 64), (256, 32), (512, 16)):
            x = torch.randn(rows, side * side)
            theirs[f"gram/[1,{rows},{side},{side}]"] = milliseconds(lambda: gram(x), args.repeats)

    wanted = "|".join(name.replace("[", ".").replace("]", ".") for name in theirs)
    result = subprocess.run(
        [args.bench, "--benchmark_format=json", f"--benchmark_filter=^({wanted})/real_time$"],
        env={**os.environ, "OMP_NUM_THREADS": str(args.threads)}, check=True, capture_output=True)
    ours = {}
    for entry in json.loads(result.stdout)["benchmarks"]:
        to_ms = {"ns": 1e-6, "us": 1e-3, "ms": 1}[entry["time_unit"]]
        ours[entry["name"].removesuffix("/real_time")] = entry["real_time"] * to_ms

    print(f"PyTorch {torch.__version__}, {args.threads} threads")
    print(f"{'':34} {'PyTorch ms':>11} {'Gestalt ms':>11} {'ratio':>7}")
    for name, time_ms in theirs.items():
        print(f"{name:34} {time_ms:11.3f} {ours[name]:11.3f} {time_ms / ours[name]:7.1f}")


if __name__ == "__main__":
    main()
