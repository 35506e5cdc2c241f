"""A checkpoint comes back as it was, and nothing else passes for one."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import library
from fuzz import fuzz
from rnnlab._common.errors import ConfigError
from rnnlab._common.files import write_whole
from rnnlab.data.corpus import Vocabulary
from rnnlab.runs.checkpoint import Checkpoint, checksum, load_checkpoint, save_checkpoint
from rnnlab.runs.folder import LAST

MODEL = library.model("gru_after", 4, 3, 2)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoints" / "last.safetensors"
    path.parent.mkdir()
    checkpoint = Checkpoint(
        model=MODEL,
        vocabulary=Vocabulary(("<unk>", " ", "é", '"'), "char"),
        parameters=MODEL.init([0], torch.float32, torch.device("cpu")),
        epoch=7,
        config={"lr": 1.0},
        config_id="abc",
    )
    save_checkpoint(tmp_path, LAST, checkpoint)
    return path


def test_a_checkpoint_comes_back_as_it_was(saved):
    loaded = load_checkpoint(saved.parents[1], LAST)
    assert loaded.model == MODEL
    assert loaded.vocabulary == Vocabulary(("<unk>", " ", "é", '"'), "char")
    assert (loaded.epoch, loaded.config, loaded.config_id) == (7, {"lr": 1.0}, "abc")
    expected = MODEL.init([0], torch.float32, torch.device("cpu"))
    assert loaded.parameters.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(loaded.parameters[name], value)


@pytest.mark.parametrize("keep", [0, 1, 8, 100, 0.5, -1])
def test_a_truncated_file_is_no_checkpoint(saved, keep):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    with pytest.raises(ConfigError, match="is not a checkpoint of rnnlab, or is damaged"):
        load_checkpoint(saved.parents[1], LAST)


def test_another_programs_safetensors_is_no_checkpoint(saved):
    save_file({"W": torch.zeros(2)}, saved)
    with pytest.raises(ConfigError, match="is not a checkpoint of rnnlab"):
        load_checkpoint(saved.parents[1], LAST)


def forged(path: Path, change) -> None:
    """Rewrite a checkpoint with its description and tensors changed and its checksum right."""
    tensors = load_file(path)
    with safe_open(path, framework="pt") as file:
        described = json.loads(file.metadata()["rnnlab"])
    change(described, tensors)
    text = json.dumps(described)
    save_file(tensors, path, {"rnnlab": text, "sha256": checksum(text, tensors)})


HOSTILE = {
    "its tensors are not those of its model": lambda d, t: t.update(W_hq=torch.zeros(1, 3, 5)),
    "not those of its model": lambda d, t: t.update({k: v[:0] for k, v in t.items()}),
    "its parameters are not finite": lambda d, t: t["W_hq"].fill_(torch.nan),
    "model=os.system is none of rnn, lstm, gru": lambda d, t: d["model"]["cell"].update(
        name="os.system"
    ),
    "unexpected keyword argument 'evil'": lambda d, t: d["model"].update(evil=1),
    "its vocabulary is not as long": lambda d, t: d["vocabulary"]["tokens"].append("x"),
    "its vocabulary.tokens is not of the type str": lambda d, t: d["vocabulary"].update(
        tokens=[1] * 4
    ),
    "its epoch is not of the type int": lambda d, t: d.update(epoch="7"),
    "its format is": lambda d, t: d.update(format="rnnlab-1"),
    "its config is not of the type dict": lambda d, t: d.update(config=[]),
}


def test_a_checkpoint_of_the_format_before_is_read(saved):
    """It had a cell's form, dropout and init_std beside a model's sizes."""

    def as_before(described, _):
        del described["model"]["cell"]
        described["model"] |= {"cell_name": "gru_after", "dropout": 0.0, "init_std": 0.01}
        described["format"] = "rnnlab-2"

    forged(saved, as_before)
    assert load_checkpoint(saved.parents[1], LAST).model == MODEL


@pytest.mark.parametrize("sentence", HOSTILE)
def test_a_forged_checkpoint_is_refused(saved, sentence):
    forged(saved, HOSTILE[sentence])
    with pytest.raises(ConfigError, match=sentence):
        load_checkpoint(saved.parents[1], LAST)


def test_a_forged_number_of_layers_takes_no_memory(saved):
    """The shapes of a thousand million layers are not written down to be compared."""
    forged(saved, lambda d, t: d["model"].update(num_layers=10**9))
    with pytest.raises(ConfigError, match="its tensors are not those of its model"):
        load_checkpoint(saved.parents[1], LAST)


def test_a_single_flipped_bit_is_found(saved):
    content = bytearray(saved.read_bytes())
    content[-3] ^= 1
    saved.write_bytes(content)
    with pytest.raises(ConfigError, match="its checksum is not that of its content"):
        load_checkpoint(saved.parents[1], LAST)


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"is not there: is .* the folder of a run"):
        load_checkpoint(tmp_path / "run", LAST)


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "result.json"
    write_whole(tmp_path, "result.json", "old")

    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path, "result.json", "new")
    assert path.read_text() == "old"
    assert list(tmp_path.glob(".*")) == []


def test_damaged_and_hostile_input_is_refused_in_one_sentence():
    """A short round of `make fuzz`, with another seed: no other exception, no file elsewhere."""
    seen = fuzz(600, seed=7)
    assert sum(seen.values()) >= 600
    assert seen["checkpoint_bytes: refused"] > 150
    assert seen["checkpoint_content: refused"] > 50
