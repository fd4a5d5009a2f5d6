"""Findings that the user knows of and lets pass for a time: a file of them, and a result with them applied."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from refconv.diagnose.rules.table import rule
from refconv.errors import BadInput
from refconv.result import FAILING, Accepted, CheckResult, LayerResult, Verdict

VERDICTS = (*FAILING, Verdict.UNVERIFIED, Verdict.VACUOUS)  # those that a run may not pass for
FIELDS = ("model", "layer", "verdict", "rule", "reason", "expires")
MOST = 1 << 20  # bytes of a file


@dataclass(frozen=True)
class Entry:
    """One known deviation.

    Attributes:
        model: glob of the model's path as it is given, of its end after any "/", or of a live model's name.
        layer: glob of the layer's name.
        verdict: what it is, or None for any that does not pass.
        rule: code of the rule that explains it, or those of several that do together ("RC201+RC301"); "" for any.
        expires: the last day on which it passes.
        where: file and number.
    """

    model: str
    layer: str
    verdict: Verdict | None
    rule: str
    reason: str
    expires: date
    where: str

    @property
    def name(self) -> str:
        """Where it is, without the folder."""
        return re.split(r"[/\\\\]", self.where)[-1]

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(self.rule.split("+")) if self.rule else ()

    def of(self, model: str) -> bool:
        """Whether it is about this model."""
        path = Path(model).as_posix()
        ends = [path, *(path.split("/", n)[-1] for n in range(1, path.count("/") + 1))]
        return any(fnmatchcase(end, self.model) for end in ends)

    def about(self, layer: LayerResult) -> bool:
        """Whether it is about this layer, and what is wrong with it."""
        explained = [set(finding.code.split("+")) for finding in layer.findings]
        return (
            layer.verdict in VERDICTS
            and fnmatchcase(layer.name, self.layer)
            and self.verdict in (None, layer.verdict)
            and (not self.rule or set(self.codes) in explained)  # a known fault does not cover another beside it
        )


def accepted(result: CheckResult, entries: Sequence[Entry], today: date | None = None) -> CheckResult:
    """`result` with the findings that `entries` know marked; those whose day is over count again, and say so.

    An entry about this model that fits none of its layers is told in a note, unless only some layers were compared.
    """
    today = today or datetime.now(UTC).date()
    own = [entry for entry in entries if entry.of(result.model.path)]
    layers = tuple(_marked(layer, own, today) for layer in result.layers)
    unused = [entry for entry in own if not any(map(entry.about, result.layers))]
    notes = () if result.partial else tuple(map(_unused, unused))
    return replace(result, layers=layers, notes=(*result.notes, *notes))


def _marked(layer: LayerResult, entries: Sequence[Entry], today: date) -> LayerResult:
    """With the entry that is valid longest."""
    known = max((e for e in entries if e.about(layer)), key=lambda e: e.expires, default=None)
    if known is None:
        return layer
    found = Accepted(known.reason, known.expires.isoformat(), known.name, expired=known.expires < today)
    return replace(layer, accepted=found)


def _unused(entry: Entry) -> str:
    what = " ".join(filter(None, (entry.verdict and entry.verdict.value, entry.rule)))
    return f"{entry.name} is not needed: no layer {entry.layer!r} of this model has {what}"


def read_entries(path: str | Path) -> tuple[Entry, ...]:
    """The entries of a file of accepted findings.

    Raises:
        BadInput: it is missing, no TOML, or an entry is incomplete, unknown in some word, or there twice.
    """
    entries = tuple(_entry(raw, f"{path}, entry {number}") for number, raw in enumerate(_tables(Path(path)), 1))
    seen: dict[tuple[Any, ...], Entry] = {}
    for entry in entries:
        key = (entry.model, entry.layer, entry.verdict, entry.rule)
        if key in seen:
            raise BadInput(f"says of the same finding what {seen[key].where} says", where=entry.where)
        seen[key] = entry
    return entries


def _tables(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        if path.stat().st_size > MOST:
            raise BadInput(f"more than {MOST} bytes", where=str(path))
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"no TOML: {error}", where=str(path)) from None
    strange = sorted(set(document) - {"accepted"})
    found = document.get("accepted", [])
    if strange or not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        what = f"{strange[0]!r} is not known" if strange else "'accepted' is no array of tables"
        raise BadInput(what, where=str(path), hint="each finding is a table [[accepted]]")
    yield from found


def _entry(raw: Mapping[str, Any], where: str) -> Entry:
    if strange := sorted(set(raw) - set(FIELDS)):
        near = difflib.get_close_matches(strange[0], FIELDS, 1)
        raise BadInput(f"{strange[0]!r} is not known", where=where, hint=", ".join(near or FIELDS))
    text = {name: _text(raw, name, where) for name in ("model", "layer", "reason")}
    said = {name: _read(raw[name], name, where) for name in ("verdict", "rule") if name in raw}
    if not said:
        raise BadInput("says neither a verdict nor a rule", where=where, hint='verdict = "mismatch", or rule = "RC201"')
    return Entry(**text, verdict=said.get("verdict"), rule=said.get("rule", ""), expires=_date(raw, where), where=where)


def _text(raw: Mapping[str, Any], name: str, where: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"{name} is missing" if name not in raw else f"{name} = {value!r} is no text", where=where)
    return value


def _read(value: Any, name: str, where: str) -> Any:
    try:
        return READERS[name](value)
    except (ValueError, AttributeError):
        hint = ", ".join(VERDICTS) if name == "verdict" else "refconv rule lists them"
        raise BadInput(f"{name} = {value!r} is not known", where=where, hint=hint) from None


def _verdict(value: Any) -> Verdict:
    found = Verdict(value)
    if found not in VERDICTS:
        raise ValueError
    return found


def _rule(value: Any) -> str:
    found = [rule(code) for code in value.split("+")]
    if None in found:
        raise ValueError
    return "+".join(each.code for each in found if each)


READERS: Mapping[str, Callable[[Any], Any]] = {"verdict": _verdict, "rule": _rule}


def _date(raw: Mapping[str, Any], where: str) -> date:
    value = raw.get("expires")
    if value is None:
        raise BadInput("expires is missing", where=where, hint="the last day on which it passes: expires = 2027-06-30")
    try:
        found = date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if not isinstance(found, date) or isinstance(found, datetime):
        raise BadInput(f"expires = {value!r} is no day", where=where, hint="YYYY-MM-DD")
    return found
