"""The published training step of FastGAN with Top-K, written plainly in PyTorch, for tests/parity and bench/pytorch. All
random numbers are arguments; their meaning is that of nn/diff_augment.h and models/fastgan_losses.h.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from fastgan_networks import quarter

VGG16 = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512]
TAPS = [3, 8, 15, 22, 29]


def vgg16_features(divisor=1):
    """torchvision's features of VGG-16 up to relu5_3; every width divided."""
    layers, channels = [], 3
    for width in VGG16:
        if width == "M":
            layers.append(nn.MaxPool2d(2, 2))
        else:
            layers += [nn.Conv2d(channels, width // divisor, 3, padding=1), nn.ReLU()]
            channels = width // divisor
    return nn.Sequential(*layers)


class Lpips(nn.Module):
    """Zhang et al. 2018, version 0.1; `linear`: five tensors [1,C,1,1]."""

    def __init__(self, features, linear):
        super().__init__()
        self.features = features.requires_grad_(False)
        self.linear = nn.ParameterList([nn.Parameter(weight, requires_grad=False) for weight in linear])
        # Buffers: made in each call they are copies from the host, which a CUDA graph can't hold.
        for name, values in ("shift", [-.030, -.088, -.188]), ("scale", [.458, .448, .450]):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float64)[None, :, None, None])

    def activations(self, x):
        x = (x - self.shift.to(x.dtype)) / self.scale.to(x.dtype)
        out = []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in TAPS:
                out.append(x / (torch.sqrt(torch.sum(x ** 2, dim=1, keepdim=True)) + 1e-10))
        return out

    def forward(self, a, b):
        total = 0
        for x, y, weight in zip(self.activations(a), self.activations(b), self.linear):
            total = total + F.conv2d((x - y) ** 2, weight).mean([2, 3], keepdim=True)
        return total


def diff_augment(x, numbers, cutout=False):
    """color, translation and, where asked for, cutout; numbers [N,7] of [0, 1)."""
    n, _, height, width = x.shape
    brightness, saturation, contrast = (numbers[:, i, None, None, None].to(x.dtype) for i in range(3))
    x = x + (brightness - 0.5)
    mean = x.mean(dim=1, keepdim=True)
    x = (x - mean) * (saturation * 2) + mean
    mean = x.mean(dim=[1, 2, 3], keepdim=True)
    x = (x - mean) * (contrast + 0.5) + mean

    shift_h, shift_w = int(height * 0.125 + 0.5), int(width * 0.125 + 0.5)
    move_h = (numbers[:, 3] * (2 * shift_h + 1)).long().view(n, 1, 1) - shift_h
    move_w = (numbers[:, 4] * (2 * shift_w + 1)).long().view(n, 1, 1) - shift_w
    grid_n, grid_h, grid_w = torch.meshgrid(torch.arange(n, device=x.device), torch.arange(height, device=x.device),
                                            torch.arange(width, device=x.device), indexing="ij")
    grid_h = torch.clamp(grid_h + move_h + 1, 0, height + 1)
    grid_w = torch.clamp(grid_w + move_w + 1, 0, width + 1)
    padded = F.pad(x, [1, 1, 1, 1, 0, 0, 0, 0])
    x = padded.permute(0, 2, 3, 1).contiguous()[grid_n, grid_h, grid_w].permute(0, 3, 1, 2)
    if not cutout:
        return x

    size_h, size_w = int(height * 0.5 + 0.5), int(width * 0.5 + 0.5)
    at_h = (numbers[:, 5] * (height + 1 - size_h % 2)).long().view(n, 1, 1)
    at_w = (numbers[:, 6] * (width + 1 - size_w % 2)).long().view(n, 1, 1)
    grid_n, grid_h, grid_w = torch.meshgrid(torch.arange(n, device=x.device), torch.arange(size_h, device=x.device),
                                            torch.arange(size_w, device=x.device), indexing="ij")
    grid_h = torch.clamp(grid_h + at_h - size_h // 2, 0, height - 1)
    grid_w = torch.clamp(grid_w + at_w - size_w // 2, 0, width - 1)
    mask = torch.ones(n, height, width, dtype=x.dtype, device=x.device)
    mask[grid_n, grid_h, grid_w] = 0
    return x * mask.unsqueeze(1)


def train_step(generator, discriminator, perceptual, optimizer_g, optimizer_d, average, real, random, watch=None):
    """One step. `average`: the EMA's tensors. `random`: z, margins_real, margins_fake, part (0 to 3), augment_real,
    augment_big, augment_small. `watch(name, value)` sees the losses and, once gradients stand, the networks."""
    small = min(128, real.shape[2] // 2)
    real = diff_augment(real, random["augment_real"])
    fake = generator(random["z"])
    fake = [diff_augment(image, random[numbers]) for image, numbers in zip(fake, ("augment_big", "augment_small"))]

    discriminator.zero_grad()
    part = random["part"]
    logits, whole, rec_small, rec_part = discriminator(real, F.interpolate(real, small), part)
    hinge_real = F.relu(random["margins_real"] - logits).mean()
    reconstruction = (perceptual(whole, F.interpolate(real, whole.shape[2])).sum()
                      + perceptual(rec_small, F.interpolate(real, rec_small.shape[2])).sum()
                      + perceptual(rec_part, F.interpolate(quarter(real, part), rec_part.shape[2])).sum())
    (hinge_real + reconstruction).backward()
    hinge_fake = F.relu(random["margins_fake"] + discriminator(*[image.detach() for image in fake])).mean()
    hinge_fake.backward()
    if watch:
        watch("hinge_real", hinge_real)
        watch("reconstruction", reconstruction)
        watch("hinge_fake", hinge_fake)
        watch("d", discriminator)
    optimizer_d.step()

    generator.zero_grad()
    loss = -discriminator(*fake).mean()
    loss.backward()
    if watch:
        watch("generator", loss)
        watch("g", generator)
    optimizer_g.step()
    with torch.no_grad():
        for mean, parameter in zip(average, generator.parameters()):
            mean.mul_(0.999).add_(parameter, alpha=0.001)
