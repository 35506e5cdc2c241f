"""Cleaning, vocabulary and tokens against the textbook's own rules, written out independently."""

import collections
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlab._common.errors import ConfigError
from rnnlab.data import corpus
from rnnlab.data.corpus import Vocabulary, tokenize
from rnnlab.data.source import Clean, Token
from rnnlab.data.sources.text import Text
from rnnlab.runs.preflight import Corpora, check

texts = st.text(
    st.one_of(st.sampled_from("abzABZ \n\r-'.09@[`{"), st.characters(exclude_categories=["Cs"])),
    max_size=60,
)


def dataset(**changes) -> Text:
    settings: dict[str, Any] = {
        "name": "text",
        "path": "text.txt",
        "clean": Clean.letters,
        "token": Token.char,
    }
    settings |= {"min_freq": 0, "max_tokens": None, "val_fraction": 0.0, "prefixes": ()}
    return Text(**(settings | changes))


def textbook_lines(text: str) -> list[str]:
    """The chapter's read_time_machine: readlines, re.sub, strip, lower."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [re.sub("[^A-Za-z]+", " ", line).strip().lower() for line in lines]


def textbook_vocabulary(tokens: list[str], min_freq: int) -> list[str]:
    """The chapter's Vocab: <unk>, then by falling frequency; sorted is stable."""
    counts = collections.Counter(tokens).items()
    by_frequency = sorted(counts, key=lambda pair: pair[1], reverse=True)
    return ["<unk>", *(token for token, count in by_frequency if count >= min_freq)]


@given(texts, st.integers(0, 3))
def test_letters_are_the_textbooks(text, min_freq):
    """Would catch a space at a line's end, a lost line break, or a letter from beyond ASCII."""
    expected = list("".join(textbook_lines(text)))
    tokens, vocabulary = tokenize(text.encode(), dataset(min_freq=min_freq))
    assert list(vocabulary.tokens) == textbook_vocabulary(expected, min_freq)
    known = set(vocabulary.tokens)
    assert [vocabulary.tokens[i] for i in tokens] == [
        token if token in known else "<unk>" for token in expected
    ]


@given(texts)
def test_words_are_the_textbooks(text):
    expected = [word for line in textbook_lines(text) for word in line.split()]
    tokens, vocabulary = tokenize(text.encode(), dataset(token=Token.word))
    assert list(vocabulary.tokens) == textbook_vocabulary(expected, 0)
    assert [vocabulary.tokens[i] for i in tokens] == expected


@given(texts.filter(lambda text: not text.startswith("\ufeff")))
def test_uncleaned_text_comes_back_letter_for_letter(text):
    tokens, vocabulary = tokenize(text.encode(), dataset(clean=Clean.none))
    assert vocabulary.decode(tokens.tolist()) == text
    assert list(vocabulary.tokens) == textbook_vocabulary(list(text), 0)


def test_first_appearance_breaks_ties_across_chunks(monkeypatch):
    """The vocabulary is counted chunk by chunk: a tie must not depend on where chunks end."""
    monkeypatch.setattr(corpus, "CHUNK", 3)
    _, vocabulary = tokenize(b"zyxzyxwvuwvu", dataset())
    assert vocabulary.tokens == ("<unk>", "z", "y", "x", "w", "v", "u")


def test_worked_example():
    """'The Cat,\\n sat!' -> 'the catsat'; t 3, a 2, then h e ' ' c s by first appearance."""
    tokens, vocabulary = tokenize(b"The Cat,\n sat!\n", dataset())
    assert vocabulary.tokens == ("<unk>", "t", "a", "h", "e", " ", "c", "s")
    assert tokens.tolist() == [1, 3, 4, 5, 6, 2, 1, 7, 2, 1]
    assert tokens.dtype == np.uint8


def test_tokens_are_as_small_as_the_vocabulary_allows():
    text = "".join(chr(0x4E00 + i) for i in range(300))
    tokens, vocabulary = tokenize(text.encode(), dataset(clean=Clean.none))
    assert len(vocabulary) == 301
    assert tokens.dtype == np.int16


def test_the_time_machine_has_the_textbooks_figures(compose, time_machine_folder):
    """170,580 characters and 28 entries; as words 32,775 and 4,580: the chapter prints these."""
    root = f"dataset.root={time_machine_folder}"
    everything = ["dataset=time_machine", root, "dataset.max_tokens=null"]
    by_character = corpus.load(compose(*everything).dataset)
    assert (len(by_character.train), len(by_character.vocabulary)) == (170_580, 28)
    assert by_character.vocabulary.tokens[:6] == ("<unk>", " ", "e", "t", "a", "i")
    by_word = corpus.load(compose(*everything, "dataset.token=word", "dataset.prefixes=[]").dataset)
    assert (len(by_word.train), len(by_word.vocabulary)) == (32_775, 4_580)
    assert by_word.vocabulary.tokens[1:4] == ("the", "i", "and")


def test_the_shipped_story_suits_the_textbooks_prompts(compose):
    story = corpus.load(compose("dataset.max_tokens=null").dataset)
    text = story.vocabulary.decode(story.train.tolist())
    assert len(text) >= 20_000
    assert len(story.vocabulary) == 28
    assert text.count("time traveller") >= 10
    assert "time traveller" in text[:10_000]  # the default job trains on this part


def test_vocabulary_is_of_the_whole_text_and_the_tail_is_held_out(tmp_path):
    (tmp_path / "text.txt").write_text("aaaabbbcc" + "d" * 11)
    loaded = corpus.load(dataset(path=str(tmp_path), max_tokens=10, val_fraction=0.25))
    assert loaded.vocabulary.tokens == ("<unk>", "d", "a", "b", "c")
    assert loaded.train.tolist() == [2, 2, 2, 2, 3, 3, 3, 4]
    assert loaded.held_out.tolist() == [4, 1]


def test_a_folder_is_read_in_the_order_of_names(tmp_path):
    (tmp_path / "b.txt").write_text("second")
    (tmp_path / "a.txt").write_text("first")
    (tmp_path / "c.md").write_text("not a text")
    loaded = corpus.load(dataset(path=str(tmp_path), clean=Clean.none))
    assert loaded.vocabulary.decode(loaded.train.tolist()) == "first\nsecond"


def test_a_byte_order_mark_is_no_character(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_bytes("\ufeffab".encode())
    loaded = corpus.load(dataset(path=str(tmp_path), clean=Clean.none))
    assert loaded.vocabulary.decode(loaded.train.tolist()) == "ab\nab"


def test_without_prefixes_samples_begin_as_the_text_does_with_known_tokens(tmp_path):
    """A rare first character is <unk> under min_freq, and can be no prefix."""
    (tmp_path / "text.txt").write_text("Qaab" * 3 + "Z" + "aab" * 9)
    loaded = corpus.load(dataset(path=str(tmp_path), clean=Clean.none, min_freq=5))
    assert loaded.vocabulary.tokens == ("<unk>", "a", "b")
    assert loaded.prefixes(()) == ("aab",)
    assert loaded.prefixes(("ba",)) == ("ba",)


@pytest.mark.parametrize("clean", Clean)
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "has no text in it"),
        (b"caf\xe9 au lait", r"\.txt is not UTF-8 \(byte 3 is 0xe9\).*iconv"),
        (None, "there is no such file or folder"),
    ],
)
def test_a_file_that_is_no_text_is_named(tmp_path, clean, content, sentence):
    path = tmp_path / f"{clean}.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=sentence):
        corpus.load(dataset(path=str(path), clean=clean))


def test_a_text_without_letters_is_empty_after_cleaning(tmp_path):
    (tmp_path / "text.txt").write_text("1234 5678\n")
    with pytest.raises(ConfigError, match=r"no text in it after dataset\.clean=letters"):
        corpus.load(dataset(path=str(tmp_path)))


def test_a_folder_without_texts_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"the folder has no \.txt file in it"):
        corpus.load(dataset(path=str(tmp_path)))


@pytest.mark.parametrize(("sampler", "needed"), [("sequential", 46), ("random", 45)])
def test_too_small_a_corpus_says_what_is_needed(compose, tmp_path, sampler, needed):
    """4 x 9 tokens, the largest offset (9 or 8) and the last target; one token less is refused."""
    for length in (needed - 1, needed):
        (tmp_path / f"{length}.txt").write_text("ab" * length)
        config = compose(
            "dataset=text", f"dataset.path={tmp_path}/{length}.txt", f"sampler={sampler}",
            f"dataset.max_tokens={length}", "batch_size=4", "num_steps=9",
        )  # fmt: skip
        if length == needed:
            check(config, Corpora())
            continue
        sentence = f"one minibatch needs {needed} tokens .* and the corpus has {length}"
        with pytest.raises(ConfigError, match=sentence):
            check(config, Corpora())


def test_a_prompt_outside_the_vocabulary_is_named():
    letters = Vocabulary(("<unk>", "a", "b"), Token.char)
    assert letters.encode("abba") == [1, 2, 2, 1]
    with pytest.raises(ConfigError, match="'B', 'c' is not in the vocabulary, which has 'ab'"):
        letters.encode("aBc")
    with pytest.raises(ConfigError, match="it needs at least one token"):
        letters.encode("")
    words = Vocabulary(("<unk>", "time", "traveller"), Token.word)
    assert words.encode(" time  traveller") == [1, 2]
    assert words.decode([1, 2, 0]) == "time traveller <unk>"
