"""FastGAN's networks with Top-K, written plainly in PyTorch for tests/parity and bench/pytorch.

`excitation`: "sigmoid" as in FastGAN's own code; "linear" as in the published code with Top-K, whose SEBlock makes the
sigmoid and leaves it out of forward.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils import spectral_norm

GENERATOR = {4: 16, 8: 8, 16: 4, 32: 2, 64: 2, 128: 1, 256: 0.5, 512: 0.25, 1024: 0.125}
DISCRIMINATOR = {4: 16, 8: 16, 16: 8, 32: 4, 64: 2, 128: 1, 256: 0.5, 512: 0.25, 1024: 0.125}


def conv(inputs, outputs, kernel, stride, padding):
    return spectral_norm(nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False))


def small_size(size):
    return min(128, size // 2)


def top_k(x, fraction):
    n, c, h, w = x.shape
    flat = x.reshape(n, c, h * w)
    k = int(max(1, fraction * h * w))
    index = flat.abs().topk(k, dim=2).indices
    mask = torch.zeros_like(flat).scatter_(2, index, 1)
    return (flat * mask).reshape(x.shape)


class GLU(nn.Module):
    def forward(self, x):
        first, second = x.chunk(2, dim=1)
        return first * torch.sigmoid(second)


class Swish(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)


def up_block(inputs, outputs):
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), conv(inputs, 2 * outputs, 3, 1, 1),
                         nn.BatchNorm2d(2 * outputs), GLU())


def up_block_comp(inputs, outputs):
    block = nn.Sequential()
    block.add_module("up1", nn.Upsample(scale_factor=2, mode="nearest"))
    for number, channels in ("1", inputs), ("2", outputs):
        block.add_module("conv" + number, conv(channels, 2 * outputs, 3, 1, 1))
        block.add_module("bn" + number, nn.BatchNorm2d(2 * outputs))
        block.add_module("glu" + number, GLU())
    return block


class Init(nn.Module):
    def __init__(self, latent, channels):
        super().__init__()
        self.init = nn.Sequential(spectral_norm(nn.ConvTranspose2d(latent, 2 * channels, 4, 1, 0, bias=False)),
                                  nn.BatchNorm2d(2 * channels), GLU())

    def forward(self, z):
        return self.init(z[:, :, None, None])


class Excitation(nn.Module):
    def __init__(self, small, big, kind):
        super().__init__()
        last = {"sigmoid": [nn.Sigmoid()], "linear": []}[kind]
        self.main = nn.Sequential(nn.AdaptiveAvgPool2d(4), conv(small, big, 4, 1, 0), Swish(),
                                  conv(big, big, 1, 1, 0), *last)

    def forward(self, small, big):
        return big * self.main(small)


class FastGanGenerator(nn.Module):
    def __init__(self, size, latent=256, base=64, sparse=None, excitation="sigmoid"):
        super().__init__()
        width = {r: int(m * base) for r, m in GENERATOR.items()}
        self.size, self.sparse = size, sparse or {}
        self.init = Init(latent, width[4])
        resolution, comp = 8, True
        while resolution <= size:
            make = up_block_comp if comp else up_block
            setattr(self, f"feat_{resolution}", make(width[resolution // 2], width[resolution]))
            if 64 <= resolution <= 512:
                setattr(self, f"se_{resolution}", Excitation(width[resolution // 16], width[resolution], excitation))
            resolution, comp = 2 * resolution, not comp
        setattr(self, f"to_{small_size(size)}", conv(width[small_size(size)], 3, 1, 1, 0))
        self.to_big = conv(width[size], 3, 3, 1, 1)

    def forward(self, z):
        first = self.init(z)
        features = {4: top_k(first, self.sparse[4]) if 4 in self.sparse else first}
        resolution = 8
        while resolution <= self.size:
            x = getattr(self, f"feat_{resolution}")(features[resolution // 2])
            if 64 <= resolution <= 512:
                x = getattr(self, f"se_{resolution}")(features[resolution // 16], x)
            if resolution in self.sparse:
                x = top_k(x, self.sparse[resolution])
            features[resolution] = x
            resolution *= 2
        small = small_size(self.size)
        images = self.to_big(features[self.size]), getattr(self, f"to_{small}")(features[small])
        return tuple(map(torch.tanh, images)) if self.size == 1024 else images


class Down(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.main = nn.Sequential(conv(inputs, outputs, 4, 2, 1), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2))

    def forward(self, x):
        return self.main(x)


class DownComp(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.main = nn.Sequential(conv(inputs, outputs, 4, 2, 1), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2),
                                  conv(outputs, outputs, 3, 1, 1), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2))
        self.direct = nn.Sequential(nn.AvgPool2d(2), conv(inputs, outputs, 1, 1, 0), nn.BatchNorm2d(outputs),
                                    nn.LeakyReLU(0.2))

    def forward(self, x):
        return (self.main(x) + self.direct(x)) / 2


class Decoder(nn.Module):
    def __init__(self, inputs, size):
        super().__init__()
        layers, resolution = [nn.AdaptiveAvgPool2d(8)], 8
        for outputs in (128, 64, 64, 32):
            if resolution < size:
                layers.append(up_block(inputs, outputs))
                inputs, resolution = outputs, 2 * resolution
        self.main = nn.Sequential(*layers, conv(inputs, 3, 3, 1, 1), nn.Tanh())

    def forward(self, x):
        return self.main(x)


def quarter(x, part):
    half = x.shape[2] // 2
    row, column = part // 2 * half, part % 2 * half
    return x[:, :, row:row + half, column:column + half]


class FastGanDiscriminator(nn.Module):
    def __init__(self, size, base=64, excitation="sigmoid"):
        super().__init__()
        width = {r: int(m * base) for r, m in DISCRIMINATOR.items()}
        leaky = lambda: nn.LeakyReLU(0.2)
        if size <= 256:
            self.down_from_big = nn.Sequential(conv(3, width[512], 3, 1, 1), leaky())
        elif size == 512:
            self.down_from_big = nn.Sequential(conv(3, width[512], 4, 2, 1), leaky())
        else:
            self.down_from_big = nn.Sequential(conv(3, width[1024], 4, 2, 1), leaky(),
                                               conv(width[1024], width[512], 4, 2, 1),
                                               nn.BatchNorm2d(width[512]), leaky())
        widths, resolution, at = [width[512]], min(size, 256), 256
        self.downs = []
        while resolution > 8:
            name = f"down_{1024 // at}"
            setattr(self, name, DownComp(widths[-1], width[at]))
            self.downs.append(name)
            widths.append(width[at])
            resolution, at = resolution // 2, at // 2
        self.excitations = []
        for i in range(len(self.downs) - 2):
            name = f"se_{2 << i}_{16 << i}"
            setattr(self, name, Excitation(widths[i], widths[i + 3], excitation))
            self.excitations.append(name)
        self.rf_big = nn.Sequential(conv(widths[-1], width[8], 1, 1, 0), nn.BatchNorm2d(width[8]), leaky(),
                                    conv(width[8], 1, 4, 1, 0))
        layers, channels, resolution, at = [conv(3, width[256], 4, 2, 1), leaky()], width[256], small_size(size) // 2, 128
        while resolution > 8:
            layers.append(Down(channels, width[at]))
            channels, resolution, at = width[at], resolution // 2, at // 2
        self.down_from_small = nn.Sequential(*layers)
        self.rf_small = conv(channels, 1, 4, 1, 0)
        self.decoder_big = Decoder(widths[-1], small_size(size))
        self.decoder_part = Decoder(widths[-2], small_size(size))
        self.decoder_small = Decoder(channels, small_size(size))

    def forward(self, big, small, part=None):
        features = [self.down_from_big(big)]
        for i, name in enumerate(self.downs):
            x = getattr(self, name)(features[-1])
            if i >= 2:
                x = getattr(self, self.excitations[i - 2])(features[i - 2], x)
            features.append(x)
        small = self.down_from_small(small)
        logits = torch.cat([self.rf_big(features[-1]).reshape(-1), self.rf_small(small).reshape(-1)])
        if part is None:
            return logits
        return (logits, self.decoder_big(features[-1]), self.decoder_small(small),
                self.decoder_part(quarter(features[-2], part)))
