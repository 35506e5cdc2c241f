"""From a config to the plain values that the training library takes: the only translator."""

from __future__ import annotations

import os

import torch

from rnnlab.config.schema import Config
from rnnlab.data.corpus import Corpus
from rnnlab.nn.model import Model
from rnnlab.runs.needs import engine_of, spec_of
from rnnlab.training.loop import Lane, Recipe
from rnnlab.training.precision import PRECISIONS


def build_model(config: Config, vocab_size: int) -> Model:
    return Model(**vars(spec_of(config, vocab_size)))


def build_recipe(config: Config, model: Model, device: torch.device) -> Recipe:
    return Recipe(
        model=model,
        batch_size=config.batch_size,
        num_steps=config.num_steps,
        optimizer=config.optimizer,
        clip=config.clip,
        engine=engine_of(config, device.type),
        precision=PRECISIONS[config.precision],
        device=device,
        max_minibatches=config.max_minibatches,
        repeat_first_epoch=config.repeat_first_epoch,
    )


def build_lane(config: Config, corpus: Corpus) -> Lane:
    return Lane(
        tokens=torch.from_numpy(corpus.train),
        sampler=config.sampler,
        lr=config.lr,
        schedule=config.schedule.pinned(config.num_epochs),
        theta=config.theta,
        seed=config.seed,
        num_epochs=config.num_epochs,
        read=corpus.windows if corpus.file and hasattr(os, "pread") else None,
    )
