"""Pages for people: feedback for each learner, and one overview. All on them is text; nothing on them can run."""

import hashlib
import html
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

from helpers.checks.registry import EXERCISES, PROJECT_ID, PROJECT_TITLE
from helpers.course.handin import name_and_number
from helpers.course.notebook import write_text
from helpers.course.table import Row, printable, shares_of_points, summary
from helpers.download import written_aside

_BINS = 10
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff; max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem; }
body.wide { max-width: none; margin: 2rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .3rem; }
pre { background: #f4f4f2; border-left: 4px solid #c8c8c4; padding: .7rem; overflow-x: auto; font-size: .85rem; }
table { border-collapse: collapse; font-size: .85rem; } th, td { padding: .2rem .5rem; text-align: left; }
.key { padding: .1rem .5rem; margin-right: .3rem; color: #1b1b1b; }
td.mark { text-align: center; border: 1px solid #fff; min-width: 3.2rem; } .scroll { overflow-x: auto; }
.all { background: #cfe3f5; } .part { background: #e8eef3; } .none { background: #f6e0c4; }
.odd { background: #e2e2e2; } .missing { color: #767676; }
.note { color: #555; } .hint { background: #fdf6e3; border-left: 4px solid #d9a32e; padding: .5rem .7rem; }
rect { fill: #0072b2; } text { font-size: 12px; fill: #1b1b1b; }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # even if something slipped in, it would not run
_COLOURS = {
    "all": "all points",
    "part": "some of them",
    "none": "a wrong answer",
    "odd": "crash, timeout or refused",
    "missing": "-, no answer",
}
_SAID = {
    "ok": "ran, and is not right yet",
    "missing": "no answer",
    "refused": "could not be graded; ask your instructor",
    "crash": "stopped with an error",
    "timeout": "took too long",
}


def write(rows: list[Row], overview: Path, folder: Path, remarks: Sequence[str] = ()) -> None:
    """Write the overview, and into the folder a page for each learner. Pages of an earlier grading are replaced.

    Args:
        remarks: sentences for the instructor alone, on the overview.
    """
    folder.mkdir(exist_ok=True)
    own = {}
    for row in rows:
        own.setdefault(row.learner, []).append(row)
    for learner, theirs in own.items():
        write_text(feedback(learner, theirs), folder / page_name(learner))
    write_text(_overview(rows, own, folder.name, remarks), overview)


def for_moodle(learners: Iterable[str], folder: Path, target: Path) -> None:
    """Write the pages into a zip as Moodle takes feedback back: in folders that are named like those it exported.

    Moodle's own reader, mod/assign/feedback/file/importziplib.php, cuts such a name at _: a full name, the number, the
    type of the plugin, and the plugin. Older ones want a fifth part, so that the name ends with _, as Moodle's do.

    Args:
        learners: whose pages; who has no number of Moodle's is left out.
        folder: where the pages are.
        target: the zip.
    """
    with written_aside(target) as aside, zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as archive:
        for learner in learners:
            name, number = name_and_number(learner)
            if number:
                full_name = re.sub(r"[^\w .'-]|_", " ", printable(name))
                page = (folder / page_name(learner)).read_bytes()
                archive.writestr(f"{full_name}_{number}_assignsubmission_file_/feedback.html", page)


def page_name(learner: str) -> str:
    """A file name that any system takes, another one for each learner."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", learner) if not unicodedata.combining(sign))
    kept = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")[:40]
    return f"{kept or 'learner'}-{hashlib.sha256(learner.encode(errors='surrogatepass')).hexdigest()[:8]}.html"


def feedback(learner: str, rows: list[Row]) -> str:
    """The page of one learner: each exercise with its points, what is to be said, and the code that was graded."""
    given, possible = sum(row.points for row in rows), sum(row.of for row in rows)
    parts = [f"<h1>{_text(learner)}</h1>", f"<p>{given:g} of {possible} points.</p>"]
    titles = {asked.id: asked.title for asked in EXERCISES.values()} | {PROJECT_ID: PROJECT_TITLE}
    for row in rows:
        title = titles.get(row.exercise, "")
        late = ", handed in late" if row.late == "yes" else ""
        date = f" ({_text(row.handed_in)}{late})" if row.handed_in else ""
        parts.append(f"<h2>Exercise {_text(row.exercise)} · {_text(title)} · {row.points:g} of {row.of}</h2>")
        said = "right" if row.points >= row.of else _SAID.get(row.status, row.status)
        parts.append(f'<p class="note">{_text(said)}{date}</p>')
        if row.reason:
            box = "note" if said == "right" else "hint"
            parts.append(f'<p class="{box}">{_marked(row.reason)}</p>')
        if row.code and row.status != "missing":  # a template that was not filled in
            parts.append(f"<pre><code>{_lines(row.code)}</code></pre>")
    return _page(f"Feedback for {printable(learner)}", parts, "narrow")


def _overview(rows: list[Row], own: dict[str, list[Row]], folder: str, remarks: Sequence[str]) -> str:
    said = "<br>".join(_text(line) for line in summary(rows).splitlines())
    parts = ["<h1>Overview of the grading</h1>", f"<p>{len(own)} learners. {said}</p>"]
    if any(row.isolation.startswith("none") for row in rows):
        parts.append('<p class="hint"><strong>Graded without isolation (--unsafe).</strong></p>')
    parts += [f'<p class="hint">{_text(remark)}</p>' for remark in remarks]
    parts += ["<h2>How many learners have how much of the points</h2>", _histogram(own)]
    legend = " ".join(f'<span class="key {kind}">{meaning}</span>' for kind, meaning in _COLOURS.items())
    parts += ["<h2>Learners and exercises</h2>", f'<p class="note">{legend} A reason shows under the pointer.</p>']
    parts.append(_matrix(rows, own, folder))
    return _page("Overview of the grading", parts, "wide")


def _histogram(own: dict[str, list[Row]]) -> str:
    counts = [0] * _BINS
    for rows in own.values():
        share = sum(row.points for row in rows) / max(sum(row.of for row in rows), 1)
        counts[max(0, min(int(share * _BINS), _BINS - 1))] += 1
    tallest, bars = max(*counts, 1), []
    for place, count in enumerate(counts):
        height = round(140 * count / tallest)
        x, y = 40 + 58 * place, 160 - height
        bars.append(f'<rect x="{x}" y="{y}" width="50" height="{height}"></rect>')
        bars.append(f'<text x="{x + 25}" y="{y - 4}" text-anchor="middle">{count}</text>')
        span = f"{100 * place // _BINS}-{100 * (place + 1) // _BINS}%"
        bars.append(f'<text x="{x + 25}" y="176" text-anchor="middle">{span}</text>')
    label = "Number of learners by their share of all points: " + ", ".join(map(str, counts))
    axis = '<text x="330" y="194" text-anchor="middle">share of all points (bars: number of learners)</text>'
    return f'<svg viewBox="0 0 640 200" width="640" role="img" aria-label="{label}">{"".join(bars)}{axis}</svg>'


def _matrix(rows: list[Row], own: dict[str, list[Row]], folder: str) -> str:
    exercises = list(dict.fromkeys(row.exercise for row in rows))
    shares = shares_of_points(rows)
    heads = "".join(f"<th>{_text(exercise)}</th>" for exercise in exercises)
    lines = [f"<tr><th>learner</th><th>points</th>{heads}</tr>"]
    for learner, theirs in own.items():
        by_exercise = {row.exercise: row for row in theirs}
        cells = "".join(_cell(by_exercise.get(exercise)) for exercise in exercises)
        link = f'<a href="{html.escape(quote(folder))}/{page_name(learner)}">{_text(learner)}</a>'
        total = f"{sum(row.points for row in theirs):g} of {sum(row.of for row in theirs)}"
        lines.append(f"<tr><td>{link}</td><td>{total}</td>{cells}</tr>")
    average = "".join(f"<td>{shares[e]:.0%}</td>" if e in shares else "<td></td>" for e in exercises)
    lines.append(f"<tr><td>of what was graded</td><td></td>{average}</tr>")
    return f'<div class="scroll"><table>{"".join(lines)}</table></div>'


def _cell(row: Row | None) -> str:
    if row is None:
        return "<td></td>"
    if row.status == "ok" or row.points:
        kind = "all" if row.points >= row.of else "part" if row.points else "none"
    else:
        kind = "missing" if row.status == "missing" else "odd"
    mark = f"{row.points:g}" if row.status == "ok" or row.points else "-" if row.status == "missing" else row.status
    late = " late" if row.late == "yes" else ""
    by_hand = " by hand" if row.by_hand else ""
    return f'<td class="mark {kind}" title="{_text(row.reason)}">{_text(mark)}{late}{by_hand}</td>'


def _text(value: object) -> str:
    return html.escape(printable(value))


def _marked(reason: str) -> str:
    """The text of a hint, in which `code` and *emphasis* are marked as in the notebooks."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", _text(reason))
    return re.sub(r"(?<![\w*])\*(\w[^*<]*)\*(?![\w*])", r"<em>\1</em>", marked)


def _lines(code: str) -> str:
    """Code as it is, but for what is not printable: among it are signs that turn the direction of reading."""
    shown = "".join(letter if letter.isprintable() or letter in "\t\n" else "?" for letter in code)
    return html.escape(shown)


def _page(title: str, parts: list[str], width: str) -> str:
    head = f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    head += '<meta name="viewport" content="width=device-width">'
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}<title>{_text(title)}</title><style>{_STYLE}</style></head>\n'
        f'<body class="{width}">\n{chr(10).join(parts)}\n</body></html>\n'
    )
