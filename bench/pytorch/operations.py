#!/usr/bin/env python3
"""The operations of bench/operation_cases.cpp in PyTorch, beside bench/op_case_bench in the same run.

    python3 bench/pytorch/operations.py [--bench build/release/bin/op_case_bench] [--dtype f32] [--filter REGEX] [--rounds 3]

A line a case: microseconds of PyTorch and of Gestalt (CPU time of one thread, the best of the rounds, which alternate
between the programs) and how many times as fast Gestalt is, forward, and forward and backward.
"""
import argparse
import json
import math
import os
import re
import subprocess
import time

import torch
import torch.nn.functional as F

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16, "f64": torch.float64, "u8": torch.uint8}
LAST = torch.channels_last
POSITIVE = ("log", "sqrt", "pow_1.5", "divide", "to_u8", "from_u8")


class Kept:
    """Makes what a case needs beside its inputs once."""

    def __init__(self, make, run):
        self.make, self.run, self.kept = make, run, None

    def __call__(self, *inputs):
        if self.kept is None:
            with torch.no_grad():
                self.kept = self.make(*inputs)
        return self.run(self.kept, *inputs)


def resnet_parameters():
    shapes, inputs = [[64, 3, 7, 7], [64], [64]], 64
    for channels in (64, 128, 256, 512):
        for _ in range(2):
            for source in (inputs, channels):
                shapes += [[channels, source, 3, 3], [channels], [channels]]
            if inputs != channels:
                shapes += [[channels, inputs, 1, 1], [channels], [channels]]
            inputs = channels
    parameters = [torch.nn.Parameter(torch.randn(shape) * 0.01) for shape in shapes + [[1000, 512], [1000]]]
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter) * 0.01
    return parameters


def average(parameters_and_averages):
    parameters, averages = parameters_and_averages
    torch._foreach_lerp_(averages, parameters, 0.001)


def with_averages():
    parameters = resnet_parameters()
    return [p.detach() for p in parameters], [p.detach().clone() for p in parameters]


def optimizer(make):
    return Kept(lambda: make(resnet_parameters()), lambda o: o.step())


OPS = {
    "exp": torch.exp, "log": torch.log, "sqrt": torch.sqrt, "abs": torch.abs,
    "pow_1.5": lambda x: x.pow(1.5), "pow_2": lambda x: x.pow(2), "clamp": lambda x: x.clamp(-0.5, 0.5),
    "sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu, "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "add_scalar": lambda x: x + 0.5, "multiply_scalar": lambda x: x * 0.5,
    "add": torch.add, "multiply": torch.mul, "divide": torch.div, "maximum": torch.maximum,
    "add_in_place": lambda y, x: y.add_(x, alpha=0.5),
    "greater": torch.gt, "greater_scalar": lambda x: x > 0, "equal": torch.eq,
    "where": Kept(lambda a, b: a > 0, torch.where),
    "clone": torch.clone,
    "to_channels_last": lambda x: x.contiguous(memory_format=LAST), "to_contiguous": lambda x: x.contiguous(),
    "permute_0231": lambda x: x.permute(0, 2, 3, 1).contiguous(), "permute_1032": lambda x: x.permute(1, 0, 3, 2).contiguous(),
    "transpose": lambda x: x.t().contiguous(), "narrow": lambda x: x.narrow(1, 16, 32).contiguous(),
    "cat_1": lambda a, b: torch.cat([a, b], 1), "cat_0": lambda a, b: torch.cat([a, b], 0), "stack": lambda a, b: torch.stack([a, b]),
    "index_select_0": Kept(lambda x: torch.arange(4096) * 37 % 1000, lambda i, x: x.index_select(0, i)),
    "constant_pad2d": lambda x: F.pad(x, (1, 1, 1, 1)),
    "reflection_pad2d": lambda x: F.pad(x, (4 if x.shape[1] == 3 else 1,) * 4, mode="reflect"),
    "resize_nearest": lambda x: F.interpolate(x, size=(112, 112)),
    "resize_bilinear": lambda x: F.interpolate(x, size=(112, 112) if x.shape[1] == 64 else (128, 128), mode="bilinear"),
    "adaptive_avg_pool2d_1": lambda x: F.adaptive_avg_pool2d(x, 1), "adaptive_avg_pool2d_7": lambda x: F.adaptive_avg_pool2d(x, 7),
    "mean_23": lambda x: x.mean((2, 3)), "variance_1": lambda x: x.var(1), "argmax": lambda x: x.argmax(1),
    "softmax": lambda x: x.softmax(-1), "softmax_1": lambda x: x.softmax(1), "log_softmax": lambda x: x.log_softmax(-1),
    "cross_entropy": Kept(lambda x: torch.full((64,), 7), lambda t, x: F.cross_entropy(x, t)),
    "mse_loss": F.mse_loss, "l1_loss": F.l1_loss,
    "binary_cross_entropy": F.binary_cross_entropy_with_logits,
    "matmul": torch.matmul, "matmul_transposed": lambda a, b: a @ b.t(),
    "uniform": lambda x: x.uniform_(0, 1), "normal": lambda x: x.normal_(0, 1), "dropout": lambda x: F.dropout(x, 0.5),
    "sgd": optimizer(lambda p: torch.optim.SGD(p, 1e-6, 0.9, weight_decay=1e-4, foreach=True)),
    "adam": optimizer(lambda p: torch.optim.Adam(p, 1e-6, foreach=True)),
    "ema": Kept(with_averages, average),
    "clip_gradient_norm": Kept(resnet_parameters, lambda p: torch.nn.utils.clip_grad_norm_(p, 1e-3, foreach=True)),
}
for dims in ("all", "0", "1", "3", "23", "023"):
    of = () if dims == "all" else tuple(map(int, dims))
    OPS["sum_" + dims] = lambda x, of=of: x.sum(of) if of else x.sum()
    OPS["max_" + dims] = lambda x, of=of: x.amax(of) if of else x.amax()
for name in ("bf16", "f16", "f64", "u8"):
    OPS["to_" + name] = lambda x, to=DTYPES[name]: x.to(to)
    OPS["from_" + name] = Kept(lambda x, to=DTYPES[name]: x.to(to), lambda source, x: source.float())


def microseconds(run, seconds=0.05):
    """The mean, as op_case_bench has it."""
    run()
    count, start = 0, time.process_time()
    while (taken := time.process_time() - start) < seconds:
        for _ in range(1 + count // 8):  # so that reading the clock does not count
            run()
        count += 1 + count // 8
    return taken / count * 1e6


def torch_times(names, dtype):
    times, inputs_of = {}, {}
    for name in names:
        op, passes = name.split("/")[1], name.split("/")[-3]
        shapes = [json.loads(shape) for shape in re.findall(r"\[[^\]]*\]", name)]
        low = 0.1 if op in POSITIVE else -1
        inputs = [(torch.rand(shape) * (1 - low) + low).to(dtype) for shape in shapes]
        if "]_channels_last" in name:
            inputs = [x.contiguous(memory_format=LAST) if x.dim() == 4 else x for x in inputs]
        run = OPS[op]
        if passes == "forward":
            with torch.no_grad():
                times[name] = microseconds(lambda: run(*inputs))
            continue
        wanted = [x.requires_grad_(True) for x in (inputs[:1] if op == "binary_cross_entropy" else inputs)]
        ones = torch.ones_like(run(*inputs))
        times[name] = microseconds(lambda: torch.autograd.grad(run(*inputs), wanted, ones))
    return times


def gestalt(bench, *flags):
    result = subprocess.run([bench, *flags], env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True,
                            capture_output=True, text=True)
    return result.stdout


def gestalt_times(bench, flags):
    to_microseconds = {"ns": 1e-3, "us": 1, "ms": 1e3}
    return {entry["name"]: entry["cpu_time"] * to_microseconds[entry["time_unit"]]
            for entry in json.loads(gestalt(bench, *flags, "--benchmark_format=json"))["benchmarks"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default="build/release/bin/op_case_bench")
    parser.add_argument("--dtype", default="f32", choices=("f32", "bf16"))
    parser.add_argument("--filter", default="")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)

    flags = [f"--dtypes={args.dtype}", f"--benchmark_filter=^operation/.*{args.filter}.*"]
    names = [name for name in gestalt(args.bench, *flags, "--benchmark_list_tests").split("\n") if name]
    if not names:
        parser.error(f"--filter {args.filter}: no such case")
    ours, theirs = {}, {}
    for _ in range(args.rounds):
        for best, times in ((theirs, torch_times(names, DTYPES[args.dtype])), (ours, gestalt_times(args.bench, flags))):
            for name, value in times.items():
                best[name] = min(value, best.get(name, math.inf))
    print(f"PyTorch {torch.__version__}, one thread, {args.dtype}")
    print(f"{'':72} {'PyTorch':>10} {'Gestalt':>10} {'ratio':>6}")
    for name, value in theirs.items():
        label = "/".join(part for part in name.split("/")[1:-2] if part not in ("cpu", args.dtype))
        print(f"{label:72} {value:10.2f} {ours[name]:10.2f} {value / ours[name]:6.2f}")


if __name__ == "__main__":
    main()
