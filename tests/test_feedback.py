"""Ratings become preferences and prompts, and no sentence is on two sides of the split."""

import re
from collections import Counter
from itertools import pairwise

import pytest
import torch
from conftest import letter_tokenizer

from helpers import feedback
from helpers.feedback import Pair, Sentence
from helpers.model import load_tokenizer


@pytest.fixture
def ratings(written_ratings) -> tuple[Sentence, ...]:
    return feedback.sentences()


@pytest.fixture(scope="module")
def real() -> tuple[Sentence, ...]:
    feedback.sentences.cache_clear()
    return feedback.sentences()


def padding(side: str, token: str | None):
    tokenizer = letter_tokenizer()
    tokenizer.padding_side, tokenizer.pad_token = side, token
    return tokenizer


def words(sentence: Sentence) -> str:
    return " ".join(re.findall(r"\w+", sentence.text.lower()))


def test_sentences_hold_the_text_and_every_rating_of_the_files(ratings):
    assert ratings[3] == Sentence("film 3 was good , at least in part , and then it ended", (1, -1, 4))


def test_sentences_of_the_three_splits_are_all_of_them_once(ratings):
    parts = [sentence for split in feedback.SPLITS for sentence in feedback.sentences(split)]
    assert Counter(parts) == Counter(ratings)


def test_sentences_refuse_an_unknown_split():
    with pytest.raises(ValueError, match="Unknown split 'dev'; it is one of train, validation, test"):
        feedback.sentences("dev")


def test_split_is_the_same_for_two_copies_that_differ_in_case_and_punctuation():
    copies = [(Sentence(f"A film, no {n}!", (1,)), Sentence(f"a FILM no {n} ...", (2,))) for n in range(100)]
    assert [first.split == second.split for first, second in copies] == [True] * 100


@pytest.mark.real
def test_split_puts_no_sentence_on_two_sides(real):
    sides = {}
    for sentence in real:
        sides.setdefault(words(sentence), set()).add(sentence.split)
    assert len(real) == 10_605 and {len(where) for where in sides.values()} == {1}


@pytest.mark.real
def test_split_is_80_to_10_to_10_within_a_point(real):
    shares = {split: count / len(real) for split, count in Counter(sentence.split for sentence in real).items()}
    assert shares == pytest.approx({"train": 0.8, "validation": 0.1, "test": 0.1}, abs=0.01)


@pytest.mark.real
def test_every_sentence_has_15_or_more_ratings_from_minus_4_to_4(real):
    assert min(len(sentence.ratings) for sentence in real) >= 15
    assert {type(r) for s in real for r in s.ratings} == {int}
    assert {r for s in real for r in s.ratings} == set(range(-4, 5))


@pytest.mark.real
def test_ratings_have_the_mean_that_the_study_states(real):
    stated = [float(row[1]) for row in feedback._rows(feedback.TEXTS).values()]
    assert max(abs(sentence.mean_rating - mean) for sentence, mean in zip(real, stated, strict=True)) < 0.006


@pytest.mark.parametrize(
    ("first", "second", "share"),
    [((1, 2), (0, 0), 1), ((0,), (0, 0), 1 / 2), ((3, -1), (1, -1), 5 / 8), ((2, -2, 0), (1,), 1 / 3)],
)
def test_preference_is_the_share_of_comparisons_that_the_first_wins(first, second, share):
    assert Pair(Sentence("a", first), Sentence("b", second)).preference == pytest.approx(share)


def test_preference_of_the_first_and_of_the_second_add_up_to_one(ratings):
    both = [(Pair(a, b).preference, Pair(b, a).preference) for a, b in pairwise(ratings)]
    assert [first + second for first, second in both] == pytest.approx([1] * len(both))


def test_pairs_keep_within_their_split(ratings):
    drawn = feedback.preference_pairs("validation", 50)
    assert {s.split for pair in drawn for s in (pair.first, pair.second)} == {"validation"}


def test_pairs_hold_each_sentence_at_most_once_in_a_pass(ratings):
    passes = len(feedback.sentences("train")) // 2
    drawn = feedback.preference_pairs("train", 2 * passes)
    for one_pass in (drawn[:passes], drawn[passes:]):
        assert max(Counter(s for pair in one_pass for s in (pair.first, pair.second)).values()) == 1


def test_pairs_are_drawn_from_the_seed_alone(ratings):
    first, again, other = (feedback.preference_pairs("train", 20, seed) for seed in (1, 1, 2))
    assert first == again != other


def test_pairs_have_the_gap_that_was_asked_for(ratings):
    drawn = feedback.preference_pairs("train", 50, min_rating_gap=1.5)
    assert min(abs(pair.rating_gap) for pair in drawn) > 1.5


def test_pairs_with_a_gap_that_no_pair_has_are_refused(ratings):
    with pytest.raises(ValueError, match="No two sentences of the train split are more than 8 rating points"):
        feedback.preference_pairs("train", 1, min_rating_gap=8)


def test_prompts_are_the_first_6_to_8_tokens_of_sentences_of_the_split(ratings):
    tokenizer = letter_tokenizer()
    rows = feedback.prompts("test", tokenizer, 12)["input_ids"]
    begins = tuple(sentence.text for sentence in feedback.sentences("test"))
    assert {len(row) for row in rows} <= {6, 7, 8}
    assert all(any(text.startswith(tokenizer.decode(row)) for text in begins) for row in rows)


def test_prompts_are_drawn_from_the_seed_alone(ratings):
    first, again, other = (feedback.prompts("train", letter_tokenizer(), 20, seed)["input_ids"] for seed in (1, 1, 2))
    assert first == again != other


def test_prompts_more_than_there_are_sentences_are_refused(ratings):
    available = len(feedback.sentences("test"))
    with pytest.raises(ValueError, match=f"{available} sentences that are long enough, and {available + 1} were"):
        feedback.prompts("test", letter_tokenizer(), available + 1)


@pytest.mark.real
def test_prompts_of_the_real_model_leave_half_of_the_sentence_to_write(real):
    tokenizer = load_tokenizer()
    rows = feedback.prompts("test", tokenizer, 64)["input_ids"]
    lengths = {s.text: len(tokenizer(s.text, add_special_tokens=False)["input_ids"]) for s in real if s.split == "test"}
    assert {len(row) for row in rows} == {6, 7, 8}
    for begin in map(tokenizer.decode, rows):
        assert max(n for text, n in lengths.items() if text.startswith(begin)) >= 12


def test_collator_pads_on_the_left():
    batch = feedback.prompt_collator(padding("left", "<unk>"))([{"input_ids": [5, 6, 7]}, {"input_ids": [8]}])
    assert batch["input_ids"].tolist() == [[5, 6, 7], [0, 0, 8]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [0, 0, 1]]


@pytest.mark.parametrize(
    ("side", "token", "words"),
    [("right", "<unk>", "padding_side = 'left'"), ("left", "<eos>", "mask the end"), ("left", None, "is missing")],
)
def test_collator_refuses_padding_that_spoils_responses(side, token, words):
    with pytest.raises(ValueError, match=words):
        feedback.prompt_collator(padding(side, token))


def test_lexicon_scores_put_praise_above_blame():
    praise, neutral, blame = feedback.lexicon_scores(["a wonderful film", "a film", "a terrible film"])
    assert 1 >= praise > neutral == 0 > blame >= -1


def test_lexicon_scores_are_one_float32_a_text():
    scores = feedback.lexicon_scores(["good", "bad", ""])
    assert (scores.shape, scores.dtype) == ((3,), torch.float32)
