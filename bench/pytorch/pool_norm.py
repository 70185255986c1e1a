#!/usr/bin/env python3
"""Pooling and batch norm in PyTorch and in oneDNN (through PyTorch), beside bench/op_case_bench in the same run.

    python3 bench/pytorch/pool_norm.py [--bench build/release/bin/op_case_bench] [--threads 2] [--rounds 3] [--busy]

A line a case: milliseconds of PyTorch, of oneDNN where PyTorch reaches it, of Gestalt, and how many times as fast
Gestalt is as the faster of the two. `both` is forward and backward. The rounds alternate between the programs and
the best counts, because others may be using the machine. On a busy one, --busy compares CPU time of one thread.
"""
import argparse
import json
import math
import os
import subprocess
import time

import torch
import torch.nn.functional as F

FIRST, MIDDLE, STEM, STAGE2, STAGE4 = [4, 64, 224, 224], [4, 256, 56, 56], [8, 64, 112, 112], [8, 128, 28, 28], [8, 512, 7, 7]


def batch_norm(training):
    def run(x):
        c = x.shape[1]
        weight, bias = torch.ones(c, requires_grad=x.requires_grad), torch.zeros(c, requires_grad=x.requires_grad)
        return F.batch_norm(x, torch.zeros(c), torch.ones(c), weight, bias, training)
    return run


OPS = {
    "max_pool2d_2x2": (lambda x: F.max_pool2d(x, 2), [FIRST, MIDDLE]),
    "avg_pool2d_2x2": (lambda x: F.avg_pool2d(x, 2), [FIRST, MIDDLE]),
    "max_pool2d_3x3_stride_2": (lambda x: F.max_pool2d(x, 3, 2, 1), [STEM]),
    "avg_pool2d_3x3_stride_2": (lambda x: F.avg_pool2d(x, 3, 2, 1), [STEM]),
    "batch_norm_training": (batch_norm(True), [STEM, STAGE2, STAGE4]),
    "batch_norm_inference": (batch_norm(False), [STEM, STAGE2, STAGE4]),
}


clock = time.perf_counter


def milliseconds(run, seconds=0.15):
    """The mean, as op_case_bench has it: its own beside the best of PyTorch's would be too slow by what disturbs it."""
    run()
    count, start = 0, clock()
    while (taken := clock() - start) < seconds:
        run()
        count += 1
    return taken / count * 1e3


def cases():
    for op, (run, shapes) in OPS.items():
        for shape in shapes:
            for last in (False, True):
                name = f"{op}/[{','.join(map(str, shape))}]{'_channels_last' if last else ''}/cpu/f32"
                x = torch.rand(shape)
                yield name, run, x.contiguous(memory_format=torch.channels_last) if last else x


def torch_times():
    times = {}
    for name, run, x in cases():
        with torch.no_grad():
            times[name + "/forward"] = milliseconds(lambda: run(x))
        leaf = x.clone().requires_grad_(True)
        ones = torch.ones_like(run(x))
        times[name + "/both"] = milliseconds(lambda: run(leaf).backward(ones))
    return times


def onednn_times():
    """In oneDNN's own layout; its batch norm is reached in inference alone."""
    times = {}
    for name, run, x in cases():
        if "channels_last" in name or "training" in name:
            continue
        dense = x.to_mkldnn()
        with torch.no_grad():
            try:
                times[name + "/forward"] = milliseconds(lambda: run(dense))
            except RuntimeError:
                pass
    return times


def gestalt_times(bench, threads):
    result = subprocess.run(
        [bench, "--benchmark_format=json",
         f"--benchmark_filter=^({'|'.join(OPS)})/.[0-9].*/(forward|both)/"],
        env={**os.environ, "OMP_NUM_THREADS": str(threads)}, check=True, capture_output=True)
    to_ms = {"ns": 1e-6, "us": 1e-3, "ms": 1}
    field = "real_time" if clock is time.perf_counter else "cpu_time"
    return {"/".join(entry["name"].split("/")[:5]): entry[field] * to_ms[entry["time_unit"]]
            for entry in json.loads(result.stdout)["benchmarks"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", default="build/release/bin/op_case_bench")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--busy", action="store_true")
    args = parser.parse_args()
    if args.busy:
        global clock
        clock, args.threads = time.process_time, 1
    torch.set_num_threads(args.threads)

    columns = ({}, {}, {})
    for _ in range(args.rounds):
        for best, times in zip(columns, (torch_times(), onednn_times(), gestalt_times(args.bench, args.threads))):
            for name, value in times.items():
                best[name] = min(value, best.get(name, math.inf))
    theirs, onednn, ours = columns
    print(f"PyTorch {torch.__version__}, {args.threads} threads")
    print(f"{'':64} {'PyTorch':>9} {'oneDNN':>9} {'Gestalt':>9} {'ratio':>6}")
    for name, value in theirs.items():
        other = onednn.get(name, math.nan)
        fastest = min(value, other) if other == other else value
        print(f"{name:64} {value:9.3f} {other:9.3f} {ours[name]:9.3f} {fastest / ours[name]:6.2f}")


if __name__ == "__main__":
    main()
