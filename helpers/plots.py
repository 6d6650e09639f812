"""The pictures of the course, always in the same colours: safe for colour-blind readers, and apart in grey."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from helpers.bill import LINES, MIB

# Okabe & Ito's palette, ordered so that neighbours in a bar, and the five lines that can be long, differ in lightness.
COLOURS = ("#0072B2", "#CC79A7", "#F0E442", "#E69F00", "#009E73", "#000000", "#56B4E9", "#D55E00")
MARKERS, COLOURS_OF_MARKERS = ("o", "s", "^", "D"), ("#0072B2", "#E69F00", "#009E73", "#000000")
HATCHES = ("", "//", "", "..", "", "\\\\", "", "xx")
# Line, colour and width of up to four runs in one panel.
STYLES_OF_RUNS = (("-", "black", 2.5), ("--", "#D55E00", 1.5), (":", "#0072B2", 2.0), ("-.", "#009E73", 1.5))


def bill_chart(bills: Mapping[str, Mapping[str, int]]) -> Figure:
    """Draw one stacked bar for each bill: where the memory goes, in MiB, and the total at its end.

    Args:
        bills: for each label, bytes for each of `bill.LINES`.
    """
    figure, axes = plt.subplots(figsize=(8, 1.4 + 0.5 * len(bills)), layout="constrained")
    labels = list(bills)
    left = [0.0] * len(labels)
    for line, colour, hatch in zip(LINES, COLOURS, HATCHES, strict=True):
        widths = [bills[label][line] / MIB for label in labels]
        axes.barh(labels, widths, left=left, color=colour, hatch=hatch, edgecolor="white", linewidth=0.5, label=line)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    for row, total in enumerate(left):
        axes.text(total, row, f" {total:,.0f}", va="center")
    axes.invert_yaxis()
    axes.set_xlim(0, max(left) * 1.12)
    axes.set_xlabel("memory of one PPO update, MiB")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    return figure


def fit_chart(needs: Mapping[str, Mapping[str, int]], cards: Mapping[str, int]) -> Figure:
    """Mark what each model needs by each method, on a logarithmic scale, beside the memory of some cards.

    Args:
        needs: for each model, bytes by each method; at most four methods.
        cards: bytes of each card.
    """
    figure, axes = plt.subplots(figsize=(8, 1.6 + 0.3 * len(needs)), layout="constrained")
    methods = list(next(iter(needs.values())))
    for method, marker, colour in zip(methods, MARKERS, COLOURS_OF_MARKERS, strict=False):
        sizes = [of_model[method] / 2**30 for of_model in needs.values()]
        axes.plot(sizes, list(needs), marker, color=colour, markersize=8, label=method)
    for place, (card, size) in enumerate(sorted(cards.items(), key=lambda of_card: of_card[1])):
        axes.axvline(size / 2**30, color="black", linestyle="--", linewidth=1)
        axes.text(size / 2**30, -0.7 - 0.6 * (place % 2), card, ha="center", va="bottom")  # neighbours in two rows
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("memory needed, GiB")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=len(methods), frameon=False)
    return figure


def log_panels(curves: Mapping[str, Mapping[str, Sequence[float]]], metrics: Mapping[str, str]) -> Figure:
    """Draw the logs of some runs, a panel a metric; the first run in a thick dark line, the others dashed.

    Args:
        curves: for each run, at most four, and each metric one number an update.
        metrics: at most four, and how the axis of each is labelled, with its unit; "(log)" in it makes the axis so.
    """
    figure, panels = plt.subplots(2, 2, figsize=(8, 5), sharex=True, layout="constrained")
    for axes, (metric, label) in zip(panels.flat, metrics.items(), strict=False):
        for (run, of_run), (style, colour, width) in zip(curves.items(), STYLES_OF_RUNS, strict=False):
            updates = range(1, len(of_run[metric]) + 1)
            axes.plot(updates, of_run[metric], style, color=colour, linewidth=width, label=run)
        axes.set_ylabel(label)
        axes.set_yscale("log" if "(log)" in label else "linear")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[1]:
        axes.set_xlabel("update")
    figure.legend(*panels.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure
