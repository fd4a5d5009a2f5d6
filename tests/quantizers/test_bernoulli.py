"""bernoulli draws at inference: what it may give is a set."""

import numpy as np
from support.grids import every, tensors

from refconv.quantizers.bernoulli import Bernoulli
from refconv.quantizers.table import TABLE


def test_whatever_qkeras_draws_is_in_the_set(qkeras):
    for config in every(alpha=[None, 0.5, "auto", "auto_po2"], temperature=[6.0, 1.0], use_real_sigmoid=[True, False]):
        quantizer = Bernoulli(**config)
        for x in tensors(3, 8):
            got = qkeras.quantize(x, name="bernoulli", config=config)
            scale = qkeras.scale
            found = quantizer.quantize(x) if scale is None else quantizer.quantize(x, scale=scale)
            assert (found.allowed == got).any(axis=0).all()
            assert quantizer.enclose(x).admits(got).all()
            assert scale is None or quantizer.scales(x).admits(scale).all()


def test_two_calls_differ(qkeras):
    x = np.zeros((1000,), np.float32)
    first, second = (qkeras.quantize(x, name="bernoulli", config={}) for _ in range(2))
    assert 0.3 < np.mean(first != second) < 0.7


def test_the_set_by_hand():
    found = Bernoulli(alpha=0.5).quantize(np.array([-2.0, 0.0, 1.0, 100.0], np.float32))
    assert [name for name, row in TABLE.items() if row.quantizer.random] == ["bernoulli"]
    assert found.allowed.tolist() == [[0.0, 0.0, 0.0, 0.5], [0.5] * 4]  # sigmoid(600) is 1: no draw is greater
    assert found.codes.tolist() == [0, 1, 1, 1]
    assert not Bernoulli(alpha=0.5).enclose(np.float32(1.0)).admits(0.25)


def test_an_enclosure_takes_both_draws():
    enclosed = Bernoulli(alpha="auto").enclose(np.full((4, 1), 0.5), np.full((4, 1), 0.1))
    assert np.all(np.abs(enclosed.low) < 1e-6) and np.all(enclosed.high >= 0.6)
