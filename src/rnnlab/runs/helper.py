"""What the ranks but the first do: they train with it, and write nothing."""

from __future__ import annotations

from typing import Any

from rnnlab._common.errors import require
from rnnlab._common.interrupts import stop_requests
from rnnlab.config.identity import config_id
from rnnlab.config.schema import Config
from rnnlab.nn.model import Parameters
from rnnlab.runs.build import build_lane, build_model, build_recipe
from rnnlab.runs.preflight import Corpora, check
from rnnlab.runs.surroundings import resolve_device, stay_within_cores
from rnnlab.training.loop import Training
from rnnlab.training.ranks import Ranks


def known_to_all(training: Training, identity: str) -> dict[str, Any]:
    """Where the first rank begins or goes on, and with what."""
    return {
        "config_id": identity,
        "parameters": training.parameters.flat.cpu(),
        "saved": {name: value.cpu() for name, value in training.snapshot(0).items()},
        "epoch": training.epoch,
        "minibatch": training.minibatch,
    }


def train_along(config: Config, corpora: Corpora) -> None:
    """To the end that the first rank comes to. Raises RankLostError where it has ended before."""
    corpus, device = check(config, corpora), resolve_device(config.device)
    stay_within_cores()
    ranks = Ranks(device)
    recipe = build_recipe(config, build_model(config, len(corpus.vocabulary)), device)
    training = Training(recipe, [build_lane(config, corpus)], ranks)
    known = ranks.share(None)
    is_same = known["config_id"] == config_id(config, corpus.sha256)
    require(is_same, "this job on several machines", "they have other configs or texts of it")
    begun = Parameters(recipe.model, known["parameters"].to(device))
    training.restore(0, begun, known["saved"])
    training.go_to(known["epoch"], known["minibatch"])
    with stop_requests() as stop:
        is_agreed = ranks.agreeing(stop)
        while ranks.share(None):  # whether there is another epoch
            if training.run_epoch(is_agreed) is None:
                break
    ranks.leave()
