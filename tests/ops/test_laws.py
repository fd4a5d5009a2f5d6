"""What holds for every row of the table, whatever the layer."""

from __future__ import annotations

import pkgutil
from dataclasses import fields
from importlib import import_module

import numpy as np
import pytest
import support
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.laws import CONTEXT, FIELDS, Case, Run, draw_inputs, run_row

import refconv.ops
from refconv.compare.stage1 import deviate
from refconv.compare.stage2 import enclose
from refconv.errors import UnreadableModel
from refconv.formats.calling import DRAWING
from refconv.formats.dialects import qkeras
from refconv.numerics.enclosure import Enclosure
from refconv.ops.attributes import Unknown, build
from refconv.ops.table import FAMILIES, TABLE

CASES = {
    name: strategy
    for module in pkgutil.iter_modules(support.__path__)
    if module.name.startswith("cases")
    for name, strategy in import_module(f"support.{module.name}").CASES.items()
}
ROWS = pytest.mark.parametrize("name", sorted(CASES))
SEEDS = st.integers(0, 2**16)
EXAMPLES = settings(max_examples=10)
SEVERAL = settings(max_examples=15)  # a third of them are of one sample
MORE_EXAMPLES = settings(max_examples=30)


def one(name: str, data: st.DataObject) -> Run:
    """A drawn layer of this row, in a version of Keras that has it."""
    case: Case = data.draw(CASES[name])
    seed, keras = data.draw(SEEDS), data.draw(st.sampled_from(case.majors))
    return run_row(name, case.config, draw_inputs(case, seed), keras, seed, case.package)


def same_values(one: Enclosure, other: Enclosure) -> bool:
    """Equal to the reference's own accuracy, 2⁻⁵³ times a few terms, which BLAS may add in another order."""
    scale = 1e-12 * (1.0 + float(np.max(np.abs(one.mid), initial=0.0, where=np.isfinite(one.mid))))
    return np.allclose(one.mid, other.mid, rtol=1e-10, atol=scale, equal_nan=True)


def no_wider(one: Enclosure, other: Enclosure) -> bool:
    """Radii of `one` at most the other's; both are differences of such values, so known to fewer digits."""
    pairs = ((np.asarray(getattr(one, f)), np.asarray(getattr(other, f))) for f in FIELDS[1:])
    return all(np.all((a <= b * (1 + 1e-5) + 1e-30) | np.isnan(b)) for a, b in pairs)


@ROWS
@MORE_EXAMPLES
@given(data=st.data())
def test_agrees_with_the_framework(name: str, data: st.DataObject) -> None:
    run = one(name, data)
    assume(not run.misplaces_bias)
    for enclosure, output in zip(run.enclosures, run.outputs, strict=True):
        assert enclosure.mid.shape == output.shape
        assert not deviate(enclosure, output).outside.any()


@ROWS
@SEVERAL
@given(data=st.data())
def test_laws_of_the_reference_alone(name: str, data: st.DataObject) -> None:
    """All of each drawn layer: to build it takes longer than to ask it."""
    run = one(name, data)
    bounds_are_radii(run)
    input_is_left_alone(run)
    strides_do_not_matter(run)
    samples_do_not_meet(run)


def bounds_are_radii(run: Run) -> None:
    for enclosure in run.enclosures:
        assert np.all(np.asarray(enclosure.probable) >= 0)
        assert np.all(np.asarray(enclosure.limit) >= enclosure.probable)
        assert all(np.shape(getattr(enclosure, f)) in ((), enclosure.mid.shape) for f in FIELDS)
        assert enclosure.exact or not run.row.exact


def input_is_left_alone(run: Run) -> None:
    given_to_it = (*run.inputs, *run.weights.values())
    before = [x.copy() for x in given_to_it]
    for x in given_to_it:
        x.flags.writeable = False
    run.again(run.inputs)
    assert all(np.array_equal(a, b) for a, b in zip(before, given_to_it, strict=True))


def strides_do_not_matter(run: Run) -> None:
    again = run.again([_strided(x) for x in run.inputs])
    for a, b in zip(run.enclosures, again, strict=True):
        assert same_values(a, b)
        assert no_wider(a, b)
        assert no_wider(b, a)


def _strided(x: np.ndarray) -> np.ndarray:
    """The same values, every other element of a larger array that runs backwards."""
    wide = np.repeat(x[..., ::-1], 2, axis=-1)
    view = wide[..., ::-2]
    assert np.array_equal(view, x)
    return view


def samples_do_not_meet(run: Run) -> None:
    samples = run.inputs[0].shape[0]
    if samples == 1 or any(x.shape[0] != samples for x in run.inputs):
        return
    alone = run.again([x[1:2] for x in run.inputs])
    for whole, part in zip(run.enclosures, alone, strict=True):
        its_own = whole.move(lambda v: v[1:2])
        assert same_values(part, its_own)
        assert no_wider(part, its_own)  # fewer values may lie on a coarser grid, which certifies more sums


@pytest.mark.parametrize("name", sorted(name for name in CASES if TABLE[name].terms))
@EXAMPLES
@given(data=st.data())
def test_terms_add_up(name: str, data: st.DataObject) -> None:
    run = one(name, data)
    assume(not run.misplaces_bias and run.row.explained(run.attrs))
    enclosure, output = run.enclosures[0], run.outputs[0]
    index = tuple(data.draw(st.integers(0, n - 1)) for n in output.shape)
    again = enclose(TABLE[name].terms(run.attrs, run.weights, run.inputs, index, CONTEXT), CONTEXT.arithmetic)
    assert float(again.mid) == pytest.approx(float(enclosure.mid[index]), rel=1e-10, abs=1e-10)
    assert not deviate(again, np.asarray(output[index])).outside.any()


@ROWS
def test_names_a_wrong_attribute(name: str) -> None:
    row = TABLE[name]
    valid = _valid(row.attributes)
    with pytest.raises(Unknown, match="snowman"):
        build(row.attributes, {**valid, "snowman": 1}, "layer x")
    for field in fields(row.attributes):
        with pytest.raises(UnreadableModel, match=field.name):
            build(row.attributes, {**valid, field.name: "☃"}, "layer x")


def _valid(attributes: type) -> dict[str, object]:
    """Values for the required fields, by trial: a wrong one must not be mistaken for the field under test."""
    candidates = (1, [1, 1], "linear", 0.5, [0], {"class_name": "LSTM", "config": {"units": 1}}, "ab,bc->ac",
                  {"class_name": "Dense", "config": {"units": 1}})  # fmt: skip
    found: dict[str, object] = {}
    for field in fields(attributes):
        for value in candidates:
            try:
                field.metadata["read"](value)
            except (ValueError, UnreadableModel):
                continue
            found[field.name] = value
            break
    return found


def test_every_row_has_a_case_and_every_case_a_row() -> None:
    apart = {name for name in TABLE if qkeras.owns(name) or name.startswith("ops.")}  # test_qkeras_layers, _operators
    assert set(CASES) == set(TABLE) - apart - set(DRAWING)  # test_augmentation


def test_every_family_is_in_the_table() -> None:
    modules = [import_module(f"refconv.ops.{m.name}") for m in pkgutil.iter_modules(refconv.ops.__path__)]
    assert {m.__name__ for m in modules if hasattr(m, "ROWS")} == {m.__name__ for m in FAMILIES}


def test_no_class_has_two_rows() -> None:
    names = [row.keras for family in FAMILIES for row in family.ROWS]
    assert len(names) == len(set(names))
