#!/usr/bin/env python3
"""One evaluation of texture synthesis in PyTorch: the same work as bench/texture_evaluation.cpp.

Prints the best of --repeats runs in seconds, and the process's peak memory.
"""
import argparse
import resource
import time

import torch
import torch.nn.functional as F

# (outputs, pool after it) of VGG-19's convolutions up to pool4.
LAYERS = [(64, False), (64, True), (128, False), (128, True),
          (256, False), (256, False), (256, False), (256, True),
          (512, False), (512, False), (512, False), (512, True)]


def make_weights():
    weights, inputs = [], 3
    for outputs, _ in LAYERS:
        weights.append((torch.randn(outputs, inputs, 3, 3) * (2 / (9 * inputs)) ** 0.5,
                        torch.randn(outputs) * 0.1))
        inputs = outputs
    return weights


def grams(weights, x):
    result = []
    for i, ((w, b), (_, pool)) in enumerate(zip(weights, LAYERS)):
        x = F.relu(F.conv2d(x, w, b, padding=1))
        if pool:
            x = F.avg_pool2d(x, 2)
        if i == 0 or pool:
            n, c, h, w_ = x.shape
            a = x.reshape(n * c, h * w_)
            result.append(a @ a.t() / (n * c * h * w_))
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=20)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    weights = make_weights()
    with torch.no_grad():
        targets = grams(weights, torch.randn(1, 3, 256, 256) * 50)
    image = (torch.randn(1, 3, 256, 256) * 50).requires_grad_()
    best = float("inf")
    for i in range(args.repeats + 1):  # the first is the warm-up
        image.grad = None
        start = time.perf_counter()
        loss = sum(((g - t) ** 2).sum() for g, t in zip(grams(weights, image), targets))
        loss.backward()
        elapsed = time.perf_counter() - start
        if i > 0:
            best = min(best, elapsed)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"seconds {best:.4f}  peak_MB {peak:.1f}  loss {loss.item():.6g}  torch {torch.__version__}")


if __name__ == "__main__":
    main()
