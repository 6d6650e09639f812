"""What the benchmarks recorded is what README says, and no claim stands there that its interval does not carry."""

import sys
from pathlib import Path

BENCH = Path(__file__).parent / "bench"
sys.path.insert(0, str(BENCH))
import learn  # noqa: E402
import readme  # noqa: E402


def test_tables_of_the_readme_are_the_recorded_figures():
    text = readme.README.read_text(encoding="utf-8")
    assert readme.with_tables(text) == text


def test_recorded_runs_have_their_curves_and_the_sick_ones_are_there():
    records = learn.recorded()
    assert {"bf16-top-seed0", "sick-no-kl", "sick-learning-rate", "sick-wrong-reference"} <= records.keys()
    assert all({"objective/scores", "seconds"} <= record["history"][0].keys() for record in records.values())


def test_change_whose_interval_holds_0_is_not_claimed():
    assert readme._change({"reward": {"change": [0.2, 0.3]}}, "reward") == "none shown"
    assert readme._change({"reward": {"change": [-0.4, 0.3]}}, "reward") == "-0.40 ± 0.30"


def test_healthy_run_meets_its_bars():
    """At least +0.8 of reward and +0.3 of the lexicon with intervals above 0, at most 6 nats, and its variety kept."""
    found = learn.recorded()["bf16-top-seed0"]
    by = {key: found[key]["change"] for key in ("reward", "lexicon")}
    assert by["reward"][0] >= 0.8 and by["lexicon"][0] >= 0.3 and all(mean > half for mean, half in by.values())
    assert found["kl"]["after"][0] <= 6 and found["distinct_2"]["after"] >= 0.9 * found["distinct_2"]["before"]
    assert found["broken"]["after"] <= found["broken"]["before"] and found["seconds"] <= 300


def test_run_without_kl_is_more_rewarded_and_has_lost_its_variety():
    healthy, hacked = (learn.recorded()[name] for name in ("bf16-top-seed0", "sick-no-kl"))
    assert hacked["reward"]["change"][0] > healthy["reward"]["change"][0] and hacked["kl"]["after"][0] > 20
    assert hacked["distinct_2"]["after"] < 0.9 * hacked["distinct_2"]["before"]
