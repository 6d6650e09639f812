"""What people said: film-review sentences, each rated by 15 or more people, as preferences and as prompts.

The ratings are those of Hutto & Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social
Media Text", ICWSM 2014 (MIT licence): 10,605 sentences, every person's rating from -4 (very negative) to +4.
"""

import ast
import functools
import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import torch
from transformers import DataCollatorWithPadding, PreTrainedTokenizerBase

from helpers.download import Source, cache_folder, extract, fetch

if TYPE_CHECKING:
    from datasets import Dataset

SOURCE = Source(
    package="vaderSentiment",
    version="3.3.2",
    filename="vaderSentiment-3.3.2.tar.gz",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    size_bytes=2_466_783,
)
ARCHIVE = "additional_resources/hutto_ICWSM_2014.tar.gz"  # inside the source distribution
TEXTS = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
RATINGS = "hutto_ICWSM_2014/movieReviewSnippets_anonDataRatings.txt"
SPLITS = {"train": range(0, 80), "validation": range(80, 90), "test": range(90, 100)}


@dataclass(frozen=True)
class Sentence:
    """A sentence and what each person made of it, from -4 to +4."""

    text: str
    ratings: tuple[int, ...]

    @property
    def mean_rating(self) -> float:
        return fmean(self.ratings)

    @property
    def split(self) -> str:
        """ "train" (80%), "validation" or "test" (10% each): drawn from the words alone, so that the split needs no
        list, never changes, and puts two copies of a sentence on the same side."""
        words = " ".join(re.findall(r"\w+", self.text.lower()))
        percent = int(hashlib.sha256(words.encode()).hexdigest(), 16) % 100
        return next(name for name, percents in SPLITS.items() if percent in percents)


@dataclass(frozen=True)
class Pair:
    """Two sentences. People rated how positive each is; the more positive one counts as preferred (a tie as half)."""

    first: Sentence
    second: Sentence

    @property
    def preference(self) -> float:
        """P(a random reader of `first` rated it above what a random reader of `second` gave), in [0, 1].

        Each of the m x n comparisons of two people's ratings votes; disagreement and ties stay visible: 0.5 is a pair
        that people cannot decide.
        """
        votes = [(a > b) + 0.5 * (a == b) for a in self.first.ratings for b in self.second.ratings]
        return fmean(votes)

    @property
    def rating_gap(self) -> float:
        """Mean rating of the first minus that of the second, in rating points."""
        return self.first.mean_rating - self.second.mean_rating


def prepare() -> None:
    """Do what needs the network now: fetch and verify, once; and unpack anew, so that a damaged file is mended."""
    for member in (TEXTS, RATINGS):
        (cache_folder() / "ratings" / Path(member).name).unlink(missing_ok=True)
    sentences.cache_clear()
    print(f"{len(sentences())} rated sentences are ready.", flush=True)


@functools.cache
def sentences(split: str | None = None) -> tuple[Sentence, ...]:
    """The rated sentences of one split, or all of them, in the order of the file.

    Raises:
        ValueError: an unknown split.
        CourseError: the ratings cannot be had.
    """
    if split is not None:
        if split not in SPLITS:
            raise ValueError(f"Unknown split {split!r}; it is one of {', '.join(SPLITS)}.")
        return tuple(s for s in sentences() if s.split == split)
    texts, ratings = (_rows(member) for member in (TEXTS, RATINGS))
    return tuple(Sentence(texts[key][-1].strip(), tuple(ast.literal_eval(ratings[key][-1]))) for key in texts)


def preference_pairs(split: str, count: int, seed: int = 0, min_rating_gap: float = 0.0) -> list[Pair]:
    """Draw pairs of sentences of one split; a sentence comes again only after all have come.

    Args:
        split: "train", "validation" or "test". Both sentences come from it: none is ever on both sides.
        count: how many pairs.
        seed: of the draw.
        min_rating_gap: leave out pairs whose mean ratings differ by no more than this (rating points); at 0, none.

    Raises:
        ValueError: no two sentences of the split are so far apart.
    """
    return list(islice(_all_pairs(split, seed, min_rating_gap), count))


def prompts(split: str, tokenizer: PreTrainedTokenizerBase, count: int, seed: int = 0) -> "Dataset":
    """The same as `prompt_ids`, as a `datasets.Dataset` with one column, `input_ids`, and one row a prompt."""
    from datasets import Dataset  # 80 MiB of memory, which a training on plain lists does not need

    return Dataset.from_dict({"input_ids": prompt_ids(split, tokenizer, count, seed)})


def prompt_ids(split: str, tokenizer: PreTrainedTokenizerBase, count: int, seed: int = 0) -> list[list[int]]:
    """Prompts: the first 6, 7 or 8 tokens of sentences of one split that are at least twice as long.

    Returns:
        Unpadded lists of 6 to 8 token ids.

    Raises:
        ValueError: the split has fewer such sentences than `count`.
    """
    generator = random.Random(seed)
    rows = []
    for sentence in generator.sample(sentences(split), len(sentences(split))):
        length = generator.randint(6, 8)
        ids = tokenizer(sentence.text, add_special_tokens=False)["input_ids"]
        if len(ids) >= 2 * length:
            rows.append(ids[:length])
        if len(rows) == count:
            return rows
    raise ValueError(f"The {split} split has {len(rows)} sentences that are long enough, and {count} were asked for.")


def prompt_collator(tokenizer: PreTrainedTokenizerBase) -> DataCollatorWithPadding:
    """A data collator for prompts: pads a batch on the left, so that every response starts at the same position.

    Raises:
        ValueError: the tokenizer pads on the right, or pads with its end-of-sequence token.
    """
    if tokenizer.padding_side != "left":
        raise ValueError("Prompts are padded on the left: set tokenizer.padding_side = 'left'.")
    if tokenizer.pad_token_id in (None, tokenizer.eos_token_id):
        raise ValueError("The pad token is missing or the end token, which would mask the end of responses: set one.")
    return DataCollatorWithPadding(tokenizer)


def lexicon_scores(texts: Sequence[str]) -> torch.Tensor:
    """The VADER lexicon's compound score of each text, in [-1, 1]: an independent judge, for nothing trains on it.

    Returns:
        (texts,), float32.
    """
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    judge = SentimentIntensityAnalyzer()
    return torch.tensor([judge.polarity_scores(text)["compound"] for text in texts])


def _rows(member: str) -> dict[str, list[str]]:
    """The tab-separated fields of each line, by the line's first field, the sentence's number."""
    file = cache_folder() / "ratings" / Path(member).name
    if not file.exists():
        extract(fetch(SOURCE), f"{ARCHIVE}!{member}", file)
    fields = [line.split("\t") for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
    return {row[0]: row for row in fields}


def _all_pairs(split: str, seed: int, min_rating_gap: float):
    generator = random.Random(seed)
    means = [sentence.mean_rating for sentence in sentences(split)]
    if min_rating_gap > 0 and max(means) - min(means) <= min_rating_gap:
        raise ValueError(f"No two sentences of the {split} split are more than {min_rating_gap} rating points apart.")
    while True:
        order = generator.sample(sentences(split), len(sentences(split)))
        for first, second in zip(order[::2], order[1::2], strict=False):
            pair = Pair(first, second)
            if abs(pair.rating_gap) > min_rating_gap or min_rating_gap == 0.0:
                yield pair
