"""The texture-synthesis VGG-19, Top-K and Gram matrices, written plainly in PyTorch for comparison."""

import torch

BLOCKS = [(64, 2), (128, 2), (256, 4), (512, 4), (512, 4)]
TAPS = ["relu1_1", "pool1", "pool2", "pool3", "pool4"]


def make_vgg19(seed=0):
    """Random weights of He's scale, biases too, so that every parameter matters."""
    torch.manual_seed(seed)
    network = torch.nn.Sequential()
    channels = 3
    for block, (width, count) in enumerate(BLOCKS, 1):
        for i in range(1, count + 1):
            conv = torch.nn.Conv2d(channels, width, 3, padding=1)
            torch.nn.init.kaiming_normal_(conv.weight)
            torch.nn.init.normal_(conv.bias, std=0.1)
            network.add_module(f"conv{block}_{i}", conv)
            network.add_module(f"relu{block}_{i}", torch.nn.ReLU())
            channels = width
        network.add_module(f"pool{block}", torch.nn.AvgPool2d(2, 2))
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network


def forward_taps(network, x, taps=TAPS):
    outputs = {}
    for name, layer in network.named_children():
        x = layer(x)
        if name in taps:
            outputs[name] = x
        if name == taps[-1]:
            break
    return outputs


def topk_mask(x, fraction):
    """Abs, the k largest, zeros_like, scatter; the product is the caller's. A stable sort instead of torch.topk, which
    leaves the order of ties open: saturated pixels make flat regions, whose activations tie exactly."""
    n, c, h, w = x.shape
    flat = x.reshape(n, c, h * w)
    k = int(max(1, fraction * h * w))
    index = flat.abs().sort(dim=2, descending=True, stable=True).indices[:, :, :k]
    return torch.zeros_like(flat).scatter_(2, index, 1).reshape(x.shape)


def sparse(x, fraction, reverse=False):
    if fraction == 1:
        return x
    mask = topk_mask(x, fraction)
    return (1 - mask) * x if reverse else mask * x


def gram(x):
    n, c, h, w = x.shape
    rows = x.reshape(n * c, h * w)
    return rows @ rows.t() / (n * c * h * w)
