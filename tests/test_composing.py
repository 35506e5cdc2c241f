"""Configs composed in one go equal those that Hydra composes one by one."""

from __future__ import annotations

import hydra
import pytest
from omegaconf import OmegaConf

from rnnlab.config._hydra import to_yaml
from rnnlab.config.compose import Composer, composing, contents, without_hydra
from rnnlab.config.mistakes import explain

VALID = [
    [],
    ["lr=2"],
    ["lr=2", "seed=3", "sampler=random"],
    ["model=gru", "model.reset=after", "num_layers=2", "model.dropout=0.5"],
    ["model.dropout=0.5", "model=lstm"],
    ["experiment=chapter_random", "lr=0.5"],
    ["lr=0.5", "experiment=chapter_random"],
    ["lr=1", "lr=2"],
    ["theta=${lr}", "lr=7"],
    ["optimizer=torch", "optimizer.algorithm=SGD", "+optimizer.options.momentum=0.5"],
    ["dataset.prefixes=[a,'b c']", "dataset.max_tokens=null"],
    ["debug=overfit", "num_epochs=3", "log.every=2", "checkpoint.seconds=1.5"],
    ["size=tiny", "num_hiddens=3"],
    ["lr=2", "++lr=3"],
    ["log.every=3", "log={every:2}"],
]
WRONG = [
    ["lr=abc"],
    ["num_hidens=3"],
    ["model.reset=after"],
    ["sampler=best"],
    ["lr=[1,2]"],
    ["seed=1.5"],
    ["lr=a b c"],
    ["model={a:1}"],
]


@pytest.fixture
def compose():
    with composing():
        yield lambda given: hydra.compose("config", [*given], return_hydra_config=True)


def test_values_set_on_a_copy_are_what_hydra_composes(compose):
    composed = []
    composer = Composer(lambda overrides: composed.append(overrides) or compose(overrides))
    for overrides in VALID:
        for again in range(2):  # the first one must not have left anything behind
            hydras = compose(overrides)
            task, whole = composer.task(overrides), composer.whole(overrides)
            assert OmegaConf.to_yaml(task) == OmegaConf.to_yaml(without_hydra(hydras)), again
            for config in (whole, hydras):
                del config.hydra.job.override_dirname  # which 1.4 has no more
            assert OmegaConf.to_yaml(whole) == OmegaConf.to_yaml(hydras), (overrides, again)
    assert [composed.count([]), composed.count(["model=gru"])] == [1, 1]


def test_yaml_is_written_as_omegaconf_writes_it(compose):
    words = ["on", "1e3", "0x1f", "a: b", "${lr}", "é", " x ", "l\n\nl ", "w " * 90, "null", "'"]
    plain_words = OmegaConf.create({word: [word, {"x": word}, 1, None] for word in words})
    for config in (compose(["lr=2"]), plain_words):
        assert to_yaml(contents(config)) == OmegaConf.to_yaml(config)
    for word in ("😀", "", "\x85x", "\ufeff"):  # otherwise, and as good
        assert OmegaConf.create(to_yaml({word: word})) == {word: word}


@pytest.mark.parametrize("overrides", WRONG)
def test_mistakes_are_explained_as_hydras_are(compose, overrides):
    said = []
    for way in (Composer(compose).task, compose):
        with pytest.raises(Exception) as caught:
            way(overrides)
        said.append(explain(caught.value, overrides))
    assert said[0] == said[1]
