"""A text is what was typed, whatever Hydra's grammar makes of it."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from commands import run
from rnnlab._common.errors import ConfigError
from rnnlab.config.compose import compose
from rnnlab.config.stored_words import not_taken
from rnnlab.config.typed_words import typed
from rnnlab.config.words import quoted

NAMES = ["é.txt", "story (1).txt", "it's.txt", "x=1/t", "a&b", "#1", "a:b", "[x].txt", "{x}"]
NAMES += ["a\\b", "a\nb", "a b.txt", 'q"q', "日本😀", "-dash", "x;y", "!x", "^a", "`a`", "a$b"]
CHANGED = ["2024_01", "0.50", "null", "1e3", "true", "1_000", "0x10", "no", "+5", "nan", "1."]
READ_BY_HYDRA = ["a,b.txt", "${x}.txt", "choice(a)", "a\\,b", " a", "a\\\\b"]


def path_of(word: str) -> str:
    """What Hydra and OmegaConf make of the text in this word."""
    (typed_word,) = typed([word])
    override = OverridesParser.create().parse_override(typed_word)
    return OmegaConf.create({"path": override.value()}).path


@pytest.mark.parametrize("name", NAMES + CHANGED)
def test_the_name_of_a_file_is_taken_as_it_is_typed(name):
    assert path_of(f"dataset.path={name}") == name


@pytest.mark.parametrize("name", READ_BY_HYDRA)
def test_what_hydra_would_read_otherwise_is_a_name_where_such_a_file_is(name):
    """On the other side: without the file it is Hydra's word, two values or a function."""
    word = f"dataset.path={name}"
    assert typed([word]) == [word]
    Path(name).touch()
    assert path_of(word) == name


@settings(deadline=None, max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
@example("\\'")
@example("a\\\\${x}\\'")
def test_quoted_is_read_as_the_very_text(text):
    assert path_of(f"dataset.path={quoted(text)}") == text


@settings(deadline=None, max_examples=50)
@given(
    st.sampled_from(["dataset.path", "dataset.prefixes", "dataset.root", "lr", "hydra.run.dir"]),
    st.text("a1é ._,'\"\\[]{}()$:=", max_size=8),
)
def test_words_that_are_rewritten_again_stay(key, value):
    """Those that a study has noted are read again when it goes on."""
    once = typed([f"{key}={value}"])
    assert typed(once) == once


@pytest.mark.parametrize(
    ("word", "as_read"),
    [
        ("dataset.path=é.txt,story (1).txt", 'dataset.path="é.txt","story (1).txt"'),
        ("dataset.path='a, b',2024_01", "dataset.path='a, b',\"2024_01\""),
        (
            "dataset.prefixes=[0.50,no,it's],[Zürich]",
            'dataset.prefixes=["0.50",no,"it\'s"],["Zürich"]',
        ),
        ("dataset.prefixes=[null]", 'dataset.prefixes=["null"]'),
        ("experiment=2024_01,é", 'experiment="2024_01","é"'),
        ("+dataset.path=é", '+dataset.path="é"'),
        ("hydra.run.dir=2024_01", 'hydra.run.dir="2024_01"'),
        ("dataset.path=${oc.env:HOME}/é", 'dataset.path="${oc.env:HOME}/é"'),
    ],
)
def test_each_value_of_a_list_and_of_a_sweep_is_a_text(word, as_read):
    assert typed([word]) == [as_read]


@pytest.mark.parametrize(
    "word",
    ["lr=1_000", "lr=0.50", "dataset.root=null", "dataset.path=choice(a,é)", "sampler=[a]"]
    + ["dataset.path='é'", "dataset.path=${x}", "~dataset.path", "dataset.prefixes=[[a]]"]
    + ["dataset.prefixes=the", "dataset.path=", "dataset.prefixes=[]", "-m", "plan=true"],
)
def test_other_words_are_hydras(word):
    assert typed([word]) == [word]


def test_a_swept_text_comes_back_from_what_the_study_noted():
    """From the keys to the folders, and again: quoted words mean the same when they are read."""
    names = ["é.txt", "it's (1).txt", "2024_01"]
    for number, name in enumerate(names):
        Path(name).write_text("time traveller " * (40 + number))
    tiny = ["num_hiddens=4", "batch_size=2", "num_steps=5", "num_epochs=1", "dataset=text"]
    words = [*tiny, f"dataset.path={','.join(names)}", "dataset.prefixes=[0.50]"]
    refused, _, err = run("-m", *words, "sweep=it's")
    assert (refused, "'.', '0', '5' is not in the vocabulary" in err) == (2, True)
    words[-1] = "dataset.prefixes=[time]"
    status, out, _ = run("-m", *words, "sweep=it's")
    assert (status, shlex.join(["tensorboard", "--logdir", "it's"]) in out) == (0, True)
    (noted,) = map(json.loads, Path("it's/commands.jsonl").read_text().splitlines())
    assert noted.pop() == f"cwd={Path.cwd()}"
    assert not_taken(noted) == []
    folders = sorted(path.parent for path in Path("it's").glob("*/result.json"))
    paths = [str(Path(name).absolute()) for name in names]
    assert [
        json.loads((f / "result.json").read_text())["config"]["dataset"]["path"] for f in folders
    ] == paths
    for folder, path in zip(folders, paths, strict=True):
        overrides = yaml.safe_load((folder / ".hydra/overrides.yaml").read_text())
        assert compose(overrides).as_dict()["dataset"]["path"] == path
    assert run("resume", "it's", module=True)[0] == 0
    assert len(list(Path("it's").glob("*/result.json"))) == 3


def test_a_name_that_is_not_utf8_is_a_sentence():
    name = os.fsdecode(b"a\xff")
    for words in (["dataset=text", f"dataset.path={name}"], [f"hydra.run.dir={name}"]):
        with pytest.raises(ConfigError, match="no character in UTF-8; name it otherwise"):
            typed(words)
