"""A run that starts from the trained parameters of another."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

import commands
from cases import SMALL as CASE
from rnnlab._common.errors import ConfigError
from rnnlab.config.identity import config_id
from rnnlab.config.stored import from_dict
from rnnlab.data.corpus import Vocabulary
from rnnlab.runs import stack
from rnnlab.runs.build import build_lane, build_model, build_recipe
from rnnlab.runs.checkpoint import load_checkpoint
from rnnlab.runs.differences import differences
from rnnlab.runs.folder import LAST
from rnnlab.runs.preflight import Corpora, check
from rnnlab.runs.result import Result, Status
from rnnlab.runs.resume import resume
from rnnlab.runs.start import Start, pinned
from rnnlab.training.loop import Training

SMALL = [*CASE, "device=cpu", "num_epochs=2"]
FIRST, SECOND = "the cab bed. " * 60, "cab! the fez bed? " * 60
CPU = torch.device("cpu")


def on(name: str, *more: str) -> list[str]:
    return [*SMALL, "dataset=text", f"dataset.path={name}.txt", *more]


@pytest.fixture(autouse=True)
def _trained(compose) -> None:
    Path("first.txt").write_text(FIRST)
    Path("second.txt").write_text(SECOND)
    stack.run(compose(*on("first", "model=gru")), Path("before"))


def rows(vocabulary: Vocabulary, tokens: str) -> list[int]:
    return [vocabulary.tokens.index(token) for token in tokens]


def test_on_the_same_text_it_starts_with_exactly_these_parameters(compose):
    config = pinned(compose(*on("first", "model=gru", "init_from=before", "lr=0")))
    result = stack.run(config, Path("after"))
    before, after = (load_checkpoint(Path(name), LAST) for name in ("before", "after"))
    assert torch.equal(before.parameters.flat, after.parameters.flat)
    assert result.init_from == f"init_from: all {len(before.vocabulary)} tokens known"
    assert before.epoch == after.epoch == 2  # which are its own


def test_it_trains_as_one_whose_parameters_were_set_by_hand(compose):
    config = compose(*on("first", "model=gru", "init_from=before", "num_epochs=1"))
    stack.run(config, Path("after"))
    corpus = check(config, Corpora())
    model = build_model(config, len(corpus.vocabulary))
    training = Training(build_recipe(config, model, CPU), [build_lane(config, corpus)])
    training.parameters.flat.copy_(load_checkpoint(Path("before"), LAST).parameters.flat)
    training.run_epoch()
    after = load_checkpoint(Path("after"), LAST)
    assert torch.equal(training.parameters.flat, after.parameters.flat)
    assert torch.equal(training.optimizer.snapshot(0)["slot0"], after.training["optimizer.slot0"])


def test_rows_and_columns_go_with_their_tokens(compose, capsys):
    """New tokens have what the seed draws for them; tokens that are gone are dropped."""
    config = compose(*on("second", "model=gru", "init_from=before", "lr=0", "seed=3"))
    result = stack.run(config, Path("after"))
    before, after = (load_checkpoint(Path(name), LAST) for name in ("before", "after"))
    old, new = before.vocabulary, after.vocabulary
    assert set(old.tokens) - set(new.tokens) == {"."}
    here, there = rows(new, "abc dethb"), rows(old, "abc dethb")
    fresh = rows(new, "!fz?")
    drawn = after.model.init([3], torch.float32, CPU)
    assert here != there
    for name in ("0.W_xz", "0.W_xr", "0.W_xh"):
        a, b = after.parameters[name], before.parameters[name]
        assert torch.equal(a[:, here], b[:, there])
        assert torch.equal(a[:, fresh], drawn[name][:, fresh])
        assert torch.equal(a[:, 0], b[:, 0])  # <unk>
    for name in ("W_hq", "b_q"):
        a, b = after.parameters[name], before.parameters[name]
        assert torch.equal(a[..., here], b[..., there])
        assert torch.equal(a[..., fresh], drawn[name][..., fresh])
    for name in ("0.W_hz", "0.b_z", "0.W_hh", "0.b_h"):
        assert torch.equal(after.parameters[name], before.parameters[name])
    assert result.init_from == (
        f"init_from: {len(new) - 4} of {len(new)} tokens known, 4 new: '!', 'f', 'z', '?'; "
        "1 of its own gone"
    )
    assert f"{result.init_from}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model=lstm"], "its model is another one; type model=gru model.reset=before."),
        (["model=gru", "num_hiddens=9", "num_layers=2"], "type num_hiddens=8 num_layers=1."),
        (["model=gru", "model.reset=after"], "another one; type model.reset=before."),
        (["model=gru", "dataset.token=word"], "its tokens are others; type dataset.token=char."),
        (["model=gru", "init_sha256=0"], "its parameters have SHA-256 "),
    ],
)
def test_another_model_is_refused_with_the_words_to_type(compose, words, said):
    with pytest.raises(ConfigError, match=r"init_from=.*before is not allowed: ") as caught:
        stack.run(compose(*on("first", "init_from=before", *words)), Path("after"))
    assert said in str(caught.value)
    assert not Path("after").exists()


@pytest.mark.parametrize("path", ["nowhere", "first.txt", "~/nowhere"])
def test_what_is_no_run_is_refused(compose, path):
    with pytest.raises(ConfigError, match=rf"init_from={path} is not allowed"):
        pinned(compose(*on("first", f"init_from='{path}'")))
    Path("empty").mkdir()
    with pytest.raises(ConfigError, match=r"is .*empty the folder of a run"):
        pinned(compose(*on("first", "init_from=empty")))


def test_which_parameters_they_are_is_part_of_the_experiment_and_where_they_lie_is_not(
    compose,
):
    plain = compose(*on("first", "model=gru"))
    there = pinned(compose(*on("first", "model=gru", "init_from=before")))
    shutil.copytree("before", "copy")
    copied = pinned(compose(*on("first", "model=gru", "init_from=copy")))
    stack.run(compose(*on("first", "model=gru", "seed=1")), Path("other"))
    other = pinned(compose(*on("first", "model=gru", "init_from=other")))
    ids = [config_id(config, "0") for config in (plain, there, copied, other)]
    assert ids[1] == ids[2]
    assert len({*ids}) == 3
    assert there.init_from == str(Path("before").absolute())
    values = plain.as_dict()
    del values["init_from"], values["init_sha256"]  # as older folders have it
    assert from_dict(values) == plain


def test_it_goes_on_without_what_it_started_from(compose, stop_after):
    config = compose(*on("second", "model=gru", "init_from=before", "num_epochs=4"))
    stack.run(config, Path("whole"))
    stop_after(7)
    assert stack.run(config, Path("stopped")).status == Status.interrupted
    shutil.rmtree("before")
    stop_after(10**9)
    said = Result.read(Path("stopped")).init_from
    assert resume(Path("stopped"), {}).init_from == said
    assert list(differences(Path("whole"), Path("stopped"))) == []


def test_without_a_checkpoint_it_begins_with_the_same_or_not_at_all(compose):
    config = compose(*on("first", "model=gru", "init_from=before"))
    stack.run(config, Path("after"))
    shutil.copytree("after", "killed")
    for name in ("last", "best"):
        Path(f"killed/checkpoints/{name}.safetensors").unlink()
    result = json.loads(Path("killed/result.json").read_text())
    result |= {"status": "running", "epochs": 0}
    Path("killed/result.json").write_text(json.dumps(result))
    shutil.move("before", "away")
    with pytest.raises(ConfigError, match=r"is .*before the folder of a run"):
        resume(Path("killed"), {})
    stack.run(compose(*on("first", "model=gru", "seed=5")), Path("before"))
    with pytest.raises(ConfigError, match=r"its parameters have SHA-256 .* now, and not "):
        resume(Path("killed"), {})
    shutil.rmtree("before")
    shutil.move("away", "before")
    resume(Path("killed"), {})
    assert list(differences(Path("after"), Path("killed"))) == []


def test_lanes_of_a_stack_start_from_runs_of_their_own(compose):
    stack.run(compose(*on("second", "model=gru", "seed=1")), Path("other"))
    words = ("model=gru", "lr=0")
    starts = ["before", "null", "other"]
    jobs = [compose(*on("second", *words, f"init_from={start}")) for start in starts]
    # with one text there is one vocabulary, as a stack needs
    stack.run_stack(jobs, [Path(f"lane{k}") for k in range(3)])
    for k, job in enumerate(jobs):
        stack.run(job, Path(f"alone{k}"))
        lane, alone = (load_checkpoint(Path(f"{n}{k}"), LAST) for n in ("lane", "alone"))
        assert torch.equal(lane.parameters.flat, alone.parameters.flat)
    assert Start.of(pinned(jobs[1])) is None


def test_the_commands_start_study_and_reproduce():
    first = [*on("second", "model=gru"), "init_from=before", "hydra.run.dir=after"]
    status, out, err = commands.run(*first)
    assert (status, err) == (0, "")
    assert "tokens known, 4 new: " in out
    status, out, _ = commands.run("reproduce", "after", module=True)
    assert (status, "bit for bit" in out) == (0, True)
    study = [*on("second", "model=gru"), "init_from=before,null", "hydra.sweep.dir=study", "-m"]
    status, out, err = commands.run(*study)
    assert status == 0, err
    found = sorted(Path("study").glob("*/result.json"))
    assert [bool(Result.read(path.parent).init_from) for path in found] == [True, False]
    assert Result.read(found[0].parent).swept == ["init_from"]
    status, out, _ = commands.run("resume", "study", module=True)
    assert status == 0
    shutil.move("before", "away")
    status, _, err = commands.run("reproduce", "after", module=True)
    assert (status, err.count("\n")) == (2, 1)
    assert "the folder of a run" in err
