"""The charts draw what they are given, and can be read without colour."""

from itertools import combinations, pairwise

import matplotlib

matplotlib.use("Agg")

import pytest
from matplotlib import pyplot
from matplotlib.colors import to_rgb

from helpers import plots
from helpers.bill import LINES, MIB

BILLS = {
    "full": {line: (2 + place) * MIB for place, line in enumerate(LINES)},
    "adapters": {line: (place % 3) * 400 * MIB for place, line in enumerate(LINES)},
}


@pytest.fixture
def axes():
    yield plots.bill_chart(BILLS).axes[0]
    pyplot.close("all")


def lightness(colour: str) -> float:
    """CIE L*: 0 is black, 100 white."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    luminance = sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return 116 * luminance ** (1 / 3) - 16 if luminance > 0.008856 else 903.3 * luminance


def test_bill_chart_draws_each_line_of_each_bill_in_mib(axes):
    drawn = {bars.get_label(): [bar.get_width() for bar in bars] for bars in axes.containers}
    assert drawn == {line: [bill[line] / MIB for bill in BILLS.values()] for line in LINES}


def test_bill_chart_stacks_each_line_on_the_one_before(axes):
    for before, after in pairwise(axes.containers):
        assert [bar.get_x() for bar in after] == [bar.get_x() + bar.get_width() for bar in before]


def test_bill_chart_names_each_bill_and_its_total(axes):
    assert [label.get_text() for label in axes.get_yticklabels()] == list(BILLS)
    assert [text.get_text().strip() for text in axes.texts] == ["44", "2,800"]


def test_bill_chart_has_a_legend_of_every_line_and_room_for_the_totals(axes):
    assert [text.get_text() for text in axes.figure.legends[0].get_texts()] == list(LINES)
    assert axes.get_xlim()[1] > 2800 * 1.1


def test_bill_chart_puts_the_first_bill_on_top(axes):
    assert axes.yaxis_inverted()


def test_colours_of_neighbours_differ_in_lightness():
    assert min(abs(lightness(a) - lightness(b)) for a, b in pairwise(plots.COLOURS)) > 12


def test_colours_of_the_lines_that_can_be_long_differ_in_lightness():
    long = ("weights", "gradients", "optimizer state", "activations", "logits")
    colours = [plots.COLOURS[LINES.index(line)] for line in long]
    assert min(abs(lightness(a) - lightness(b)) for a, b in combinations(colours, 2)) > 11


def test_fit_chart_marks_each_need_in_gib_and_each_card():
    needs = {"small": {"full": 8 * 2**30, "adapters": 2**30}, "large": {"full": 80 * 2**30, "adapters": 9 * 2**30}}
    (drawn,) = plots.fit_chart(needs, {"T4": 15 * 2**30}).axes
    marks = {line.get_label(): list(line.get_xdata()) for line in drawn.lines if line.get_marker() != "None"}
    assert marks == {"full": [8, 80], "adapters": [1, 9]}
    assert len({line.get_marker() for line in drawn.lines}) == 3 and drawn.get_xscale() == "log"
    assert [text.get_text() for text in drawn.texts] == ["T4"] and drawn.lines[-1].get_xdata()[0] == 15
    pyplot.close("all")


def test_log_panels_draw_each_run_in_each_panel_with_a_dash_of_its_own():
    curves = {run: {"kl": [place, 2.0], "ratio": [1.0, 3.0]} for place, run in enumerate(("healthy", "a", "b"))}
    figure = plots.log_panels(curves, {"kl": "KL, nats", "ratio": "ratio (log)"})
    first, second = figure.axes[:2]
    drawn = {line.get_label(): list(line.get_ydata()) for line in first.lines}
    assert drawn == {run: of_run["kl"] for run, of_run in curves.items()}
    assert len({line.get_linestyle() for line in second.lines}) == 3 and second.get_yscale() == "log"
    pyplot.close("all")
