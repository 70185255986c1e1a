"""Inception-v3 as FID takes it, in plain PyTorch: torchvision's network with the pools of the TensorFlow network, and
TensorFlow 1's bilinear resize. Parameters have the published files' names."""

import contextlib

import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision
from torchvision.models import inception

SIZE = 299
TAPS = (64, 192, 768, 2048)


class _Functional:
    """torch.nn.functional as torchvision's blocks see it, with another average pool."""

    def __init__(self):
        self.pool_maxima = False

    def __getattr__(self, name):
        return getattr(F, name)

    def avg_pool2d(self, x, kernel_size, stride, padding):
        if self.pool_maxima:
            return F.max_pool2d(x, kernel_size, stride, padding)
        return F.avg_pool2d(x, kernel_size, stride, padding, count_include_pad=False)


class FidInception(nn.Module):
    def __init__(self):
        super().__init__()
        network = torchvision.models.inception_v3(num_classes=1008, aux_logits=False, init_weights=False, weights=None)
        self.functional = _Functional()
        for name, child in network.named_children():
            if name not in ("avgpool", "dropout"):
                self.add_module(name, child)

    @contextlib.contextmanager
    def _pools(self):
        inception.F = self.functional
        try:
            yield
        finally:
            inception.F = F

    def forward(self, x):
        """x: [-1, 1), to the features of every tap."""
        found = []
        with self._pools():
            for name, child in self.named_children():
                if name == "fc":
                    break
                self.functional.pool_maxima = name == "Mixed_7c"
                x = child(x)
                if x.shape[1] in TAPS[:2] and name.startswith("maxpool") or name in ("Mixed_6e", "Mixed_7c"):
                    found.append(x.mean((2, 3)))
        return found


def tensorflow_resize(x, size=SIZE):
    """Source = destination * in / out in f32, no half-pixel shift, three lerps, each operation rounded."""
    def axis(length):
        source = torch.arange(size, dtype=torch.float32) * torch.tensor(length / size, dtype=torch.float32)
        low = source.long()
        return low, (low + 1).clamp(max=length - 1), source - low.float()

    (top, bottom, dy), (left, right, dx) = axis(x.shape[2]), axis(x.shape[3])
    upper, lower = x[:, :, top], x[:, :, bottom]
    upper = upper[..., left] + (upper[..., right] - upper[..., left]) * dx
    lower = lower[..., left] + (lower[..., right] - lower[..., left]) * dx
    return upper + (lower - upper) * dy[:, None]


def prepare(images):
    """f32 [N,3,H,W] in [0, 255] to the network's input."""
    return (tensorflow_resize(images) - 128) / 128


def randomize(network, seed=0):
    """Weights of a well-scaled network in which every parameter and every statistic counts."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=(2 / module.weight[0].numel()) ** 0.5)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()
