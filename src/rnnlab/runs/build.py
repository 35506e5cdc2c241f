"""From the config's frozen dataclasses to the plain values that the training library takes."""

from __future__ import annotations

from functools import partial

import torch

from rnnlab.config import schema
from rnnlab.config.schema import Config
from rnnlab.data.corpus import Corpus
from rnnlab.nn.engines import resolve_engine
from rnnlab.nn.model import Model, Parameters
from rnnlab.training.loop import Lane, Recipe
from rnnlab.training.optim import FromScratch, Optimizer, TorchOptimizer


def build_model(config: Config, vocab_size: int) -> Model:
    match config.model:
        case schema.RNN(activation=activation):
            cell_name = f"rnn_{activation}"
        case schema.LSTM():
            cell_name = "lstm"
        case schema.GRU(reset=reset):
            cell_name = f"gru_{reset}"
        case other:
            raise AssertionError(other)
    return Model(
        cell_name=cell_name,
        vocab_size=vocab_size,
        num_hiddens=config.num_hiddens,
        num_layers=config.num_layers,
        dropout=config.model.dropout,
        init_std=config.model.init_std,
    )


def build_recipe(config: Config, model: Model, device: torch.device) -> Recipe:
    return Recipe(
        model=model,
        batch_size=config.batch_size,
        num_steps=config.num_steps,
        optimizer=partial(build_optimizer, config.optimizer),
        clip=config.clip.name,
        engine=resolve_engine(config.engine, model.cell_name, device),
        precision=config.precision,
        device=device,
        max_minibatches=config.max_minibatches,
        repeat_first_epoch=config.repeat_first_epoch,
    )


def build_optimizer(choice: schema.Choice, parameters: Parameters) -> Optimizer:
    if isinstance(choice, schema.TorchOptim):
        return TorchOptimizer(choice.algorithm, parameters, choice.options)
    hyperparameters = {name: value for name, value in vars(choice).items() if name != "name"}
    return FromScratch(choice.name, parameters, hyperparameters)


def build_lane(config: Config, corpus: Corpus) -> Lane:
    return Lane(
        tokens=torch.from_numpy(corpus.train),
        sampler=config.sampler.name,
        lr=config.lr,
        theta=config.theta,
        seed=config.seed,
        num_epochs=config.num_epochs,
    )
