"""What a model is fed: arrays, files, folders of images, or seeded samples, checked against its inputs."""

from __future__ import annotations

from refconv.inputs.describe import describe
from refconv.inputs.prepare import prepare
from refconv.inputs.source import Source

__all__ = ["Source", "describe", "prepare"]
