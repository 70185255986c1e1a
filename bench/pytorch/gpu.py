#!/usr/bin/env python3
"""The cases of bench_gpu in PyTorch, for the ratios of its table (bench/gpu.sh runs both).

    build/gpu/bin/bench_gpu --list > cases.tsv
    python3 bench/pytorch/gpu.py --cases cases.tsv --output pytorch.tsv

Writes one line with versions, then lines of case, variant and the median milliseconds between tabs. Variants: eager (of
resnet18_step_graph, the step as a CUDA graph); compiled (torch.compile); published (Top-K as its authors wrote it, whose mask begins on the host).
"""
import argparse
import statistics
import sys
import time

import torch
import torch.nn.functional as F

from cuda_graph import captured

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
# (outputs, pool after it, tap after it) of VGG-19's convolutions up to pool4.
VGG = [(64, False, True), (64, True, True), (128, False, False), (128, True, True),
       (256, False, False), (256, False, False), (256, False, False), (256, True, True),
       (512, False, False), (512, False, False), (512, False, False), (512, True, True)]


class Timer:
    """Median time of a function: warmed up, caches overwritten before each repeat."""

    def __init__(self, device):
        self.cuda = device.type == "cuda"
        self.flush = torch.empty((256 if self.cuda else 32) << 18, device=device)

    def once(self, work):
        self.flush.fill_(1)
        if not self.cuda:
            start = time.perf_counter()
            work()
            return (time.perf_counter() - start) * 1e3
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        stop.record()
        stop.synchronize()
        return start.elapsed_time(stop)

    def __call__(self, work, seconds=0.3):
        for _ in range(3):
            work()
        if self.cuda:
            torch.cuda.synchronize()
        times, start = [], time.perf_counter()
        while len(times) < 5 or (len(times) < 200 and time.perf_counter() - start < seconds):
            times.append(self.once(work))
        return statistics.median(times)


def top_k(x, fraction):
    """The five operations: magnitude, topk, zeros, scatter, product."""
    n, c, h, w = x.shape
    flat = x.reshape(n, c, h * w)
    index = torch.topk(flat.abs(), int(max(1, fraction * h * w)), dim=2).indices
    return (torch.zeros_like(flat).scatter_(2, index, 1) * flat).reshape(n, c, h, w)


def top_k_published(x, fraction):
    """The same, but the mask's zeros are made on the host and copied, which waits for the device."""
    n, c, h, w = x.shape
    flat = x.reshape(n, c, h * w)
    index = torch.topk(flat.abs(), int(max(1, fraction * h * w)), dim=2).indices
    mask = torch.zeros(flat.shape, dtype=flat.dtype).to(flat.device).scatter_(2, index, 1)
    return (mask * flat).reshape(n, c, h, w)


def gram(x):
    a = x.flatten(2)
    return a @ a.transpose(1, 2) / (a.shape[1] * a.shape[2])


def adain(content, style):
    def statistics_of(x):
        return x.mean((2, 3), keepdim=True), (x.var((2, 3), keepdim=True) + 1e-5).sqrt()
    mean, deviation = statistics_of(content)
    style_mean, style_deviation = statistics_of(style)
    return (content - mean) / deviation * style_deviation + style_mean


class Case:
    def __init__(self, line, device):
        self.name, self.operation, dtype, layout, shape, fraction, window = line.rstrip("\n").split("\t")
        self.outputs, self.kernel, self.stride = (int(n) for n in window.split(","))
        self.device, self.dtype = device, DTYPES[dtype]
        self.layout = torch.channels_last if layout == "NHWC" else torch.contiguous_format
        self.shape, self.fraction = [int(n) for n in shape.split(",")], float(fraction)

    def random(self, shape=None):
        x = torch.randn(shape or self.shape, device=self.device, dtype=self.dtype)
        return x.contiguous(memory_format=self.layout) if x.dim() == 4 else x

    def variants(self):
        """Yields the name of a variant and the function to time."""
        make = getattr(self, "make_" + self.operation, None)
        return make() if make else ()

    def make_copy(self):
        x, y = self.random(), self.random()
        yield "eager", lambda: y.copy_(x)

    def make_matmul(self):
        m, k, n = self.shape
        a = torch.randn(m, k, device=self.device, dtype=self.dtype)
        b = torch.randn(k, n, device=self.device, dtype=self.dtype)
        yield "eager", lambda: a @ b

    def make_topk(self):
        x = self.random()
        yield "eager", lambda: top_k(x, self.fraction)
        if self.layout == torch.channels_last or self.dtype != torch.float32 or self.fraction != 0.1:
            return
        yield "published", lambda: top_k_published(x, self.fraction)
        if self.device.type == "cuda" and self.shape[2] in (28, 56, 112):
            compiled = torch.compile(top_k, dynamic=False)
            yield "compiled", lambda: compiled(x, self.fraction)

    def make_topk_backward(self):
        x, dy = self.random().requires_grad_(), self.random()
        y = top_k(x, self.fraction)
        yield "eager", lambda: torch.autograd.grad(y, x, dy, retain_graph=True)

    def make_relu_topk(self):
        x = self.random()
        yield "eager", lambda: top_k(F.relu(x), self.fraction)

    def make_batch_norm_relu_topk(self):
        x = self.random()
        weight, bias = (torch.full((self.shape[1],), value, device=self.device) for value in (1.0, 0.0))
        yield "eager", lambda: top_k(F.relu(F.batch_norm(x, None, None, weight, bias, training=True)), self.fraction)

    def make_gram(self):
        x = self.random()
        yield "eager", lambda: gram(x)

    def make_gram_backward(self):
        x = self.random().requires_grad_()
        y = gram(x)
        dy = torch.randn_like(y)
        yield "eager", lambda: torch.autograd.grad(y, x, dy, retain_graph=True)

    def make_adain(self):
        content, style = self.random(), self.random()
        yield "eager", lambda: adain(content, style)
        if self.device.type == "cuda":
            compiled = torch.compile(adain, dynamic=False)
            yield "compiled", lambda: compiled(content, style)

    def make_adain_backward(self):
        content, style = self.random().requires_grad_(), self.random()
        y = adain(content, style)
        yield "eager", lambda: torch.autograd.grad(y, content, style, retain_graph=True)

    def make_texture(self):
        weights, inputs = [], 3
        for outputs, _, _ in VGG:
            filters = torch.randn(outputs, inputs, 3, 3, device=self.device) * (2 / (9 * inputs)) ** 0.5
            weights.append((filters.contiguous(memory_format=self.layout), torch.zeros(outputs, device=self.device)))
            inputs = outputs

        def grams(x):
            result = []
            for (w, b), (_, pool, tap) in zip(weights, VGG):
                x = F.relu(F.conv2d(x, w, b, padding=1))
                if pool:
                    x = F.avg_pool2d(x, 2)
                if tap:
                    result.append(gram(top_k(x, self.fraction)))
            return result

        images = (self.random() * 50).requires_grad_()
        with torch.no_grad():
            targets = grams(self.random() * 50)

        def step():
            images.grad = None
            sum(((g - t) ** 2).sum() for g, t in zip(grams(images), targets)).backward()

        yield "eager", step

    make_texture_graph = make_texture  # ours captured, PyTorch's eager

    def resnet18_step(self):
        """Images are f32; bf16 is mixed precision."""
        import torchvision
        network = torchvision.models.resnet18().to(self.device).to(memory_format=self.layout)
        optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)
        images = self.random().float()
        labels = torch.zeros(self.shape[0], dtype=torch.long, device=self.device)

        def step():
            optimizer.zero_grad()
            # A captured step may not keep the rounded weights of the step before.
            with torch.autocast(self.device.type, torch.bfloat16, self.dtype == torch.bfloat16, cache_enabled=False):
                loss = F.cross_entropy(network(images), labels)
            loss.backward()
            optimizer.step()

        return step

    def make_resnet18_step(self):
        yield "eager", self.resnet18_step()

    def make_resnet18_step_graph(self):
        # The optimizer within, which ours takes outside of its recording, as train_classifier does.
        step = self.resnet18_step()
        yield "eager", captured(step) if self.device.type == "cuda" else step

    def convolution(self):
        """x, weight, y."""
        n, inputs, side, _ = self.shape
        after = (side - 1) // self.stride + 1
        return (self.random(), self.random([self.outputs, inputs, self.kernel, self.kernel]),
                self.random([n, self.outputs, after, after]))

    def make_conv2d(self):
        x, w, _ = self.convolution()
        yield "eager", lambda: F.conv2d(x, w, stride=self.stride, padding=self.kernel // 2)

    def convolution_gradient(self, wanted):
        x, w, dy = self.convolution()
        stride, padding = [self.stride] * 2, [self.kernel // 2] * 2
        yield "eager", lambda: torch.ops.aten.convolution_backward(
            dy, x, w, None, stride, padding, [1, 1], False, [0, 0], 1, wanted)

    def make_conv2d_backward_data(self):
        return self.convolution_gradient([True, False, False])

    def make_conv2d_backward_weights(self):
        return self.convolution_gradient([False, True, False])

    def layer(self, apply, backward):
        x = self.random().requires_grad_(backward)
        if not backward:
            yield "eager", lambda: apply(x)
            return
        y = apply(x)
        dy = torch.randn_like(y)
        yield "eager", lambda: torch.autograd.grad(y, x, dy, retain_graph=True)

    def batch_norm_relu(self):
        weight, bias = (torch.full((self.shape[1],), value, device=self.device) for value in (1.0, 0.0))
        return lambda x: F.relu(F.batch_norm(x, None, None, weight, bias, training=True))

    def make_batch_norm_relu(self):
        return self.layer(self.batch_norm_relu(), False)

    def make_batch_norm_relu_backward(self):
        return self.layer(self.batch_norm_relu(), True)

    def make_max_pool(self):
        return self.layer(lambda x: F.max_pool2d(x, 3, 2, 1), False)

    def make_max_pool_backward(self):
        return self.layer(lambda x: F.max_pool2d(x, 3, 2, 1), True)


def versions(device):
    text = f"PyTorch {torch.__version__}"
    if device.type == "cuda":
        text += f", CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}, {torch.cuda.get_device_name(device)}"
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", required=True, help="what bench_gpu --list prints")
    parser.add_argument("--output", required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=180, help="no case begins after this")
    args = parser.parse_args()
    device = torch.device(args.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.exit("gpu.py: this PyTorch sees no CUDA device")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    timer, start = Timer(device), time.monotonic()
    with open(args.cases, encoding="utf-8") as cases, open(args.output, "w", encoding="utf-8") as out:
        print(versions(device), file=out)
        for line in cases:
            case = Case(line, device)
            if time.monotonic() - start > args.seconds:
                print(f"{case.name}: out of time")
                continue
            try:
                for variant, work in case.variants():
                    milliseconds = timer(work)
                    print(f"{case.name}\t{variant}\t{milliseconds:.6f}", file=out, flush=True)
                    print(f"{case.name:60} {variant:10} {milliseconds:10.4f} ms", flush=True)
            except Exception as error:  # of one case, such as a missing torchvision: the others go on
                print(f"{case.name}: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
