"""The runs of exercise 3.6 are what they are called, and its verdict names each by its figures."""

import pytest

from helpers.checks.calls.lesson_3_runs import FIELDS, RUNS, short_run
from helpers.checks.verdicts.lesson_3_runs import way_of


@pytest.mark.parametrize(("way", "gentle"), RUNS)
def test_diagnosis_of_a_short_run_is_how_it_was_made(way, gentle):
    assert [way_of(short_run(way, seed, gentle)) for seed in (0, 5)] == [way, way]


@pytest.mark.parametrize("seed", [0, 5, 11])
def test_gentle_runs_are_told_by_no_size(seed):
    dropout, start, bias = (short_run(way, seed, gentle=True) for way in ("dropout", "starting adapter", "bias"))
    assert 0.8 < dropout["first_ratio_min"] < 1 < dropout["first_ratio_max"] < 1.2
    assert start["first_kl"] < 0.1 and bias["off_moved"] < short_run("merged", seed)["off_moved"]


def test_short_run_has_the_fields_in_their_order_and_repeats_bit_for_bit():
    first, again = short_run("dropout", seed=3), short_run("dropout", seed=3)
    assert tuple(first) == FIELDS and first == again
