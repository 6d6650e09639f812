"""Each wrong answer gets its own hint, each right one passes, whatever the inputs; and the parts stay apart."""

import ast
import copy
import re
from functools import cache
from pathlib import Path

import pytest
import torch

from helpers.checks import check as check_module
from helpers.checks import plain
from helpers.checks.check import AnswerFailed, CheckStopped, MissingAnswer, WrongAnswer, check
from helpers.checks.registry import EXERCISES, exercise

BANK = Path(__file__).parent / "wrong_answers"
CHECKS = Path(__file__).parents[1] / "helpers" / "checks"
WRONG = sorted(BANK.glob("*/wrong_*.py"))
RIGHT = sorted(BANK.glob("*/right_*.py"))
SEEDS = (0, 1, 2**62)
MISSHAPEN = (
    "shape",
    "result_transposed",
    "one_too_many",
    "not_a_tensor",
    "not_a_pair",
    "in_a_tuple",
    "pair_in_a_tuple",
    "gather_forgotten",
    "squeeze_forgotten",
    "summed",
)


def answer_in(path: Path):
    namespace = {}
    exec(compile(path.read_text(), path.name, "exec"), namespace)
    return namespace[exercise(path.parent.name).function]


@cache
def drawn(exercise_id: str, seed: int) -> dict:
    return exercise(exercise_id).inputs(seed)


@cache
def verdict_on(path: Path, seed: int):
    asked = exercise(path.parent.name)
    inputs = copy.deepcopy(drawn(asked.id, seed))
    return asked.verdict(inputs, plain.validated(asked.call(answer_in(path), inputs), asked.outputs))  # as in a grading


def named(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def same(first, second) -> bool:
    return torch.equal(first, second) if isinstance(first, torch.Tensor) else first == second


@pytest.mark.parametrize("exercise_id", EXERCISES)
def test_inputs_reach_the_process_of_the_answer_as_they_were_drawn_and_in_their_order(exercise_id):
    drawn = exercise(exercise_id).inputs(3)
    given = plain.unpacked(plain.packed(drawn))
    assert list(given) == list(drawn) and all(same(given[name], drawn[name]) for name in drawn)


@pytest.mark.filterwarnings("ignore:Using backward\\(\\) with create_graph=True")
@pytest.mark.parametrize("path", WRONG, ids=named)
def test_wrong_answer_gets_its_own_hint_on_any_inputs(path):
    due = path.read_text().splitlines()[0].removeprefix("# hint: ")
    verdicts = [verdict_on(path, seed) for seed in SEEDS]
    assert [(verdict.hint_name, verdict.passed) for verdict in verdicts] == [(due, False)] * len(SEEDS)


@pytest.mark.parametrize("path", RIGHT, ids=named)
def test_right_answer_passes_on_any_inputs(path):
    verdicts = [verdict_on(path, seed) for seed in SEEDS]
    assert [(verdict.hint_name, verdict.passed) for verdict in verdicts] == [("", True)] * len(SEEDS)


@pytest.mark.parametrize("exercise_id", EXERCISES)
def test_bank_holds_enough_answers_and_no_hint_text_twice(exercise_id):
    wrong = [path for path in WRONG if path.parent.name == exercise_id]
    hints = {verdict_on(path, 0).hint_name: verdict_on(path, 0).hint for path in wrong}
    assert len(wrong) >= 6 and any(path.parent.name == exercise_id for path in RIGHT)
    assert len(set(hints.values())) == len(hints)


@pytest.mark.parametrize("exercise_id", EXERCISES)
def test_bank_mostly_returns_the_right_kind_and_shape(exercise_id):
    names = [verdict_on(path, 0).hint_name for path in WRONG if path.parent.name == exercise_id]
    misshapen = [name for name in names if name in MISSHAPEN]
    assert len(misshapen) * 3 <= len(names)


@pytest.mark.parametrize("path", RIGHT, ids=named)
def test_result_remembered_from_the_fixed_inputs_fails_on_fresh_ones(path):
    asked = exercise(path.parent.name)
    with torch.random.fork_rng(devices=[]):
        remembered = []
        asked.call(lambda *given: remembered.append(answer_in(path)(*given)) or remembered[-1], asked.inputs(11))
        outputs = asked.call(lambda *given: remembered[0], asked.inputs(12))
    assert not asked.verdict(asked.inputs(12), outputs).passed


@pytest.mark.parametrize("exercise_id", EXERCISES)
def test_inputs_are_drawn_from_the_seed_alone(exercise_id):
    first, again, other = (exercise(exercise_id).inputs(seed) for seed in (3, 3, 4))
    assert all(same(first[name], again[name]) for name in first)
    assert not all(same(first[name], other[name]) for name in first)


@pytest.mark.parametrize("path", sorted(CHECKS.rglob("*.py")), ids=lambda path: str(path.relative_to(CHECKS)))
def test_parts_of_a_check_import_no_verdict_before_the_answer_ran_and_never_a_solution(path):
    forbidden = (
        ("solutions", "exercises")
        if path.parent.name == "verdicts" or path.name == "check.py"
        else ("solutions", "exercises", "verdicts")
    )
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not [name for name in names if set(name.split(".")) & set(forbidden)]


def test_check_says_got_due_and_cause_of_a_wrong_answer():
    with pytest.raises(WrongAnswer) as stopped:
        check("2.1", answer_in(BANK / "2.1" / "wrong_sign.py"))
    assert [
        part in str(stopped.value)
        for part in ("got  (13, 13) float32, row ", "due  (13, 13) float32, row ", "wrong sign")
    ] == [True] * 3


def test_check_names_the_element_that_differs_most_by_its_row_and_column():
    def one_element_off(weight, lora_A, lora_B, lora_alpha, r):
        merged = weight + lora_alpha / r * (lora_B @ lora_A)
        merged[2, 5] += 1
        return merged

    with pytest.raises(WrongAnswer, match=r"differs most at \[2, 5\], counted from 0"):
        check("2.1", one_element_off)


def test_check_does_not_name_an_element_that_is_right_where_a_whole_row_is_0():
    def one_element_off(rewards, scored):
        advantages = answer_in(BANK / "6.2" / "right_row_by_row.py")(rewards, scored)
        advantages[0, 5] += 1
        return advantages

    with pytest.raises(WrongAnswer, match=r"differs most at \[0, 5\],"):
        check("6.2", one_element_off)


def test_check_offers_the_first_hint_at_the_third_failure_and_the_second_at_the_sixth():
    answer, said = answer_in(BANK / "2.1" / "wrong_sign.py"), []
    check_module._failures.clear()
    for _ in range(6):
        with pytest.raises(WrongAnswer) as stopped:
            check("2.1", answer)
        said.append(str(stopped.value))
    first, second = exercise("2.1").hints
    assert [first in text for text in said] == [False, False, True, True, True, False]
    assert [second in text for text in said] == [False] * 5 + [True]
    check("2.1", answer_in(BANK / "2.1" / "right_addmm.py"))
    with pytest.raises(WrongAnswer) as stopped:
        check("2.1", answer)
    assert first not in str(stopped.value)


def test_check_of_an_unanswered_exercise_names_the_function_to_write():
    def unanswered(*given):
        raise NotImplementedError("Exercise 2.1: your lines here")

    with pytest.raises(MissingAnswer, match=r"Exercise 2\.1 waits for your answer: in merged_weight"):
        check("2.1", unanswered)


def test_check_names_the_line_of_an_error_in_the_answer_and_the_shapes_there():
    def forgot_to_transpose(weight, lora_A, lora_B, lora_alpha, r):
        return weight + lora_alpha / r * (lora_A @ lora_B)

    with pytest.raises(AnswerFailed) as stopped:
        check("2.1", forgot_to_transpose)
    said = str(stopped.value)
    assert "line   return weight + lora_alpha / r * (lora_A @ lora_B)" in said
    assert "error  RuntimeError: The size of tensor" in said and "lora_B (13, 3) float32" in said
    assert isinstance(stopped.value.__cause__, RuntimeError)


def test_check_of_an_answer_that_asks_a_dictionary_for_what_it_has_not_lists_its_keys():
    def misspelt(logs):
        first = logs["run 1"]
        return first["reward"]

    there = r"there  logs with the keys 'run 1', .*'run 6', first with the keys 'loss', .*'people agree'"
    with pytest.raises(AnswerFailed, match=there):
        check("6.4", misspelt)


def test_check_of_an_answer_that_takes_a_row_of_numbers_for_a_matrix_shows_its_shape():
    def rows_and_columns(tensors, skipped):
        return sum(t["shape"][0] * t["shape"][1] for t in tensors)

    with pytest.raises(AnswerFailed, match=r"'tensor' = 'bias', 'shape' = \[\d+\], 'bytes_each' = 2"):
        check("1.4", rows_and_columns)


def test_error_in_what_an_answer_calls_is_told_where_it_stands():
    def product(left, right):
        return left @ right

    @torch.no_grad()
    def calls_another(weight, lora_A, lora_B, lora_alpha, r):
        return weight + product(lora_A, lora_A)

    with pytest.raises(AnswerFailed, match=r"line   return left @ right\n.*\n  there  left \(3, 13\) float32"):
        check("2.1", calls_another)


def test_error_that_cannot_be_shown_is_shown_as_far_as_it_can():
    class Unspeakable(Exception):
        def __str__(self):
            raise ValueError

    def answer(weight, lora_A, lora_B, lora_alpha, r):
        nested = torch.nested.nested_tensor([weight, lora_A])
        raise Unspeakable(nested)

    with pytest.raises(AnswerFailed, match=r"error  .*Unspeakable.*\n  there  .*nested, a Tensor"):
        check("2.1", answer)


def test_check_says_how_to_see_the_inputs_where_it_knows_no_cause_and_only_there():
    said = []
    for answer in (answer_in(BANK / "2.1" / "wrong_sign.py"), lambda weight, *_: 0.3 * weight):
        with pytest.raises(WrongAnswer) as stopped:
            check("2.1", answer)
        said.append('`exercise("2.1").inputs(' in str(stopped.value))
    assert said == [False, True]


def test_error_of_an_answer_counts_as_a_try():
    def unsupported(*given):
        raise NotImplementedError("this operation has no int8 kernel")

    check_module._failures.clear()
    said = []
    for _ in range(3):
        with pytest.raises(AnswerFailed) as stopped:
            check("2.1", unsupported)
        said.append(exercise("2.1").hints[0] in str(stopped.value))
    assert said == [False, False, True]


def test_error_outside_the_answer_comes_through_as_it_is():
    with pytest.raises(TypeError, match="takes 0 positional"):
        check("2.1", lambda: None)


def test_check_of_logs_describes_the_one_that_is_named_wrongly_by_both_its_ends():
    of_logs = [log["objective/kl"] for log in exercise("4.4").inputs(check_module._SEED).values()]
    ends = [f"KL {kl[0]:.1f} at first and {kl[-1]:.1f} at the end" for kl in of_logs]
    with pytest.raises(WrongAnswer) as stopped:
        check("4.4", lambda log: "no_kl_penalty")
    assert any(said in str(stopped.value) for said in ends)


def test_check_shows_its_message_without_a_traceback():
    assert CheckStopped("Only this.")._render_traceback_() == ["Only this."]


def test_a_long_message_is_shown_in_lines_of_at_most_80_columns_that_break_between_words():
    message = "Not right.\n\n  got  " + "0.125, " * 20 + "\n\nLikely cause: " + "left-padded " * 20
    lines = "\n".join(CheckStopped(message)._render_traceback_()).splitlines()
    assert max(map(len, lines)) <= 80 and len(lines) > 6
    assert " ".join(lines).split() == message.split()


def test_check_leaves_the_random_numbers_of_the_notebook_alone():
    torch.manual_seed(5)
    due = torch.rand(3)
    torch.manual_seed(5)
    check("3.1", answer_in(BANK / "3.1" / "right_cross_entropy.py"))
    assert torch.equal(torch.rand(3), due)


def test_check_of_an_unknown_exercise_lists_those_there_are():
    with pytest.raises(ValueError, match=f"There are: {', '.join(map(re.escape, EXERCISES))}"):
        check("9.9", print)
