"""Shapes of well-known networks, and what each layer is given to work on."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from refconv.primitives.geometry import Window, window

DENSE, DEPTHWISE, GROUPED, MAX, SUM, MATMUL = "dense", "depthwise", "grouped", "max pool", "window sum", "matmul"
CORRELATIONS = (DENSE, DEPTHWISE, GROUPED)


@dataclass(frozen=True)
class Shape:
    """One layer: a square input (batch, side, side, channels), a square window; a matmul is (batch, channels)."""

    model: str
    layer: str
    kind: str
    side: int
    channels: int
    filters: int
    size: int = 1
    stride: int = 1
    dilation: int = 1
    groups: int = 1
    padding: str = "same"

    @property
    def name(self) -> str:
        return f"{self.model} {self.layer}"

    @property
    def window(self) -> Window:
        size, stride, dilation = ((v, v) for v in (self.size, self.stride, self.dilation))
        return window((self.side, self.side), size, stride, dilation, self.padding)

    def operations(self, batch: int) -> int:
        """Useful ones: 2 a multiply-add, 1 an element of a pooled window; padding counts as if it were data."""
        if self.kind == MATMUL:
            return 2 * batch * self.channels * self.filters
        seen = batch * prod(self.window.out) * self.size**2
        if self.kind in (MAX, SUM):
            return seen * self.channels
        return 2 * seen * (self.channels // self.groups) * self.filters

    def operands(self, batch: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """x as behind a relu, and a kernel (*size, channels/groups, filters); float32."""
        spatial = () if self.kind == MATMUL else (self.side, self.side)
        taps = () if self.kind == MATMUL else (self.size, self.size)
        x = np.maximum(rng.standard_normal((batch, *spatial, self.channels)), 0)
        kernel = rng.standard_normal((*taps, self.channels // self.groups, self.filters))
        return x.astype(np.float32), kernel.astype(np.float32)


def _vgg(layer: str, side: int, channels: int, filters: int) -> Shape:
    return Shape("VGG16", layer, DENSE, side, channels, filters, 3)


def _depthwise(model: str, layer: str, side: int, channels: int, size: int, stride: int = 1) -> Shape:
    return Shape(model, layer, DEPTHWISE, side, channels, channels, size, stride, groups=channels)


def _point(model: str, layer: str, side: int, channels: int, filters: int, stride: int = 1) -> Shape:
    return Shape(model, layer, DENSE, side, channels, filters, 1, stride, padding="valid")


SHAPES = (
    _vgg("block1_conv1", 224, 3, 64),
    _vgg("block1_conv2", 224, 64, 64),
    _vgg("block2_conv1", 112, 64, 128),
    _vgg("block2_conv2", 112, 128, 128),
    _vgg("block3_conv1", 56, 128, 256),
    _vgg("block3_conv2", 56, 256, 256),
    _vgg("block4_conv1", 28, 256, 512),
    _vgg("block4_conv2", 28, 512, 512),
    _vgg("block5_conv1", 14, 512, 512),
    Shape("VGG16", "block1_pool", MAX, 224, 64, 64, 2, 2, padding="valid"),
    Shape("VGG16", "block4_pool", MAX, 28, 512, 512, 2, 2, padding="valid"),
    Shape("VGG16", "fc1", MATMUL, 1, 25088, 4096),
    Shape("VGG16", "predictions", MATMUL, 1, 4096, 1000),
    Shape("ResNet50", "conv1", DENSE, 230, 3, 64, 7, 2, padding="valid"),
    Shape("ResNet50", "pool1", MAX, 114, 64, 64, 3, 2, padding="valid"),
    _point("ResNet50", "conv2 1×1", 56, 64, 256),
    Shape("ResNet50", "conv2 3×3", DENSE, 56, 64, 64, 3),
    _point("ResNet50", "conv3 1×1 /2", 56, 256, 128, 2),
    Shape("ResNet50", "conv4 3×3", DENSE, 14, 256, 256, 3),
    Shape("ResNet50", "conv4 3×3 dilated", DENSE, 28, 256, 256, 3, dilation=2),
    Shape("ResNet50", "conv4 3×3 in 32 groups", GROUPED, 14, 256, 256, 3, groups=32),
    _point("ResNet50", "conv5 1×1", 7, 2048, 512),
    Shape("ResNet50", "7×7 sum", SUM, 7, 2048, 2048, 7, padding="valid"),
    Shape("MobileNetV2", "Conv1", DENSE, 224, 3, 32, 3, 2),
    _depthwise("MobileNetV2", "depthwise 112", 112, 32, 3),
    _depthwise("MobileNetV2", "depthwise 112 /2", 112, 96, 3, 2),
    _depthwise("MobileNetV2", "depthwise 14", 14, 576, 3),
    _point("MobileNetV2", "expand 56", 56, 24, 144),
    _point("MobileNetV2", "project 14", 14, 576, 96),
    _depthwise("EfficientNetB0", "depthwise 5×5 56 /2", 56, 144, 5, 2),
    _depthwise("EfficientNetB0", "depthwise 5×5 28", 28, 240, 5),
    _depthwise("EfficientNetB0", "depthwise 5×5 14", 14, 672, 5),
    _point("EfficientNetB0", "project 14", 14, 672, 112),
    Shape("EfficientNetB0", "3×3 window sum", SUM, 56, 144, 144, 3),
)
