"""Networks with the same random weights in torchvision and here: logits, and the gradients of one training step.

Logits: the largest difference over the largest magnitude, 1e-5 in exact mode; on every picture of a folder
(cue-conflict of the test data) the same class must win. Gradients (ResNet-18, both forms): the norm of each
parameter's difference over the norm of its gradient; f64 shows that they are the same function. In f32 a rounding
error in front of a ReLU can let one gradient through that the other stops, and one such pixel of the last, smallest
feature maps is a hundredth of everything before it. Mixed precision: as far from f32 as torch.autocast is, in logits and in
the gradients of a training step. Usage: models.py [NAME ...]
"""

import copy
import json
import os
import struct
import sys
import tempfile

import numpy
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision

from gestalt_io import read_safetensors, run_tool, worst_of
from test_data import TEST_DATA

PICTURES = TEST_DATA / "cue-conflict"
NAMES = ["alexnet", "vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn", "resnet18",
         "resnet34", "resnet50", "resnet18-cifar"]
CIFAR = (10, 32, 1)  # classes, image size, stride of the stem


class CifarBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.shortcut(x))


class CifarResNet18(nn.Module):
    def __init__(self, classes, size, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for i, (channels, first) in enumerate(((64, 1), (128, 2), (256, 2), (512, 2)), 1):
            self.add_module(f"layer{i}", nn.Sequential(CifarBlock(inputs, channels, first), CifarBlock(channels, channels, 1)))
            inputs = channels
        self.linear = nn.Linear(512 * (size // stride // 8 // 4) ** 2, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        return self.linear(F.avg_pool2d(x, 4).flatten(1))


def make(name):
    torch.manual_seed(0)
    network = CifarResNet18(*CIFAR) if name == "resnet18-cifar" else getattr(torchvision.models, name)()
    for module in network.modules():  # every parameter and every statistic must matter
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
        if isinstance(module, (nn.Linear, nn.Conv2d)) and module.bias is not None:
            nn.init.normal_(module.bias, std=0.1)
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=(2 / module.in_features) ** 0.5)
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return network.eval()


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, array in tensors.items():
        bytes_ = array.tobytes()
        header[name] = {"dtype": {"float32": "F32", "int64": "I64"}[str(array.dtype)], "shape": array.shape,
                        "data_offsets": [len(data), len(data) + len(bytes_)]}
        data += bytes_
    text = json.dumps(header)
    text += " " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text.encode() + data)


def pictures(limit):
    from PIL import Image
    paths = sorted(PICTURES.rglob("*.png"))[:limit]
    if not paths:
        return None
    mean, std = numpy.array([0.485, 0.456, 0.406]), numpy.array([0.229, 0.224, 0.225])
    return numpy.stack([((numpy.asarray(Image.open(path).convert("RGB")) / 255 - mean) / std).transpose(2, 0, 1)
                        for path in paths]).astype("float32")


def run(name, network, folder, images, mode, labels=None):
    weights, inputs, out = (os.path.join(folder, file) for file in ("weights.pth", "in.safetensors", "out.safetensors"))
    torch.save(network.state_dict(), weights)
    tensors = {"images": images} if labels is None else {"labels": labels, "images": images}
    write_safetensors(inputs, tensors)
    run_tool("dump_model", name, weights, inputs, out, mode, *(CIFAR if name == "resnet18-cifar" else ()))
    return read_safetensors(out)


def compare_logits(name, network, folder, images, what):
    with torch.no_grad():
        expected = torch.cat([network(part) for part in torch.from_numpy(images).split(16)]).numpy()
    got = run(name, network, folder, images, "exact")["logits"]
    error = numpy.abs(got - expected).max() / numpy.abs(expected).max()
    same = int((got.argmax(1) == expected.argmax(1)).sum())
    ok = error <= 1e-5 and same == len(images)
    print(f"{name:15} {what:14} largest error {error:.1e} (allowed 1e-5), same class {same} of {len(images)} "
          f"{'ok' if ok else 'FAILED'}", flush=True)
    return ok


def compare_gradients(name, network, folder):
    size = 32
    images = torch.randn(3, 3, size, size)
    labels = torch.tensor([0, 3, 7])
    results = []
    for dtype, mode, allowed in ((torch.float64, "f64", 1e-9), (torch.float32, "exact", 3e-2)):
        got = run(name, network, folder, images.numpy(), mode, labels.numpy())
        reference = copy.deepcopy(network).to(dtype).train()
        loss = F.cross_entropy(reference(images.to(dtype)), labels)
        loss.backward()
        errors = {}
        for key, parameter in reference.named_parameters():
            expected = parameter.grad.numpy()
            errors[key] = numpy.linalg.norm(got["gradient/" + key] - expected) / numpy.linalg.norm(expected)
        worst = worst_of(errors)[1]
        ok = worst <= allowed and abs(got["loss"] - loss.item()) <= 1e-5 * loss.item()
        results.append(ok)
        print(f"{name:15} training step, {str(dtype)[6:]}: loss {got['loss']:.6f} and {loss.item():.6f}, gradients' error: worst "
              f"{worst:.1e} (allowed {allowed:g}), median {numpy.median(list(errors.values())):.1e} {'ok' if ok else 'FAILED'}", flush=True)
    return all(results)


def relative(got, expected):
    return numpy.linalg.norm(got - expected) / numpy.linalg.norm(expected)


def compare_bf16(name, network, folder):
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    labels = torch.tensor([0, 3, 7, 1])

    def in_pytorch(reduced):
        with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
            with torch.no_grad():
                values = {"logits": copy.deepcopy(network)(images).float().numpy()}
            reference = copy.deepcopy(network).train()
            loss = F.cross_entropy(reference(images).float(), labels)
        loss.backward()
        values.update({f"gradient/{key}": parameter.grad.numpy() for key, parameter in reference.named_parameters()})
        return values

    exact, theirs = in_pytorch(False), in_pytorch(True)
    ours = run(name, network, folder, images.numpy(), "bf16", labels.numpy())
    pairs = [(relative(ours[key], exact[key]), relative(theirs[key], exact[key])) for key in exact]
    logits, gradients = pairs[0], numpy.median(pairs[1:], axis=0)
    ok = logits[0] <= 1.5 * logits[1] and gradients[0] <= 1.5 * gradients[1] and logits[0] > 1e-4
    print(f"{name:15} bf16, distance from f32 here and in torch.autocast: logits {logits[0]:.1e} and {logits[1]:.1e}, "
          f"gradients' median {gradients[0]:.1e} and {gradients[1]:.1e} {'ok' if ok else 'FAILED'}", flush=True)
    return ok


def main(names):
    results = []
    stimuli = pictures(160)
    for name in names:
        network = make(name)
        with tempfile.TemporaryDirectory() as folder:
            size = CIFAR[1] if name == "resnet18-cifar" else 224
            noise = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1)).numpy()
            results.append(compare_logits(name, network, folder, noise, "noise"))
            if name != "resnet18-cifar" and stimuli is not None:
                results.append(compare_logits(name, network, folder, stimuli, "cue-conflict"))
            if name in ("resnet18", "resnet18-cifar"):
                results.append(compare_gradients(name, network, folder))
                results.append(compare_bf16(name, network, folder))
    if stimuli is None:
        print(f"SKIPPED: no pictures in {PICTURES}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    print("PyTorch", torch.__version__, "torchvision", torchvision.__version__)
    sys.exit(main(sys.argv[1:] or NAMES))
