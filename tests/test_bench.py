"""What the benchmarks recorded is what README says, and no claim stands there that its interval does not carry."""

import json
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parent / "bench"
sys.path.insert(0, str(BENCH))
import learn  # noqa: E402
import readme  # noqa: E402


def test_tables_of_the_readme_are_the_recorded_figures():
    text = readme.README.read_text(encoding="utf-8")
    assert readme.with_tables(text) == text


def test_what_the_readme_says_of_8bit_on_a_gpu_is_what_was_recorded_there():
    found = json.loads((readme.HERE / "gpu.json").read_text())["product_of_bitsandbytes"]
    text = " ".join(readme.README.read_text(encoding="utf-8").split())
    assert f"first KL was {found['first_kl_nats_a_response_in_trl']:.2f} nats a response instead of 0" in text
    assert f"micro-batches {found['gradient_of_micro_batches_of_2_away_from_that_of_8']:.0%} away from" in text


SETTINGS = ("8bit-top", "8bit-all", "bf16-top", "bf16-all")


@pytest.fixture(scope="module")
def settings() -> dict[str, dict]:
    return json.loads((BENCH / "results.json").read_text())["settings"]


@pytest.mark.parametrize("setting", SETTINGS)
def test_ratio_of_a_setting_is_the_median_over_at_least_five_pairs(settings, setting):
    found, pairs = settings[setting], settings[setting]["pairs"]
    assert len(pairs) >= 5
    for kind, unit in (("time_ratio", "seconds"), ("memory_ratio", "peak_bytes")):
        ratios = sorted(pair[f"own_{unit}"] / pair[f"trl_{unit}"] for pair in pairs)
        assert found[kind] == pytest.approx(ratios[len(ratios) // 2], abs=1e-3)
        assert found[f"{kind}_range"] == pytest.approx([ratios[0], ratios[-1]], abs=1e-3)


@pytest.mark.parametrize("record", sorted(BENCH.glob("results*.json")), ids=lambda path: path.stem)
def test_trainer_takes_less_time_and_memory_than_trl_in_every_pair_on_every_processor(record):
    for found in json.loads(record.read_text())["settings"].values():
        assert found["time_ratio_range"][1] < 1 and found["memory_ratio_range"][1] < 1


BARS = {"8bit-top": (0.40, 0.40), "8bit-all": (0.58, 0.48), "bf16-top": (0.40, 0.38), "bf16-all": (0.65, 0.40)}


@pytest.mark.parametrize("setting", SETTINGS)
def test_update_takes_no_more_of_the_time_and_memory_of_trl_than_was_promised(settings, setting):
    time, memory = BARS[setting]
    assert settings[setting]["time_ratio"] <= time and settings[setting]["memory_ratio"] <= memory


def test_optimisation_takes_at_most_1_7_times_what_matrix_products_allow():
    assert json.loads((BENCH / "limit.json").read_text())["limits"]["bf16-top-16"]["times_the_limit"] <= 1.7


def test_time_grows_no_faster_than_tokens_and_memory_hardly():
    sizes = json.loads((BENCH / "growth.json").read_text())["sizes"]
    for name in ("response x4", "batch x4"):
        assert sizes[name]["times_the_tokens"] == 4 and sizes[name]["times_the_seconds"] <= 4
        assert sizes[name]["times_the_memory"] <= 1.3


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


def test_8bit_run_learns_too():
    """Its intervals do not hold 0, its KL is at most 6 nats, and its variety is kept."""
    found = learn.recorded()["8bit-top-seed0"]
    by = {key: found[key]["change"] for key in ("reward", "lexicon")}
    assert all(mean > half for mean, half in by.values()) and found["kl"]["after"][0] <= 6
    assert found["distinct_2"]["after"] >= 0.9 * found["distinct_2"]["before"]


def test_top_third_learned_more_than_all_layers_in_the_same_time():
    """In each of six pairs, and by more than the interval of their mean."""
    earlier = json.loads(readme.EARLIER.read_text())
    top, every = (readme._rewards(name, learn.recorded(), earlier) for name in ("bf16-top-seed", "bf16-all-seed"))
    assert (top > every).all() and "no difference" not in readme._lead(top - every)


def test_value_loss_in_the_adapter_cost_reward():
    """As README and the trainer's docstring say; not in each pair, but by more than the interval of their mean."""
    names, earlier = ("bf16-top-seed", "value-loss-in-the-adapter-seed"), json.loads(readme.EARLIER.read_text())
    without, within = (readme._rewards(name, learn.recorded(), earlier) for name in names)
    assert (without - within).mean() > 0 and "no difference" not in readme._lead(without - within)


def test_lead_is_students_interval():
    """By hand: mean 0.3, standard deviation sqrt(0.02), t of five degrees of freedom 2.571."""
    assert readme._lead(readme.np.array([0.1, 0.2, 0.3, 0.3, 0.4, 0.5])) == "+0.30 ± 0.15"
    assert readme._lead(readme.np.array([-0.2, 0.4, 0.1, -0.1, 0.3, 0.1])) == "+0.10 ± 0.24, which shows no difference"


def test_top_third_and_all_layers_were_given_the_same_time():
    """Within a tenth: the two runs of a seed ran side by side."""
    for pair in readme.rivals().values():
        top, every = (learn.recorded()[name]["seconds"] for name in pair)
        assert every == pytest.approx(top, rel=0.1)


def test_run_without_kl_is_more_rewarded_and_has_lost_its_variety():
    healthy, hacked = (learn.recorded()[name] for name in ("bf16-top-seed0", "sick-no-kl"))
    assert hacked["reward"]["change"][0] > healthy["reward"]["change"][0] and hacked["kl"]["after"][0] > 20
    assert hacked["distinct_2"]["after"] < 0.9 * hacked["distinct_2"]["before"]
