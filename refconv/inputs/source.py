"""A file named by the user, and how much of it to use."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """`path` is a file or folder, or `FILE:key` into an .npz; `first` keeps that many samples of it (None: all)."""

    path: str
    first: int | None = None

    def split(self) -> tuple[Path, str | None]:
        """File and key; a name that exists as it stands has no key."""
        file, colon, key = self.path.rpartition(":")
        if colon and file.lower().endswith(".npz") and not os.path.exists(self.path):
            return Path(file), key
        return Path(self.path), None
