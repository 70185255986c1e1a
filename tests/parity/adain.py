"""AdaIN's encoder, feature statistics and decoder with the same random weights in PyTorch and here.

Error: the difference's norm over the expected one's, at most 1e-5; for the image put together from
tiles, the largest difference over the largest value, at most 1e-4. Odd sizes, so that the pools
round up.
"""

import os
import sys
import tempfile

import numpy
import torch
from torch import nn

from gestalt_io import read_safetensors, run_tool, write_safetensors

ALPHA = 0.7
WHOLE_ENCODER = (64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512)


def make_encoder():
    layers, channels = [nn.Conv2d(3, 3, 1)], 3
    for item in WHOLE_ENCODER:
        if item == "M":
            layers.append(nn.MaxPool2d(2, 2, ceil_mode=True))
        else:
            layers += [nn.ReflectionPad2d(1), nn.Conv2d(channels, item, 3), nn.ReLU()]
            channels = item
    return nn.Sequential(*layers)


def make_decoder():
    layers, channels = [], 512
    for item in (256, "U", 256, 256, 256, 128, "U", 128, 64, "U", 64, 3):
        if item == "U":
            layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
        else:
            layers += [nn.ReflectionPad2d(1), nn.Conv2d(channels, item, 3), nn.ReLU()]
            channels = item
    return nn.Sequential(*layers[:-1])


def spread(network):
    """He-scaled, so that the signal neither dies nor explodes on its way."""
    for module in network:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
            nn.init.normal_(module.bias, std=0.1)
    return network.eval()


def adain(content, style):
    def stats(x):
        flat = x.flatten(2)
        return flat.mean(2)[..., None, None], (flat.var(2) + 1e-5).sqrt()[..., None, None]
    (mean_c, deviation_c), (mean_s, deviation_s) = stats(content), stats(style)
    return (content - mean_c) / deviation_c * deviation_s + mean_s


def main():
    torch.manual_seed(0)
    encoder, decoder = spread(make_encoder()), spread(make_decoder())
    content, style = torch.rand(1, 3, 149, 203), torch.rand(1, 3, 131, 98) ** 2
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("encoder.pth", "decoder.pth", "in.safetensors", "out.safetensors")]
        torch.save(encoder.state_dict(), paths[0])
        torch.save(decoder.state_dict(), paths[1])
        write_safetensors(paths[2], {"content": content.numpy(), "style": style.numpy()})
        run_tool("dump_adain", *paths, ALPHA)
        got = read_safetensors(paths[3])
        features, style_features = encoder[:31](content), encoder[:31](style)
        target = adain(features, style_features)
        stylized = decoder(ALPHA * target + (1 - ALPHA) * features)[..., :149, :203]
        expected = {"content_features": features, "style_features": style_features, "adain": target,
                    "decoded": decoder(features), "stylized": stylized}
    failed = False
    for name, tensor in expected.items():
        array = tensor.numpy()
        error = numpy.linalg.norm(got[name] - array) / numpy.linalg.norm(array)
        failed |= not error <= 1e-5
        print(f"{name:17} relative error {error:.2e} (allowed 1e-05) {'ok' if error <= 1e-5 else 'FAILED'}")
    error = numpy.abs(got["tiled"] - got["stylized"]).max() / numpy.abs(got["stylized"]).max()
    failed |= not error <= 1e-4
    print(f"tiled             largest difference {error:.2e} (allowed 1e-04) {'ok' if error <= 1e-4 else 'FAILED'}")
    return 1 if failed else 0


if __name__ == "__main__":
    print("PyTorch", torch.__version__)
    sys.exit(main())
