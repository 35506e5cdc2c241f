"""A checkpoint comes back as it was, and nothing else passes for one."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from rnnlab.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from rnnlab.config import ConfigError
from rnnlab.corpus import Vocabulary
from rnnlab.files import write_atomically
from rnnlab.model import Model

MODEL = Model(cell_name="gru_after", vocab_size=4, num_hiddens=3, num_layers=2)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoints" / "last.safetensors"
    checkpoint = Checkpoint(
        model=MODEL,
        vocabulary=Vocabulary(("<unk>", " ", "é", '"'), "char"),
        parameters=MODEL.init([0], torch.float32, torch.device("cpu")),
        epoch=7,
        config={"lr": 1.0},
        config_id="abc",
    )
    save_checkpoint(path, checkpoint)
    return path


def test_a_checkpoint_comes_back_as_it_was(saved):
    loaded = load_checkpoint(saved)
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
        load_checkpoint(saved)


def test_another_programs_safetensors_is_no_checkpoint(saved):
    save_file({"W": torch.zeros(2)}, saved)
    with pytest.raises(ConfigError, match="is not a checkpoint of rnnlab"):
        load_checkpoint(saved)


def test_tensors_of_another_shape_are_refused(saved):
    tensors = load_file(saved)
    tensors["W_hq"] = torch.zeros(1, 3, 5)
    described = {"format": "rnnlab-1", "epoch": 1, "config": {}, "config_id": ""}
    described["model"] = vars(MODEL)
    described["vocabulary"] = {"tokens": ["<unk>"] * 4, "kind": "char"}
    save_file(tensors, saved, {"rnnlab": json.dumps(described)})
    with pytest.raises(ConfigError, match="its tensors are not those of its model"):
        load_checkpoint(saved)


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"is not there: is .* the folder of a run"):
        load_checkpoint(tmp_path / "run" / "checkpoints" / "last.safetensors")


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "result.json"
    write_atomically(path, "old")

    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.glob(".*")) == []
