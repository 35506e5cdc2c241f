"""NAME=zip(...): paired values, as one dimension of a study."""

from __future__ import annotations

from pathlib import Path

import pytest

import commands
from rnnlab._common.errors import ConfigError
from rnnlab.config.rows import ROWS, with_rows
from rnnlab.runs.result import Result

SMALL = ["num_hiddens=4", "batch_size=2", "num_steps=5", "dataset.max_tokens=150", "num_epochs=1"]
PAIRS = "fit=zip(model=choice(rnn,gru), lr=[1,0.3])"


def rows(*words: str) -> list[tuple[str, float, int]]:
    found = commands.jobs("-m", *with_rows([*words]), *SMALL)
    return [(config.model.name, config.lr, config.seed) for config in found]


def test_pairs_are_one_dimension_and_are_crossed_with_the_others():
    pairs = [("rnn", 1.0), ("gru", 0.3)]
    assert rows(PAIRS) == [(*pair, 0) for pair in pairs]
    assert rows(PAIRS, "seed=0,1") == [(*pair, seed) for pair in pairs for seed in (0, 1)]
    two = "place=zip(seed=range(3,5),theta=[1,5])"
    assert rows(PAIRS, two) == [(*pair, seed) for pair in pairs for seed in (3, 4)]
    Path("jobs.csv").write_text("seed\n7\n8\n")
    assert rows("jobs=jobs.csv", PAIRS) == [(*pair, seed) for seed in (7, 8) for pair in pairs]


def test_values_may_be_texts_and_lists():
    word = "way=zip(note=['a, b (c)',d], dataset.prefixes=choice([the,a],[]), model=[./x.py,rnn])"
    Path("x.py").write_text("def step(X, H, *, W_xh):\n    return X @ W_xh\n")
    (row,) = [word.partition("=")[2] for word in with_rows([word])]
    assert row == (
        r'[["note=\"a, b (c)\"","dataset.prefixes=[the,a]","model=x.py"],'
        r'["note=d","dataset.prefixes=[]","model=rnn"]]'
    )


def test_a_study_of_pairs_trains_and_goes_on_as_it_was_asked_for():
    assert commands.run("-m", PAIRS, "seed=0,1", *SMALL, "sweep=S")[0] == 0
    assert commands.run("resume=S", "num_epochs=2")[0] == 0
    results = [Result.read(path.parent) for path in Path("S").glob("*/result.json")]
    found = {(r.settings["model"], r.settings["lr"], r.seed, r.epochs) for r in results}
    assert found == {(*pair, s, 2) for pair in (("rnn", 1.0), ("gru", 0.3)) for s in (0, 1)}


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("a=zip(lr=[1,2])", "it pairs two settings or more: zip(lr=[1,2],theta=[1,5])."),
        ("a=zip(lr=[1,2],lr=[3,4])", "it has lr twice."),
        ("a=zip(lr=[1,2],seed=[1,2,3])", "here are 2 of lr, 3 of seed."),
        ("lr=zip(lr=[1,2],seed=[1,2])", "what stands before zip is a name of your own for the"),
        ("=zip(lr=[1,2],seed=[1,2])", "what stands before zip is a name of your own for the"),
        ("a=zip(lr=1,seed=[1])", "lr=1 is not allowed: a setting of a zip lists its values, in"),
        ("a=zip([1,2],seed=[1,2])", "[1,2] is not allowed: a setting of a zip lists its values"),
        ("a=zip(lr=[],seed=[])", "lr=[] is not allowed: a setting of a zip lists its values"),
        ("a=zip(lr=interval(1,2),seed=[1])", "lr=interval(1,2) is not allowed: a setting of a"),
        ("a=zip(lr=shuffle(choice(1,2)),seed=[1,2])", "lr=shuffle(choice(1,2)) is not allowed"),
        ("a=zip(lr=[1,seed=[1,2])", "is not allowed"),
        ("a=zip(hydra.run.dir=[x,y],seed=[1,2])", "Hydra's own settings are not paired."),
    ],
)
def test_what_pairs_nothing_is_a_sentence(word, sentence):
    with pytest.raises(ConfigError) as caught:
        with_rows([word])
    assert sentence in str(caught.value)


def test_a_setting_has_one_place():
    with pytest.raises(ConfigError, match=r"lr in b=zip\(.*\) is not allowed: fit=zip\("):
        with_rows([PAIRS, "b=zip(lr=[1,2],seed=[1,2])"])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([PAIRS], "jobs=FILE or zip(...) is not allowed: it is a study's; add -m."),
        (["-m", "a=zip(lr=[1,2],model=[rnn,rnnn])"], "(row 2: lr=2 model=rnnn): model=rnnn is not"),
        (["-m", "a=zip(lr=[1,2],thta=[1,2])"], "thta is not a name in the config: did you mean"),
    ],
)
def test_a_mistake_is_answered_before_anything_starts(words, sentence):
    code, _, said = commands.run(*words, *SMALL)
    assert code == 2
    assert sentence in said
    assert not Path("outputs").exists()


def test_the_word_that_is_noted_is_one_for_all():
    words = with_rows([PAIRS, "seed=0,1"])
    assert [word.partition("=")[0] for word in words] == ["seed", ROWS]
