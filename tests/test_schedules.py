"""Learning rates over epochs: torch's schedulers, lanes apart, killed, resumed and lengthened."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim import SGD, lr_scheduler
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LinearLR, LRScheduler, StepLR

from rnnlab._common.errors import ConfigError
from rnnlab.config.identity import config_id
from rnnlab.config.stored import from_dict
from rnnlab.runs import resume as resuming
from rnnlab.runs import stack
from rnnlab.runs.differences import differences
from rnnlab.runs.events import read_numbers
from rnnlab.runs.folder import read_metrics
from rnnlab.runs.result import Result
from rnnlab.runs.start import pinned
from rnnlab.studies.verify import verify
from rnnlab.training.loop import Training
from rnnlab.training.schedules import Cosine, Linear, Schedule, Step
from test_training import lane, recipe, run_epoch

SMALL = ["num_hiddens=8", "batch_size=4", "num_steps=10", "num_epochs=6", "log.sample_length=5"]
SMALL += ["dataset.max_tokens=600", "checkpoint.seconds=0", "max_minibatches=7"]
LR, EPOCHS = 0.3, 23

Made = Callable[[SGD, int], LRScheduler]  # for so many epochs after the warm-up
CASES: dict[str, tuple[Schedule, Made]] = {
    "constant": (Schedule(), lambda optimizer, _: LambdaLR(optimizer, lambda _: 1.0)),
    "linear": (
        Linear(end=0.1, epochs=EPOCHS),
        lambda optimizer, n: LinearLR(optimizer, 1.0, 0.1, total_iters=n),
    ),
    "linear to 0": (
        Linear(end=0, epochs=9),
        lambda optimizer, n: LinearLR(optimizer, 1.0, 0.0, total_iters=9 - (EPOCHS - n)),
    ),
    "cosine": (
        Cosine(end=0.2, epochs=EPOCHS),
        lambda optimizer, n: CosineAnnealingLR(optimizer, T_max=n, eta_min=0.2 * LR),
    ),
    "step": (
        Step(every=4, factor=0.3),
        lambda optimizer, _: StepLR(optimizer, step_size=4, gamma=0.3),
    ),
}


def rates_of_torch(make: Made, warmup: int) -> list[float]:
    """What a torch.optim optimizer has in each epoch, and what it steps with."""
    optimizer = SGD([torch.zeros(1, dtype=torch.float64, requires_grad=True)], lr=LR)
    scheduler = make(optimizer, EPOCHS - warmup)
    if warmup:
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] = LR
        before = LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=warmup)
        scheduler = lr_scheduler.SequentialLR(optimizer, [before, scheduler], [warmup])
    found = []
    for _ in range(EPOCHS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize("warmup", [0, 1, 5])
@pytest.mark.parametrize("name", CASES)
def test_it_is_torchs_step_for_step(name, warmup):
    """A warm-up that is one epoch long or short, or a fall that begins before its end, would
    show; torch begins linear and step after a warm-up where ours do."""
    schedule, make = CASES[name]
    schedule = dataclasses.replace(schedule, warmup=warmup)
    ours = [LR * schedule.after(epoch) for epoch in range(EPOCHS)]
    assert ours == pytest.approx(rates_of_torch(make, warmup), rel=1e-12, abs=1e-15)


def test_a_cosine_stays_at_its_end():
    """torch's goes up again beyond T_max, as a run that is made longer should not."""
    assert Cosine(end=0.2, epochs=5).after(5) == Cosine(end=0.2, epochs=5).after(50) == 0.2


def test_the_loop_trains_with_it_as_torch_does(monkeypatch):
    """Weights after five epochs of our SGD, and of torch.optim's under its own scheduler."""
    schedule = Cosine(end=0.1, epochs=5)
    ours = Training(recipe(), [lane(lr=LR, theta=1e9, schedule=schedule, num_epochs=5)])
    other = Training(recipe(), [lane(lr=LR, theta=1e9, num_epochs=5)])
    optimizer = SGD([other.parameters.flat.requires_grad_()], lr=LR)
    scheduler = CosineAnnealingLR(optimizer, T_max=5, eta_min=0.1 * LR)

    def update(gradients, *_):
        other.parameters.flat.grad = gradients.flat
        optimizer.step()

    monkeypatch.setattr(other.optimizer, "update", update)
    for _ in range(5):
        ours.run_epoch()
        other.run_epoch()
        scheduler.step()
    torch.testing.assert_close(
        ours.parameters.flat, other.parameters.flat.detach(), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("engine", ["fused", "eager", "compiled"])
def test_lanes_have_schedules_of_their_own(engine):
    """A stack of four, each as alone; the lane whose rate is constant is the one without."""
    if engine == "compiled":
        pytest.importorskip("numba")
    schedules = [Schedule(), Linear(end=0, epochs=4), Step(every=1, factor=0.5), Schedule(warmup=3)]
    lanes = [lane(schedule=each, seed=k, num_epochs=4) for k, each in enumerate(schedules)]
    together = Training(recipe(engine=engine), lanes)
    alone = [Training(recipe(engine=engine), [each]) for each in lanes]
    place = together.lr.data_ptr()
    for epoch in range(4):
        figures = run_epoch(together)
        for k, each in enumerate(alone):
            (own,) = run_epoch(each)
            for name in own.figures.keys() - {"seconds", "tokens_per_second"}:
                assert figures[k][name] == pytest.approx(own[name], rel=1e-10)
            rate = own.figures.get("lr")
            assert rate == (None if k == 0 else lanes[k].lr * schedules[k].after(epoch))
    assert together.lr.data_ptr() == place  # where a recorded step, and a compiled one, look
    for k, each in enumerate(alone):
        torch.testing.assert_close(
            together.parameters.flat[k], each.parameters.flat[0], rtol=1e-10, atol=1e-12
        )


def test_what_was_used_is_logged_where_it_changes(compose):
    stack.run(compose(*SMALL, "schedule=step", "schedule.every=2", "lr=2"), Path("run"))
    assert [line["lr"] for line in read_metrics(Path("run"))] == pytest.approx(
        [2, 2, 0.2, 0.2, 0.02, 0.02]
    )
    shown = [value for _, tag, (value,) in read_numbers(Path("run")) if tag == "training/lr"]
    assert shown == pytest.approx([2, 2, 0.2, 0.2, 0.02, 0.02])
    stack.run(compose(*SMALL), Path("other"))
    assert all("lr" not in line for line in read_metrics(Path("other")))
    assert "training/lr" not in {tag for _, tag, _ in read_numbers(Path("other"))}


@pytest.mark.parametrize("choice", [["schedule=cosine", "schedule.warmup=2"], ["schedule=step"]])
def test_stopped_in_the_middle_of_an_epoch_it_goes_on_bit_for_bit(compose, stop_after, choice):
    more = ["schedule.every=2"] if choice == ["schedule=step"] else []
    configs = [compose(*SMALL, *choice, *more), compose(*SMALL, "seed=1", "schedule=linear")]
    whole, folders = ([Path(f"{name}{k}") for k in range(2)] for name in ("whole", "run"))
    stack.run_stack(configs, whole)
    stop_after(17)
    stack.run_stack(configs, folders)
    stop_after(float("inf"))
    resuming.resume_stack(folders)
    for one, other in zip(whole, folders, strict=True):
        assert list(differences(one, other)) == []


@pytest.mark.slow
def test_killed_at_random_moments_it_loses_nothing(compose, tmp_path):
    small = [*SMALL, "num_epochs=150", "checkpoint.seconds=0.02", "optimizer=adam", "lr=0.01"]
    schedules = [["schedule=cosine", "schedule.warmup=20"], ["schedule=linear"], []]
    configs = [pinned(compose(*small, f"seed={k}", *own)) for k, own in enumerate(schedules)]
    verdict = verify(configs, tmp_path, kills=4)
    assert verdict.kills == 4
    assert verdict.differences == []


def test_a_lengthened_run_keeps_the_epochs_that_it_began_with(compose):
    """It is the run whose schedule was over so early, bit for bit."""
    stack.run(compose(*SMALL, "schedule=cosine", "schedule.epochs=6", "num_epochs=9"), Path("long"))
    result = stack.run(compose(*SMALL, "schedule=cosine"), Path("run"))
    assert result.config["schedule"]["epochs"] == 6
    resuming.resume(Path("run"), {"num_epochs": 9})
    assert list(differences(Path("long"), Path("run"))) == []
    with pytest.raises(ConfigError, match=r"schedule\.epochs: 6 -> 9"):
        resuming.resume(Path("run"), {"schedule.epochs": 9})


def test_a_warm_up_has_to_leave_epochs_to_fall_in(compose):
    with pytest.raises(ConfigError, match=r"schedule\.warmup=6 with num_epochs=6 is not allowed"):
        pinned(compose(*SMALL, "schedule=linear", "schedule.warmup=6"))
    with pytest.raises(ConfigError, match=r"schedule\.warmup=4 with schedule\.epochs=3"):
        compose(*SMALL, "schedule=cosine", "schedule.warmup=4", "schedule.epochs=3")
    assert pinned(compose(*SMALL, "schedule.warmup=6")).schedule.after(5) == 6 / 7


OLD = {  # as config_id was before there were schedules
    "": "73c0a60c4d57",
    "lr=2 theta=3": "e2ff971ae593",
    "clip=none": "6553250cb2d2",
    "model=lstm optimizer=adam": "78c94e1069f8",
    "dataset=time_machine size=tiny num_epochs=7": "d07e8d2d7f7b",
}


@pytest.mark.parametrize("words", OLD)
def test_older_ids_are_what_they_were(compose, words):
    config = compose(*words.split())
    assert config_id(config, "f" * 64) == OLD[words]
    older: dict[str, Any] = config.as_dict()
    del older["schedule"]
    assert from_dict(older) == config


def test_schedules_are_part_of_the_experiment(compose):
    typed = ["", "schedule=linear", "schedule.warmup=1", "schedule=linear schedule.epochs=9"]
    configs = [pinned(compose(*SMALL, *words.split())) for words in typed]
    assert len({config_id(config, "") for config in configs}) == 4
    told = pinned(compose(*SMALL, "schedule=linear", "schedule.epochs=6"))
    assert config_id(told, "") == config_id(configs[1], "")


def test_a_run_says_what_its_learning_rate_does(compose, capsys):
    stack.run(compose(*SMALL, "schedule=cosine", "schedule.warmup=2"), Path("run"))
    said = "sgd lr 1, cosine to 0 lr in 6 epochs after 2 epochs of warm-up, clipping by norm"
    assert said in capsys.readouterr().out
    assert Result.read(Path("run")).settings["schedule"] == "cosine"
