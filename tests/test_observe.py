"""What counts as one number in the value that an answer returns."""

import numpy
import pytest
import torch

from helpers.checks.calls.observe import call_for_number


def seen(value: object) -> tuple[float, str]:
    outputs = call_for_number(lambda: value, {})
    return outputs["output"], outputs["kind"]


REALS = [getattr(numpy, name) for name in ("float16", "float32", "float64", "int8", "int64", "uint8", "longlong")]


@pytest.mark.parametrize("kind", [int, float, torch.tensor, *REALS], ids=lambda kind: kind.__name__)
def test_number_of_python_torch_or_numpy_is_one_number(kind):
    assert seen(kind(7)) == (7.0, "number")


def test_number_of_numpy_that_is_not_finite_is_none():
    assert seen(numpy.float32("nan")) == (0.0, "no finite number")
    assert seen(numpy.float64("inf")) == (0.0, "no finite number")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "bool"),
        (numpy.True_, "bool"),
        (numpy.complex64(1), "complex64"),
        (numpy.timedelta64(1), "timedelta64"),
        (numpy.str_("1"), "str_"),
        (numpy.ones(1), "ndarray"),
        (None, "NoneType"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_real_number_is_named(value, kind):
    assert seen(value) == (0.0, kind)


def test_method_of_a_class_that_came_with_the_answer_is_not_called():
    class Sly(numpy.float64):
        def item(self):
            pytest.fail("called")

    assert seen(Sly(1.0)) == (0.0, "Sly")


def test_tensor_of_bool_is_no_number():
    assert seen(torch.tensor(True))[1] != "number"
