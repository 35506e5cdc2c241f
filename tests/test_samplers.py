"""Both samplers against the textbook's definitions, worked out by hand."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.nn.seeding import generator
from rnnlab.training.samplers import Random, Sequential


def random(*sizes):
    return Random().starts(*sizes)[:]


def sequential(*sizes):
    return Sequential().starts(*sizes)[:]


sizes = st.tuples(st.integers(1, 5), st.integers(1, 7))


def offset_of(starts: torch.Tensor) -> int:
    return int(starts.min())


@given(sizes, st.integers(0, 200), st.integers(0, 2**32))
def test_sequential_minibatches_adjoin(size, extra, seed):
    """Row b of minibatch i + 1 begins where row b of minibatch i ended; rows are equal."""
    B, T = size
    N = B * T + T + 1 + extra
    starts = sequential(N, B, T, generator(seed, "sampler"))
    offset = offset_of(starts)
    row_length = (N - offset - 1) // B
    assert 0 <= offset <= T
    assert starts.shape == (row_length // T, B)
    assert len(starts) >= 1
    assert (starts.diff(dim=0) == T).all()
    assert (starts.diff(dim=1) == row_length).all()
    assert int(starts.max()) + T < N  # the last target is in the text


@given(sizes, st.integers(0, 200), st.integers(0, 2**32))
def test_random_minibatches_cover_without_repeats(size, extra, seed):
    """Every subsequence is a different multiple of T from the offset; few are left over."""
    B, T = size
    N = B * T + T + extra
    starts = random(N, B, T, generator(seed, "sampler"))
    flat = starts.flatten()
    assert len(starts) >= 1
    assert len(flat.unique()) == len(flat)
    assert len((flat % T).unique()) == 1
    assert int(flat.max()) + T < N
    offset = int(flat[0]) % T
    num_subsequences = (N - offset - 1) // T
    assert num_subsequences - len(flat) < B
    assert int(flat.max()) <= offset + (num_subsequences - 1) * T


def test_the_textbook_example_of_sequential_partitioning():
    """35 tokens, B 2, T 5, as in the chapter: offset 0 gives 0 and 17, then 5 and 22, ..."""
    for seed in range(200):
        starts = sequential(35, 2, 5, generator(seed, "sampler"))
        if offset_of(starts) == 0:
            assert starts.tolist() == [[0, 17], [5, 22], [10, 27]]
            return
    raise AssertionError("offset 0 never came")


def test_offsets_take_every_value_and_no_other():
    """0..T for sequential, 0..T-1 for random: an offset too many or too few would show."""
    draws = [generator(seed, "sampler") for seed in range(600)]
    assert {offset_of(sequential(100, 2, 4, g)) for g in draws} == {0, 1, 2, 3, 4}
    draws = [generator(seed, "sampler") for seed in range(600)]
    assert {int(random(100, 2, 4, g)[0, 0]) % 4 for g in draws} == {0, 1, 2, 3}


def test_random_order_is_an_order_of_its_own_each_epoch():
    first = random(1000, 4, 5, generator(0, "sampler", 0))
    assert torch.equal(first, random(1000, 4, 5, generator(0, "sampler", 0)))
    assert not torch.equal(first, random(1000, 4, 5, generator(0, "sampler", 1)))
    assert not torch.equal(first, random(1000, 4, 5, generator(1, "sampler", 0)))


def test_the_chapter_has_eight_minibatches_an_epoch():
    """10,000 tokens, B 32, T 35: 8 minibatches with either sampler and any offset."""
    for seed in range(50):
        assert len(random(10_000, 32, 35, generator(seed, "s"))) == 8
        assert len(sequential(10_000, 32, 35, generator(seed, "s"))) == 8
