"""Every serialised form of a quantizer, and none that is code."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refconv.errors import UnreadableModel
from refconv.quantizers.quantized_bits import QuantizedBits
from refconv.quantizers.quantized_hswish import QuantizedHswish
from refconv.quantizers.quantized_relu import QuantizedRelu
from refconv.quantizers.read import known, read
from refconv.quantizers.table import TABLE

CONFIG = {"bits": 6, "integer": 1, "symmetric": 0, "alpha": 1, "keep_negative": True,
          "use_stochastic_rounding": False, "qnoise_factor": 1.0}  # fmt: skip


@pytest.mark.parametrize(
    "spec",
    [
        {"class_name": "quantized_bits", "config": CONFIG},
        {"class_name": "quantized_bits", "config": CONFIG, "__passive_serialization__": True},
        {"module": "qkeras.quantizers", "class_name": "quantized_bits", "config": CONFIG,
         "registered_name": "quantized_bits"},
        {"module": "qkeras", "class_name": "quantized_bits", "config": {**CONFIG, "use_stochastic_rounding": 0},
         "registered_name": "qkeras>quantized_bits"},
        {"class_name": "quantized_bits", "config": {**CONFIG, "post_training_scale": None}},
        "quantized_bits(6,1,0,alpha=1)",
        "quantized_bits(6, 1, 0, True, 1.0)",
        " quantized_bits( bits=6 , integer=+1, alpha=1. ) ",
    ],
)  # fmt: skip
def test_every_form(spec):
    assert read(spec) == QuantizedBits(6, 1, alpha=1.0)
    assert known(spec)


def test_names_none_and_other_literals():
    assert read(None) is None
    assert read("binary") == read("binary()") == TABLE["binary"].quantizer()
    assert read("quantized_relu(6,1,1)") == QuantizedRelu(6, 1, use_sigmoid=True)
    assert read("quantized_bits(4,alpha='auto_po2')").alpha == read('quantized_bits(4,alpha="auto_po2")').alpha
    assert read("quantized_po2(4,max_value=5e-1)").max_value == 0.5
    assert read({"class_name": "function", "config": "hard_tanh"}) == TABLE["hard_tanh"].quantizer()
    assert read({"class_name": "quantized_hswish", "config": {"bits": 4, "keep_negative": True}}) == QuantizedHswish(4)
    assert read({"class_name": "quantized_bits", "config": {"alpha": [[0.5, 1]]}}).alpha == ((0.5, 1.0),)


@pytest.mark.parametrize(
    "spec",
    [
        "__import__('os').mkdir('x')",
        "quantized_bits(__import__('os'))",
        "quantized_bits(4,alpha=open('x'))",
        "(lambda: 1)()",
        "quantized_bits(4)(5)",
        "quantized_bits(4",
        "quantized_bits(4,,5)",
        "quantized_bits(4,)",
        "quantized_bits(bits=4,5)",
        "quantized_bits(4,bits=4)",
        "quantized_bits(bits=4,bits=4)",
        "quantized_bits(4,alpha=None)",
        "quantized_bits(4,alpha=auto)",
        "quantized_bits([4])",
        "quantized_bits(4.5)",
        "quantized_bits('4')",
        "quantized_bits(True)",
        "quantized_bits(0)",
        "quantized_bits(nan)",
        "quantized_bits(1e400)",
        "quantized_bits(4,qnoise_factor=1e400)",
        "quantized_bits(4,alpha='max')",
        "quantized_bits(4,whatever=1)",
        "quantized_bits(1,1,1,1,1,1,1,1,1,1,1,1)",
        "quantized_relu(4,negative_slope=0.3)",
        "quantized_po2(1)",
        "ternary(alpha='auto',threshold=0.5)",
        "nonsense",
        "",
        "quantized_bits(" + "1," * 1000 + ")",
        {"class_name": "quantized_bits", "config": {"bits": "4"}},
        {"class_name": "quantized_bits", "config": {"post_training_scale": [1.0]}},
        {"class_name": "quantized_bits", "config": {"sigmoid": "real"}},
        {"class_name": "quantized_relu", "config": {"sigmoid": "real"}},
        {"class_name": "quantized_bits", "config": [4]},
        {"class_name": "quantized_bits", "config": {}, "code": "x"},
        {"class_name": "Lambda", "config": {}},
        {"class_name": ["quantized_bits"], "config": {}},
        {"config": {}},
        {"class_name": "quantized_hswish", "config": {"keep_negative": False}},
        4,
        ["quantized_bits"],
    ],
)
def test_what_is_refused_in_one_line(spec):
    with pytest.raises(UnreadableModel) as refused:
        read(spec, "conv/kernel_quantizer")
    assert str(refused.value).startswith("conv/kernel_quantizer")
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 700


@given(st.text(alphabet="quantized_bsry(),='\"0123456789.+-eE \n", max_size=60) | st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        read(text)
    except UnreadableModel as refused:
        assert "\n" not in str(refused)


def test_nothing_is_compiled_while_reading():
    """What the text says is never run: a hook sees every compile and every import by name."""
    seen, active = [], [True]

    def hook(event, arguments):
        if active[0] and event in ("compile", "exec", "import", "open", "os.mkdir", "os.system"):
            seen.append(event)

    read("quantized_bits(4)")
    sys.addaudithook(hook)
    try:
        assert read("quantized_bits(4,0,alpha='auto')") is not None
        with pytest.raises(UnreadableModel):
            read("__import__('os').mkdir('x')")
        found = list(seen)
        compile("1", "", "eval")
        assert seen == [*found, "compile"]
    finally:
        active[0] = False
    assert found == []


@pytest.mark.parametrize(
    "text",
    ["quantized_bits(4,0,1)", "quantized_relu(6,1,1)", "quantized_bits(4, 0, alpha='auto_po2')", "binary", "ternary()",
     "quantized_tanh(4,0,1)", "quantized_bits(bits=4,alpha=0.5)", "quantized_po2(4,2)", "hard_tanh",
     "quantized_relu(4,0,0,0.25)", "quantized_sigmoid(4,1)", "quantized_ulaw(4,1,1)"],
)  # fmt: skip
def test_a_string_means_what_qkeras_reads_in_it(qkeras, text):
    x = [[-3.0, 0.1], [0.55, 0.9], [2.0, -0.3]]
    got = qkeras.quantize(x, string=text)
    assert read(text).enclose(x).admits(got).all()
