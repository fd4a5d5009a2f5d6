"""The history of a model's weights, from a file that `refconv.keras.WeightRecorder` wrote.

`refconv.formats.recording` describes the file. Values stay in it until they are asked for, one weight at one time:

    run = read("run.h5")
    for weight in run.weights:                                  # in the model's order; weight.layer, weight.name
        for time, values in zip(run.epochs, weight.history(run.epochs)):
            print(weight.layer, weight.name, time.label, values.std())
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from refconv.errors import BadInput
from refconv.formats.recording import Log, Recorded, Time, is_recording, read_log

__all__ = ["Recorded", "Recording", "Time", "is_recording", "read"]

AT = re.compile(r"(?P<epoch>\d+)(:(?P<batch>\d+))?")


@dataclass(frozen=True)
class Recording:
    """A recording: `log` is what the file holds."""

    log: Log

    @property
    def times(self) -> tuple[Time, ...]:
        """All that was recorded, in order: the start, batches where they were asked for, ends of epochs."""
        return self.log.times

    @property
    def epochs(self) -> tuple[Time, ...]:
        """The start and the ends of epochs."""
        return tuple(time for time in self.times if time.whole)

    @property
    def weights(self) -> tuple[Recorded, ...]:
        return self.log.weights

    @property
    def layers(self) -> dict[str, tuple[Recorded, ...]]:
        """The weights by the path of their layer; a layer without any is not there."""
        found: dict[str, list[Recorded]] = {}
        for weight in self.weights:
            found.setdefault(weight.layer, []).append(weight)
        return {layer: tuple(weights) for layer, weights in found.items()}

    def trainable(self, weight: Recorded, time: Time) -> bool:
        """Whether an optimizer might change the weight then."""
        return bool(self.log.trainable[time.index, weight.number])

    def at(self, text: str) -> Time:
        """The time of a label: "start", "9" (end of epoch 9), "3:200" (after batch 200 of epoch 3), "last".

        Raises:
            BadInput: no such label, or no such time in this recording.
        """
        if not self.times:
            raise BadInput("no epoch has been recorded yet", where=self.log.path)
        if text == "last":
            return self.times[-1]
        found = next((time for time in reversed(self.times) if time.label == _normal(text)), None)
        if found is None:
            raise BadInput(f"there is no {text!r}", where=self.log.path, hint=f"it holds {_shown(self.times)}, last")
        return found


def read(path: str | Path) -> Recording:
    """Read a recording, also while it is written.

    Raises:
        UnreadableModel: no recording, or damaged.
    """
    return Recording(read_log(Path(path)))


def _normal(text: str) -> str:
    found = AT.fullmatch(text)
    if found is None:
        return text
    batch = "" if found["batch"] is None else f":{int(found['batch'])}"
    return f"{int(found['epoch'])}{batch}"


def _shown(times: Sequence[Time]) -> str:
    labels = [time.label for time in times]
    return ", ".join(labels if len(labels) <= 6 else [*labels[:3], "…", *labels[-2:]])
