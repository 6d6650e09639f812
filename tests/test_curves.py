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


def test_curves_show_what_lesson_3_says_of_the_healthy_run_and_of_the_sick_ones():
    healthy, no_price, fast, past = curves.recorded_curves().values()

    def end(run: dict[str, list[float]], metric: str) -> float:
        return sum(run[metric][-5:]) / 5

    assert abs(healthy["objective/kl"][0]) < 0.01 and past["objective/kl"][0] > 1  # and stays about there
    assert max(abs(kl - past["objective/kl"][0]) for kl in past["objective/kl"]) < 3
    assert fast["val/ratio_max"][0] > 5 > max(healthy["val/ratio_max"])
    assert min(fast["val/ratio_max"][:-1]) > 4 > fast["val/ratio_max"][-1]
    assert fast["policy/clipfrac_avg"][0] > 10 * healthy["policy/clipfrac_avg"][0]
    assert 1.5 < end(no_price, "objective/scores") / end(healthy, "objective/scores") < 2
    assert end(no_price, "objective/kl") > 4 * end(healthy, "objective/kl")
    assert end(fast, "objective/kl") > end(no_price, "objective/kl")
    assert end(no_price, "objective/entropy") < 0.8 * end(healthy, "objective/entropy")
    assert abs(end(past, "objective/scores") - end(healthy, "objective/scores")) < 0.15
    assert past["objective/entropy"][0] < 0.9 * healthy["objective/entropy"][0]
    apart = [other - kl for other, kl in zip(no_price["objective/kl"], healthy["objective/kl"], strict=True)]
    assert max(map(abs, apart[:14])) < 1.5 < 2 < min(apart[14:])
