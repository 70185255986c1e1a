#!/usr/bin/env python3
"""The evaluation of few-shot synthesis (sampling, features, FID, KID) with torch-fidelity and here, in turns on one
machine; prints the ratios. Needs PyPI's torch-fidelity.

    python3 bench/pytorch/fewshot_evaluation.py REAL_FOLDER [--samples 64] [--size 256] [--threads 2] [--rounds 3] [--busy]

Both have the same random weights. Samples are drawn in batches of 8 in training mode, as published. Features of the real
images are made before the clock starts; torch-fidelity takes its default batches of 64. The best of all rounds counts.
Peak memory is that of the whole process. --busy: CPU time of one thread in place of the clock's, for a machine that others
use.
"""
import argparse
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/parity"))
BATCH, FEATURE_BATCH = 8, 64


def in_pytorch(options):
    import numpy
    import torch
    from PIL import Image
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric
    from fastgan_networks import FastGanGenerator
    clock = time.process_time if options.busy else time.perf_counter
    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    generator = FastGanGenerator(options.size)
    generator.load_state_dict(torch.load(options.generator))
    extractor = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=options.inception)
    real = [numpy.asarray(Image.open(path).convert("RGB")) for path in sorted(pathlib.Path(options.real).iterdir())]
    real = torch.cat([extractor(torch.from_numpy(image.copy()).permute(2, 0, 1)[None])[0] for image in real])
    start = clock()
    images, features, sampling = [], [], 0
    for first in range(0, options.samples, BATCH):
        before = clock()
        big = generator(torch.randn(BATCH, 256))[0]
        images.append(((big * 0.5 + 0.5) * 255 + 0.5).clamp(0, 255).byte())
        sampling += clock() - before
        if len(images) * BATCH >= FEATURE_BATCH or first + BATCH >= options.samples:
            features.append(extractor(torch.cat(images))[0])
            images = []
    before = clock()
    features = torch.cat(features)
    fid = fid_statistics_to_metric(fid_features_to_statistics(real), fid_features_to_statistics(features), False)
    kid = kid_features_to_metric(real, features, kid_subset_size=min(100, len(real), len(features)), verbose=False)
    end = clock()
    print(f"seconds {end - start:.3f}  peak_MB {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.1f}  "
          f"sampling {sampling:.3f}  metrics {end - before:.3f}  fid {fid['frechet_inception_distance']:.6g}  "
          f"kid {kid['kernel_inception_distance_mean']:.6g}")


def measure(command):
    line = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    print("  " + line, flush=True)
    words = line.split()
    return {name: float(value) for name, value in zip(words[::2], words[1::2])}


def write_networks(options, folder):
    import torch
    from fastgan_networks import FastGanGenerator
    from fid_inception import FidInception, randomize
    options.inception, options.generator = os.path.join(folder, "inception.pth"), os.path.join(folder, "generator.pth")
    torch.save(randomize(FidInception()).state_dict(), options.inception)
    torch.save(FastGanGenerator(options.size).state_dict(), options.generator)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("real")
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--binary", default=ROOT / "build/release/bin/fewshot_evaluation")
    parser.add_argument("--inception", help=argparse.SUPPRESS)  # with --generator: one run in PyTorch
    parser.add_argument("--generator", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.generator:
        return in_pytorch(options)
    with tempfile.TemporaryDirectory() as folder:
        write_networks(options, folder)
        flags = ["--samples", str(options.samples), "--size", str(options.size), "--threads", "1" if options.busy else str(options.threads)]
        flags += ["--busy"] if options.busy else []
        here = [str(options.binary), options.inception, options.generator, options.real, *flags]
        there = [sys.executable, __file__, options.real, "--inception", options.inception, "--generator", options.generator, *flags]
        theirs, own = [], []
        for _ in range(options.rounds):
            theirs.append(measure(there))
            own.append(measure(here))
    best = {name: (min(each[name] for each in theirs), min(each[name] for each in own))
            for name in ("seconds", "peak_MB", "sampling", "metrics")}
    best["features"] = tuple(best["seconds"][i] - best["sampling"][i] - best["metrics"][i] for i in range(2))
    for name, (a, b) in best.items():
        print(f"{name}: torch-fidelity {a:.2f}, here {b:.2f}: {a / b:.2f} times" if name != "peak_MB" else
              f"{name}: torch-fidelity {a:.0f}, here {b:.0f}: {b / a:.2f} of it")
    return 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    sys.exit(main())
