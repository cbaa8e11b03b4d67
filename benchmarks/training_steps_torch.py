"""Worker of training_throughput.py: training steps of the same network in PyTorch, on command.

Runs in an environment of its own, with PyTorch and nothing of ours. It speaks as
training_steps.py does; its first line also has its version and the threads it takes of itself:
`{"weights": N, "version": V, "threads": T}`.
"""

import argparse
import json
import sys
from time import perf_counter, process_time

import torch
from torch import nn

GROUPS, CLASSES, WARM_UP = 32, 3, 2


class Block(nn.Module):
    """A block of ResNeXt; the last normalization begins at zero, as ours does."""

    def __init__(self, channels, width, stride):
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, stride, 1, groups=GROUPS, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, 2 * width, 1, bias=False),
            nn.BatchNorm2d(2 * width),
        )
        nn.init.zeros_(self.branch[-1].weight)
        self.shortcut = nn.Identity()
        if stride > 1 or channels != 2 * width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, 2 * width, 1, stride, bias=False), nn.BatchNorm2d(2 * width)
            )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        """Applies the block to float [B, C, H, W]."""
        return self.relu(self.branch(x) + self.shortcut(x))


def resnext_50():
    """ResNeXt-50 32x4d for one input channel."""
    modules = [
        nn.Conv2d(1, 64, 7, 2, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
    ]
    channels = 64
    for stage, count in enumerate((3, 4, 6, 3)):
        width = GROUPS * 4 * 2**stage
        for block in range(count):
            modules.append(Block(channels, width, 2 if stage and not block else 1))
            channels = 2 * width
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES)]
    return nn.Sequential(*modules, *head)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", type=int)
    parser.add_argument("batch", type=int)
    arguments = parser.parse_args()

    torch.manual_seed(0)
    net = resnext_50().to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9)
    images = torch.rand(arguments.batch, 1, arguments.size, arguments.size)
    images = images.to(memory_format=torch.channels_last)
    classes = torch.randint(0, CLASSES, (arguments.batch,))

    def step():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(images), classes)
        loss.backward()
        optimizer.step()
        return loss.item()

    for _ in range(WARM_UP):
        step()
    weights = sum(weight.numel() for weight in net.parameters())
    ready = {
        "weights": weights,
        "version": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(ready), flush=True)
    for command in sys.stdin:
        seconds, cpu_seconds = perf_counter(), process_time()
        for _ in range(int(command)):
            step()
        line = {
            "seconds": perf_counter() - seconds,
            "cpu_seconds": process_time() - cpu_seconds,
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
