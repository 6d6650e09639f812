"""The curves that lessons show are those of the recorded runs."""

import pytest

from helpers.course import curves

SOURCED = pytest.mark.skipif(not curves.SOURCES.is_dir(), reason="the records are part of the repository only")


@SOURCED
def test_curves_of_the_package_are_those_of_the_recorded_runs():
    assert curves.FILE.read_text(encoding="utf-8") == curves.text_of(curves.extracted(curves.SOURCES))


def test_curves_are_read_as_one_number_an_update_for_each_metric_of_each_run():
    read = curves.recorded_curves()
    assert tuple(read) == curves.RUNS and all(tuple(of_run) == curves.METRICS for of_run in read.values())
    assert {len(curve) for of_run in read.values() for curve in of_run.values()} == {30}
