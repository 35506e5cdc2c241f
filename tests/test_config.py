"""Ranges, cross-field rules and the identity of an experiment."""

import pytest

from rnnlab._common.errors import ConfigError
from rnnlab.config.identity import config_id

OUT_OF_RANGE = {
    "lr=-0.1": "lr=-0.1 is not allowed: lr is a finite number >= 0",
    "lr=nan": "lr=nan is not allowed",
    "lr=inf": "lr=inf is not allowed",
    "theta=0": "theta=0 is not allowed: theta is a finite number > 0; clip=none trains without",
    "theta=inf": "theta=inf is not allowed",
    "num_steps=0": "num_steps=0 is not allowed: num_steps is a whole number >= 1",
    "num_hiddens=0": "num_hiddens=0 is not allowed",
    "num_layers=0": "num_layers=0 is not allowed",
    "num_epochs=0": "num_epochs=0 is not allowed",
    "batch_size=0": "batch_size=0 is not allowed",
    "seed=-1": "seed=-1 is not allowed: seed is a whole number >= 0",
    "max_minibatches=0": "max_minibatches=0 is not allowed",
    "model.dropout=1": "model.dropout=1 is not allowed: model.dropout is a finite number in [0, 1)",
    "model.init_std=-1": "model.init_std=-1 is not allowed",
    "dataset.val_fraction=1": "dataset.val_fraction=1 is not allowed",
    "dataset.max_tokens=1": "dataset.max_tokens=1 is not allowed",
    "dataset.min_freq=-1": "dataset.min_freq=-1 is not allowed",
    "log.every=0": "log.every=0 is not allowed",
    "log.sample_every=-1": "log.sample_every=-1 is not allowed",
    "checkpoint.every=-1": "checkpoint.every=-1 is not allowed",
    "device=gpu": "device=gpu is not allowed: device is auto, cpu, cuda or cuda:N",
    "device=cuda:x": "device=cuda:x is not allowed",
    "optimizer.name=adam": "this choice is sgd",
    "log.inspect_every=0": "log.inspect_every=0 is not allowed",
    "instruments=gates": "spectrum, surprise; type 'instruments=[gates]'",
    "instruments=[gate]": "instruments=[gate] is not allowed: it is off, light, full, or a list of",
    "instruments=[]": "instruments=[] is not allowed",
    "instruments=null": "instruments=null is not allowed",
}


@pytest.mark.parametrize(("override", "sentence"), OUT_OF_RANGE.items())
def test_a_value_out_of_range_is_named_with_its_rule(compose, override, sentence):
    """Would catch a check that is missing, on the wrong field, or has the wrong bound."""
    with pytest.raises(ConfigError) as caught:
        compose(override)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "override",
    ["lr=0", "theta=1e-9", "num_steps=1", "batch_size=1", "seed=0"]
    + ["device=cuda:0", "log.sample_every=0", "checkpoint.every=0", "dataset.val_fraction=0.5"],
)
def test_the_last_allowed_value_is_allowed(compose, override):
    """The other side of each bound: seed 0 and lr 0 are values, not absences."""
    compose(override)


@pytest.mark.parametrize(
    ("optimizer", "field"),
    [("adam", "beta1"), ("adamw", "weight_decay"), ("momentum", "momentum"), ("rmsprop", "alpha")],
)
def test_hyperparameters_of_every_optimizer_are_checked(compose, optimizer, field):
    with pytest.raises(ConfigError, match=rf"optimizer\.{field}=-1 is not allowed"):
        compose(f"optimizer={optimizer}", f"optimizer.{field}=-1")


def test_torch_nn_refuses_the_other_gru(compose):
    with pytest.raises(ConfigError, match=r"add model\.reset=after, or use engine=eager"):
        compose("model=gru", "engine=torch_nn")
    compose("model=gru", "engine=torch_nn", "model.reset=after")


SAME = ["device=cpu", "engine=eager", "num_epochs=7", "log.every=2", "checkpoint.every=3"]
SAME += ["stop.patience=3", "schedule=constant", "instruments=light", "log.inspect_every=3"]
SAME += ["instruments=[gates,spectrum]"]
OTHER = ["lr=0.5", "theta=2", "seed=1", "sampler=random", "model=lstm", "size=tiny"]
OTHER += ["optimizer=adam", "clip=none", "batch_size=16", "num_steps=20", "precision=fp64"]
OTHER += ["dataset.max_tokens=9999", "dataset.clean=none", "model.init_std=0.1", "num_layers=2"]
OTHER += ["max_minibatches=3", "repeat_first_epoch=true", "dataset.val_fraction=0.1"]
OTHER += ["schedule=linear", "schedule.warmup=3", "model.init=identity"]


@pytest.mark.parametrize("override", SAME)
def test_what_does_not_change_the_result_does_not_change_the_id(compose, override):
    assert config_id(compose(override), "sha") == config_id(compose(), "sha")


@pytest.mark.parametrize("override", OTHER)
def test_what_changes_the_result_changes_the_id(compose, override):
    assert config_id(compose(override), "sha") != config_id(compose(), "sha")


def test_the_id_is_of_the_text_and_not_of_where_it_lies(compose):
    here = compose("dataset=text", "dataset.path=a.txt")
    there = compose("dataset=text", "dataset.path=b.txt", "dataset.prefixes=[x]")
    assert config_id(here, "sha") == config_id(there, "sha")
    assert config_id(here, "sha") != config_id(here, "another sha")


def test_without_clipping_theta_is_no_part_of_the_experiment(compose):
    assert config_id(compose("clip=none", "theta=1"), "s") == config_id(
        compose("clip=none", "theta=5"), "s"
    )
