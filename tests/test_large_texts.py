"""Texts that memory should not hold give the tokens, minibatches and bits of those that it may."""

from __future__ import annotations

import pickle
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnlab._common.errors import ConfigError
from rnnlab.config.compose import compose as composed
from rnnlab.data import corpus, source, token_file
from rnnlab.data.encodings import between_characters
from rnnlab.data.source import Clean, Token
from rnnlab.data.sources.text import Text
from rnnlab.nn.seeding import generator
from rnnlab.runs import stack as experiment
from rnnlab.runs.folder import read_metrics
from rnnlab.training import plan, samplers
from rnnlab.training.permutation import Permutation
from rnnlab.training.samplers import Random, Sequential

STORY = "The Time Traveller,\r\n for so  it\rwill -- be\n\n"
STORY += " caf\u00e9 \u6642\u9593 \U0001f600 he\u2003was.  "


def text_of(path: Path, **changes: Any) -> Text:
    settings: dict[str, Any] = {"clean": Clean.letters, "token": Token.char, "min_freq": 0}
    settings |= {"max_tokens": None, "val_fraction": 0.0, "prefixes": ()}
    return Text(name="text", path=str(path), **settings | changes)


KINDS = [
    {},
    {"clean": Clean.none},
    {"token": Token.word},
    {"token": Token.word, "clean": Clean.none},
    {"token": Token.word, "newlines": True},
    {"token": Token.word, "clean": Clean.none, "newlines": True, "min_freq": 2},
]


@given(
    st.text(st.sampled_from("aB \n\r.\u00e9\u2003\u6642"), max_size=40),
    st.lists(st.integers(0, 40)),
    st.sampled_from(KINDS),
)
def test_where_blocks_end_makes_no_difference(text, cuts, kind):
    dataset = text_of(Path("x"), **kind)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    blocks = [text[a:b].encode() for a, b in pairwise(edges)]
    whole, vocabulary = corpus.tokenize(lambda: [text.encode()], dataset)
    cut, same = corpus.tokenize(lambda: blocks, dataset)
    assert (cut.tolist(), same) == (whole.tolist(), vocabulary)


@given(st.text(), st.integers(1, 9))
def test_a_file_is_cut_between_characters(text, size):
    raw = text.encode(errors="ignore")
    end = between_characters(raw[:size])
    assert raw[:end].decode() is not None
    assert min(size, len(raw)) - end < 4


@pytest.mark.parametrize("size", [4, 5, 64])
def test_the_blocks_of_a_file_are_the_file(tmp_path, monkeypatch, size):
    monkeypatch.setattr(source, "BLOCK", size)
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbf" + STORY.encode() * 9)
    blocks = [*text_of(path).blocks()]
    assert b"".join(blocks) == STORY.encode() * 9
    assert max(map(len, blocks)) <= size + 3 and all(block.decode() for block in blocks)
    path.write_bytes(STORY.encode() * 9 + b"\xff")
    with pytest.raises(ConfigError, match=f"byte {len(STORY.encode()) * 9} is 0xff"):
        [*text_of(path).blocks()]


@pytest.fixture
def large(monkeypatch, tmp_path) -> Path:
    """Every text is large from here on; where tokens are kept."""
    monkeypatch.setattr(corpus, "LARGE", 0)
    monkeypatch.setattr(source, "BLOCK", 64)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "rnnlab" / "tokens"


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_in_a_file_are_those_in_memory(tmp_path, large, monkeypatch, kind):
    path = tmp_path / "a.txt"
    path.write_text(STORY * 50)
    mapped = corpus.load(text_of(path, **kind, max_tokens=200, val_fraction=0.25))
    monkeypatch.setattr(corpus, "LARGE", 1 << 20)
    held = corpus.load(text_of(path, **kind, max_tokens=200, val_fraction=0.25))
    assert isinstance(mapped.train, np.memmap) and not isinstance(held.train, np.memmap)
    for one, other in ((mapped.train, held.train), (mapped.held_out, held.held_out)):
        assert (one.tolist(), one.dtype) == (other.tolist(), other.dtype)
    assert (mapped.vocabulary, mapped.sha256) == (held.vocabulary, held.sha256)
    again = pickle.loads(pickle.dumps(mapped))
    assert again.train.tolist() == mapped.train.tolist() and isinstance(again.train, np.memmap)
    assert len(pickle.dumps(mapped)) < 4096
    assert [file.name for file in large.rglob("*.npy")] == ["tokens.npy"]


@pytest.mark.usefixtures("large")
def test_a_text_is_read_once_more_only_if_its_bytes_are_new(tmp_path, monkeypatch):
    made = []
    making = token_file._make
    monkeypatch.setattr(token_file, "_make", lambda *of: [made.append(of[2]), making(*of)])
    path = tmp_path / "a.txt"
    for text in (STORY, STORY, STORY + "x", STORY):
        path.write_text(text)
        corpus.load(text_of(path))
    corpus.load(text_of(path, clean=Clean.none))
    assert (len(made), len({*made})) == (3, 2)


def test_a_text_that_changes_while_it_is_read_leaves_nothing(tmp_path, large, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text(STORY)
    counts = token_file.cut_of(text_of(path)).counts

    def changing(_, pieces):
        counted = counts(pieces)
        path.write_text(STORY.replace("will", "wall"))
        return counted

    monkeypatch.setattr("rnnlab.data.cutting.Characters.counts", changing)
    with pytest.raises(ConfigError, match=r"a\.txt has changed while it was read; begin again"):
        corpus.load(text_of(path))
    assert {file.name for file in large.glob("*/*")} <= {".lock"}


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path, large):
    path = tmp_path / "a.txt"
    path.write_text(STORY)
    large.parents[1].write_text("a file")
    with pytest.raises(ConfigError, match=r"cannot be: .* Name another place with XDG_CACHE_HOME"):
        corpus.load(text_of(path))


def test_two_processes_make_one_file(tmp_path, large):
    path = tmp_path / "a.txt"
    path.write_text(STORY * 3000)
    code = (
        "import sys; from pathlib import Path; from rnnlab.data import corpus; corpus.LARGE = 0\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_large_texts import text_of\n"
        "print(corpus.load(text_of(Path(sys.argv[1]))).train.sum())"
    )
    command = [sys.executable, "-c", code, str(path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[0].splitlines()[-1] for process in both]
    assert said[0] == said[1] and [process.returncode for process in both] == [0, 0]
    assert len([*large.rglob("*.npy")]) == 1


# --- an epoch of it --------------------------------------------------------------------------


@given(st.integers(1, 3000), st.integers(0, 2**32))
def test_a_computed_order_has_every_number_once(n, seed):
    place = Permutation(n, generator(seed, "sampler"))(torch.arange(n))
    assert torch.equal(place.sort().values, torch.arange(n))


def test_a_computed_order_looks_like_a_random_one():
    """Correlation of neighbours, and how the first half of the order falls into 16 parts."""
    n = 200_000
    for seed in range(5):
        place = Permutation(n, generator(seed, "sampler"))(torch.arange(n)).double()
        pairs = torch.stack([place[:-1], place[1:]])
        assert abs(torch.corrcoef(pairs)[0, 1]) < 5 / n**0.5
        counts = torch.histc(place[: n // 2], 16, 0, n)
        expected = n / 32
        # drawn without putting back: the variance is half of a multinomial's
        assert ((counts - expected) ** 2 / (expected / 2)).sum() < 45  # chi-square, 15 degrees


def test_orders_beyond_a_size_are_computed_and_cover_the_text(monkeypatch):
    monkeypatch.setattr(samplers, "MOST", 10)
    N, B, T = 2003, 4, 5
    starts = Random().starts(N, B, T, generator(1, "sampler"))
    assert not isinstance(starts, torch.Tensor)
    whole = starts[:]
    assert whole.shape == (len(starts), B) == ((N - int(whole.min() % T) - 1) // T // B, B)
    assert len(whole.unique()) == whole.numel() and len((whole % T).unique()) == 1
    assert int(whole.max()) + T < N and int(whole.min()) >= 0
    assert torch.equal(torch.cat([starts[:7], starts[7:]]), whole)
    other = Random().starts(N, B, T, generator(2, "sampler"))[:]
    assert not torch.equal(whole, other)


def test_a_plan_is_the_same_in_pieces(monkeypatch):
    def steps(size: int):
        monkeypatch.setattr(plan, "PIECE", size)
        drawn = [
            sampler.starts(N, 3, 4, generator(k, "sampler"))
            for k, (sampler, N) in enumerate([(Random(), 200), (Sequential(), 120)])
        ]
        lanes = [
            plan.LaneEpoch(starts, len(starts), 1000 * k, torch.arange(len(starts)) == 0)
            for k, starts in enumerate(drawn)
        ]
        made = plan.Plan(lanes, 3, torch.device("cpu"))
        return [[part.tolist() for part in made[i]] for i in range(len(made))]

    assert steps(1) == steps(30) == steps(1 << 20)


@pytest.mark.parametrize("sampler", ["random", "sequential"])
@pytest.mark.usefixtures("large")
def test_a_mapped_text_trains_to_the_same_bits(tmp_path, monkeypatch, sampler):
    path = tmp_path / "a.txt"
    path.write_text(STORY * 200)
    config = composed(
        ["dataset=text", f"dataset.path={path}", "dataset.val_fraction=0.1", "size=tiny"]
        + [f"sampler={sampler}", "num_epochs=3", "dataset.max_tokens=null"]
    )
    curves = []
    for name, size in (("mapped", 0), ("held", 1 << 20)):
        monkeypatch.setattr(corpus, "LARGE", size)
        experiment.run(config, tmp_path / name)
        lines = read_metrics(tmp_path / name)
        curves.append([(line["perplexity"], line["val_perplexity"]) for line in lines])
    assert curves[0] == curves[1] and len(curves[0]) == 3
