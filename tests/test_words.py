"""What a person types instead of what is meant gets the words that do it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from commands import answer, jobs
from rnnlab.config.help import help_text
from rnnlab.config.identity import flat
from rnnlab.config.mistakes import as_typed_here
from rnnlab.config.names import groups, knobs, look_in
from rnnlab.config.schema import nodes
from rnnlab.config.synonyms import nearest

FLAGS = {
    ("--lr", "3"): "--lr 3 is not allowed: a value has no dashes; type lr=3.",
    ("-lr", "3"): "type lr=3.",
    ("--hidden-size=3",): "type num_hiddens=3.",
    ("--sampler", "random", "lr=3"): "type sampler=random.",
    ("--cuda",): "type device=VALUE.",
    ("--foo",): "--foo is not allowed: it is none of Hydra's flags, which --hydra-help lists.",
    ("--cfg", "foo"): "invalid choice: 'foo'",
    ("--config-dir", "nothere"): "--config-dir=nothere is not allowed: there is no such folder.",
    ("--config-path=nothere",): "--config-path=nothere is not allowed: there is no such folder.",
    ("--config-name", "foo"): "there is no foo.yaml in",
}


@pytest.mark.parametrize(("words", "said"), FLAGS.items())
def test_a_flag_that_is_none_is_answered_with_the_words_to_type(words, said):
    assert said in answer(*words)


SYNONYMS = {
    "lr=2": "learning_rate eta optimizer.lr Learning-Rate",
    "num_hiddens=2": "hidden_size hidden_dim num_hidden nhid model.hidden_size",
    "num_layers=2": "layers nlayers",
    "num_epochs=2": "epochs max_epochs trainer.max_epochs",
    "batch_size=2": "bs batch",
    "num_steps=2": "seq_len bptt",
    "theta=2": "clip_norm grad_clip max_norm",
    "optimizer=2": "optim",
    "model=2": "rnn arch cell",
    "model.dropout=2": "dropout dropout_rate",
    "optimizer=adamw optimizer.weight_decay=2": "weight_decay wd",
    "optimizer=momentum optimizer.momentum=2": "momentum",
    "log.sample_every=2": "sample_every sample_interval",
    "hydra.run.dir=2": "out_dir logdir",
}


@pytest.mark.parametrize(
    ("word", "meant"), [(word, m) for m, words in SYNONYMS.items() for word in words.split()]
)
def test_another_programs_name_is_answered_with_ours(word, meant):
    assert as_typed_here(word, "2", []) == meant.split()


def test_a_switch_of_another_program_gives_no_value():
    said = "learning_rate is not a name in the config: here it is lr; type lr=1."
    assert answer("learning_rate=1") == said
    assert "here it is device; type device=VALUE." in answer("use_cuda=true")
    assert "type optimizer.weight_decay=1." in answer("optimizer=adamw", "wd=1")


FORMS = {
    "lr=": "lr= is not allowed: it has no value; type lr=VALUE.",
    "lr": "lr has no value: type lr=VALUE, without spaces.",
    "=3": "=3 is not allowed: there is no name before the =; type NAME=VALUE.",
    "lr:3": "lr:3 cannot be read: an override is NAME=VALUE; type for example lr=3.",
    "lr==3": "lr==3 cannot be read: lr is a number.",
    "+lr=3": "+lr is not allowed: lr has a value already; leave out the +.",
    "lr@x=3": "lr@x=3 is not allowed: a name has no @ here; type lr=3.",
    "lr=0,5": "has several values: add -m to train a job for each, or type lr=0.5 for one number.",
    "num_epochs=1,000": "or type num_epochs=1000 for one number.",
    "dataset.path=a (1),b": """or type 'dataset.path="a (1),b"' for one text.""",
    "clip=5": "clip=5 is not allowed: clip is one of none, norm, value; the radius is theta=5.",
    "experiment=null": "experiment=null is not allowed: leave it out, or type '~experiment'.",
    "~size": "~size is not allowed: every job needs a value of it; type size=VALUE.",
    "model=null": "every job needs one; model is one of gru, lstm, rnn.",
    "dataset=text": "add dataset.path=VALUE.",
    "dataset=a.txt": "your own text is dataset=text dataset.path=a.txt.",
    "dataset=download": "dataset is one of copy, dyck, embedded_reber, hmm, markov, parity",
    "optimizer=NAdam": "or of torch.optim optimizer=torch optimizer.algorithm=NAME.",
    "dataset.path=choice(a,b)": "has several values: add -m to train a job for each.",
    "model=LSTM": "type for example model=lstm.",
    "++sampler=random": "++sampler=random is not allowed: a choice is made without ++.",
    "seed=${x}": "seed=${x} is not allowed: Interpolation key 'x' not found",
    "seed=${hydra:job.num}": "seed is a whole number, and Hydra gives none here.",
}


@pytest.mark.parametrize("word", FORMS)
def test_a_form_that_is_none_is_answered_in_one_sentence(word):
    said = answer(word)
    assert FORMS[word] in said
    assert len(said.splitlines()) == 1


def test_forms_that_hydra_means_to_work_do():
    """The other side: ++, ~ of a group that may be absent, [choice], flags between overrides."""
    (config,) = jobs("++lr=3", "~experiment", "optimizer=[adam]")
    assert (config.lr, config.optimizer.name) == (3, "adam")
    study = jobs("lr=1,3", "-m", "seed=0,1", "--config-name", "config", "theta=2")
    assert [(job.lr, job.seed, job.theta) for job in study] == [
        (1, 0, 2), (1, 1, 2), (3, 0, 2), (3, 1, 2),
    ]  # fmt: skip
    assert [job.seed for job in jobs("-m", "lr=1,2", "seed=${hydra:job.num}")] == [0, 1]


def test_help_has_every_choice_and_knob_with_default_meaning_and_range_in_80_columns():
    page = help_text()
    assert max(map(len, page.splitlines())) <= 80
    words = " ".join(page.split())
    for group, names in groups().items():
        assert f"\n  {group}" in page
        assert all(f"\n    {name}" in page for name in names), group
    assert "download" not in groups()["dataset"]
    (config,) = jobs()
    for name, value in flat(config.as_dict()).items():
        if not name.startswith(("model", "dataset", "optimizer", "clip", "sampler")):
            assert f"\n  {name}={json.dumps(value).strip(chr(34)).removesuffix('.0')}" in page, name
    for name, _ in knobs():
        assert "." not in name or f"\n  {name}=" in page, name
    for kind in nodes().values():
        for field in dataclasses.fields(kind):
            meaning = field.metadata.get("meaning", "")
            assert meaning in words, field.name
            assert str(field.metadata.get("allowed") or "") in words, field.name
    assert "dataset.clean=none" in page
    assert "optimizer.beta1=0.9 " in page
    assert "; lr=0.001" in page  # what adam brings
    assert "(one of letters, none)" in words


def test_help_shows_choices_of_ones_own():
    for name, text in {"experiment/own": "# @package _global_\n# mine alone\nlr: 1\n"}.items():
        Path("mine", name).parent.mkdir(parents=True)
        Path("mine", f"{name}.yaml").write_text(text)
    Path("mine/other").mkdir()
    Path("mine/other/broken.yaml").write_bytes(b"\xff: {")
    look_in(None, "mine")
    try:
        page = help_text()
    finally:
        look_in(None, None)
    assert "\n    own                   mine alone\n" in page
    assert "\n  +other\n    broken\n" in page
    assert "mine alone" not in help_text()


def test_a_name_without_a_dot_is_first_of_all_like_one_without():
    """A cell of one's own that ran before has knobs, whose names are like that of their group."""
    assert nearest("modle", ["model", "model.leak", "model.file"]) == ["model"]
    assert nearest("model.lek", ["model", "model.leak", "lr"]) == ["model.leak"]
    assert nearest("evry", ["every_minibatches", "log.every"]) == ["log.every"]
