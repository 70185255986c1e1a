"""AdaIN's encoder, feature statistics and decoder with the same random weights in PyTorch and here.

Error: the difference's norm over the expected one's, at most 1e-5; for the image put together from
tiles, the largest difference over the largest value, at most 1e-4. Odd sizes, so that the pools
round up. Then one training step of the decoder in f64: both losses and every gradient, to 1e-9.
"""

import os
import sys
import tempfile

import numpy
import torch
from torch import nn

from gestalt_io import read_safetensors, run_tool, worst_of, write_safetensors

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


def stats(x):
    flat = x.flatten(2)
    return flat.mean(2)[..., None, None], (flat.var(2) + 1e-5).sqrt()[..., None, None]


def adain(content, style):
    (mean_c, deviation_c), (mean_s, deviation_s) = stats(content), stats(style)
    return (content - mean_c) / deviation_c * deviation_s + mean_s


def training_step(encoder, decoder, contents, styles):
    """Losses and gradients by name (Huang and Belongie 2017, equations 12 and 13)."""
    def taps(x):
        found = []
        for i, layer in enumerate(encoder[:31]):
            x = layer(x)
            if i in (3, 10, 17, 30):
                found.append(x)
        return found

    encoder, decoder = encoder.double(), decoder.double()
    with torch.no_grad():
        of_style = taps(styles.double())
        target = adain(encoder[:31](contents.double()), of_style[-1])
    made = taps(decoder(target))
    content_loss = nn.functional.mse_loss(made[-1], target)
    style_loss = sum(nn.functional.mse_loss(a, b) for x, s in zip(made, of_style) for a, b in zip(stats(x), stats(s)))
    (content_loss + 10 * style_loss).backward()
    result = {"loss/content": content_loss.detach(), "loss/style": style_loss.detach()}
    return result | {"gradient/" + name: parameter.grad for name, parameter in decoder.named_parameters()}


def main():
    torch.manual_seed(0)
    encoder, decoder = spread(make_encoder()), spread(make_decoder())
    content, style = torch.rand(1, 3, 149, 203), torch.rand(1, 3, 131, 98) ** 2
    contents, styles = torch.rand(2, 3, 44, 44), torch.rand(2, 3, 44, 44) ** 2
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("encoder.pth", "decoder.pth", "in.safetensors", "out.safetensors")]
        torch.save(encoder.state_dict(), paths[0])
        torch.save(decoder.state_dict(), paths[1])
        write_safetensors(paths[2], {"content": content.numpy(), "style": style.numpy(),
                                     "contents": contents.numpy(), "styles": styles.numpy()})
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
    errors = {name: numpy.linalg.norm(got[name] - tensor.numpy()) / numpy.linalg.norm(tensor.numpy())
              for name, tensor in training_step(encoder, decoder, contents, styles).items()}
    for kind in ("loss", "gradient"):
        worst = worst_of({name: error for name, error in errors.items() if name.startswith(kind)})[1]
        failed |= not worst <= 1e-9
        print(f"training {kind:8} worst relative error, f64 {worst:.2e} (allowed 1e-09) {'ok' if worst <= 1e-9 else 'FAILED'}")
    return 1 if failed else 0


if __name__ == "__main__":
    print("PyTorch", torch.__version__)
    sys.exit(main())
