"""Files and folders that a user gives: accepted, or refused with one line that names the file."""

import gzip
import pickle

import numpy as np
import pytest
from PIL import Image
from support.models import model_path

from refconv.errors import BadInput
from refconv.graph import TensorSpec
from refconv.inputs import Source, prepare

VECTOR = TensorSpec("v", (None, 4))
GRAY = TensorSpec("img", (None, 2, 3, 1))


def fed(path, spec=VECTOR, *, preprocess="none", first=None, shapes=None):
    return prepare((spec,), [Source(str(path), first)], 2, 0, shapes or {}, preprocess)[0]


def refused(path, spec=VECTOR, **options):
    with pytest.raises(BadInput) as caught:
        fed(path, spec, **options)
    line = str(caught.value)
    assert "\n" not in line
    return line


@pytest.fixture
def rows():
    return np.arange(12, dtype=np.float32).reshape(3, 4)


# .npy and .npz


def test_npy(tmp_path, rows):
    np.save(tmp_path / "x.npy", rows)
    np.testing.assert_array_equal(fed(tmp_path / "x.npy"), rows)
    np.testing.assert_array_equal(fed(tmp_path / "x.npy", first=2), rows[:2])
    np.testing.assert_array_equal(prepare((VECTOR,), tmp_path / "x.npy", 2, 0, {}, "none")[0], rows)


def test_npz_by_key_or_alone(tmp_path, rows):
    np.savez(tmp_path / "one.npz", x=rows)
    np.savez(tmp_path / "two.npz", x=rows, y=rows)
    np.testing.assert_array_equal(fed(tmp_path / "one.npz"), rows)
    np.testing.assert_array_equal(fed(f"{tmp_path}/two.npz:x"), rows)
    assert refused(tmp_path / "two.npz").endswith("two.npz: holds 2 arrays (say which, as FILE:key; they are x, y)")
    assert refused(f"{tmp_path}/two.npz:z").endswith("two.npz: holds no array 'z' (it holds x, y)")


def test_pickles_are_refused(tmp_path):
    ran = tmp_path / "ran"

    class Trap:
        def __reduce__(self):
            return (ran.touch, ())

    np.save(tmp_path / "o.npy", np.array([Trap()], object), allow_pickle=True)
    np.savez(tmp_path / "o.npz", x=np.array([Trap()], object))
    (tmp_path / "p.npy").write_bytes(pickle.dumps(Trap()))
    for name in ("o.npy", "o.npz", "p.npy"):
        assert "is pickled or not a NumPy file, and refconv runs no pickles" in refused(tmp_path / name)
    assert not ran.exists()


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.csv", "x.csv.gz", "x.png"])
@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[: len(b) // 2], lambda b: b"\x00\xff" * 40])
def test_damaged_files_are_one_line(tmp_path, rows, name, damage):
    path = tmp_path / name
    np.save(tmp_path / "x.npy", rows)
    np.savez(tmp_path / "x.npz", rows)
    Image.fromarray(np.zeros((2, 3), np.uint8)).save(tmp_path / "x.png")
    (tmp_path / "x.csv").write_text("1,2,3,4\n" * 3 + "1,2")
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(b"1,2,3,4\n" * 300))
    path.write_bytes(damage(path.read_bytes()))
    assert str(path) in refused(path, GRAY if name.endswith("png") else VECTOR)


def test_missing_and_foreign_files(tmp_path):
    assert refused(tmp_path / "no.npy") == f"{tmp_path / 'no.npy'}: there is no such file"
    (tmp_path / "x.txt").write_text("1")
    assert "is of no kind that refconv reads as input (.npy, .npz, .csv" in refused(tmp_path / "x.txt")


# .csv


@pytest.mark.parametrize(
    "text",
    [
        "1,2,3,4\n5,6,7,8\n",
        "a,b,c,d\n1,2,3,4\n5,6,7,8",
        "1;2;3;4\n5;6;7;8\n",
        "1\t2\t3\t4\n\n5\t6\t7\t8\n\n",
        '"1","2","3","4"\n"5","6","7","8"\n',
        "\ufeff1,2,3,4\r\n5,6,7,8\r\n",
    ],
)
def test_csv_has_one_sample_per_row(tmp_path, text):
    (tmp_path / "x.csv").write_text(text, newline="", encoding="utf-8")
    assert fed(tmp_path / "x.csv").tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_csv_rows_take_the_inputs_shape(tmp_path):
    (tmp_path / "x.csv").write_text("1,2,3,4,5,6\n")
    assert fed(tmp_path / "x.csv", GRAY)[0, ..., 0].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert fed(tmp_path / "x.csv", TensorSpec("x", (None, None, 2))).shape == (1, 3, 2)
    assert "say which with --shape" in refused(tmp_path / "x.csv", TensorSpec("x", (None, None, None, 2)))
    assert fed(tmp_path / "x.csv", TensorSpec("x", (None, None, None, 2)), shapes={"": (3, 1)}).shape == (1, 3, 1, 2)


def test_one_csv_column_too_many_is_a_label(tmp_path):
    (tmp_path / "x.csv").write_text("1,2,3,4,9\n")
    assert refused(tmp_path / "x.csv").endswith(
        "has 5 columns; input 'v' takes 4 per sample, (?, 4) (the last column looks like a label: remove it)"
    )
    (tmp_path / "x.csv").write_text("1,2,3,4,9,9\n")
    assert "label" not in refused(tmp_path / "x.csv")


@pytest.mark.parametrize("text", ["1,2,3,4\n1,2,3\n", "1,2,3,4\n1,b,3,4\n", "a,b,c,d\n", "\n\n"])
def test_csv_that_is_no_table(tmp_path, text):
    (tmp_path / "x.csv").write_text(text)
    assert str(tmp_path / "x.csv") in refused(tmp_path / "x.csv")


def test_real_digits():
    path = model_path("data/mnist_5k.csv.gz")
    assert "has 785 columns" in refused(path, TensorSpec("x", (None, 28, 28, 1)), first=3)
    digits = fed(path, TensorSpec("x", (None, 785)), first=3)
    assert digits.shape == (3, 785) and digits[:, :-1].max() > 200 and digits[:, -1].max() < 10


# images


@pytest.fixture
def picture(tmp_path):
    """2 × 3 pixels: red, green, blue over black, white, half-transparent gray."""
    pixels = np.zeros((2, 3, 4), np.uint8)
    pixels[0, 0], pixels[0, 1], pixels[0, 2] = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255)
    pixels[1, 0], pixels[1, 1], pixels[1, 2] = (0, 0, 0, 255), (255, 255, 255, 255), (100, 100, 100, 128)
    path = tmp_path / "p.png"
    Image.fromarray(pixels).save(path)
    return path


def test_an_image_in_colour(picture):
    x = fed(picture, TensorSpec("img", (None, 2, 3, 3)))
    assert x.dtype == np.float32
    assert x[0].tolist() == [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[0, 0, 0], [255, 255, 255], [100, 100, 100]]]


def test_an_image_in_gray_and_with_transparency(picture):
    # ITU-R 601 luma, as Pillow documents for mode L: 0.299 R + 0.587 G + 0.114 B
    assert fed(picture, GRAY)[0, ..., 0].tolist() == [[76, 150, 29], [0, 255, 100]]
    assert fed(picture, TensorSpec("img", (None, 2, 3, 4)))[0, 1, 2].tolist() == [100, 100, 100, 128]
    assert fed(picture, TensorSpec("img", (None, 2, 3)))[0].tolist() == [[76, 150, 29], [0, 255, 100]]


def test_channels_first_is_transposed(picture):
    last = fed(picture, TensorSpec("img", (None, 2, 5, 3)))
    first = fed(picture, TensorSpec("img", (None, 3, 2, 5)))
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), last)
    first = fed(picture, TensorSpec("img", (None, 3, 2, 5)), preprocess="caffe")
    last = fed(picture, TensorSpec("img", (None, 2, 5, 3)), preprocess="caffe")
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), last)


def test_an_image_takes_the_models_size_or_keeps_its_own(picture):
    assert fed(picture, TensorSpec("img", (None, 8, 6, 3))).shape == (1, 8, 6, 3)
    assert fed(picture, TensorSpec("img", (None, None, None, 3))).shape == (1, 2, 3, 3)
    assert fed(picture, TensorSpec("img", (None, None, None, 3)), shapes={"": (5, 7)}).shape == (1, 5, 7, 3)


def test_a_uint8_input_takes_pixels_and_refuses_scaled_ones(picture):
    spec = TensorSpec("img", (None, 2, 3, 3), "uint8")
    assert fed(picture, spec).dtype == np.uint8
    assert "holds fractions" in refused(picture, spec, preprocess="unit")


def test_a_folder_is_read_in_the_order_of_names(tmp_path):
    for name, value in (("b.png", 2), ("a.PNG", 1), (".hidden.png", 9), ("notes.txt", 0)):
        if name.endswith("txt"):
            (tmp_path / name).write_text("not an image")
        else:
            Image.fromarray(np.full((2, 3), value, np.uint8)).save(tmp_path / name, "PNG")
    assert fed(tmp_path, GRAY)[:, 0, 0, 0].tolist() == [1, 2]
    assert fed(tmp_path, GRAY, first=1)[:, 0, 0, 0].tolist() == [1]


def test_a_folder_without_images(tmp_path):
    assert refused(tmp_path, GRAY).startswith(f"{tmp_path}: holds no images")


def test_inputs_that_take_no_images(picture):
    assert "takes (?, 4), which is not an image" in refused(picture)
    assert "takes 7 channels; an image has 1, 3 or 4" in refused(picture, TensorSpec("img", (None, 2, 3, 7)))


def test_sixteen_bit_images_are_refused(tmp_path):
    Image.fromarray(np.full((2, 3), 40000, np.uint16)).save(tmp_path / "deep.png")
    assert "has pixels of mode I;16, not 8 bits" in refused(tmp_path / "deep.png", GRAY)
