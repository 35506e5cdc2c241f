"""Decoding against the model's own probabilities, and held-out perplexity against a closed form."""

import math

import pytest
import torch

import library
from rnnlab.nn.engines.eager import Loop
from rnnlab.nn.generation import choose, entering, generate
from rnnlab.nn.seeding import generator
from rnnlab.training.evaluation import evaluate

CPU = torch.device("cpu")
MODEL = library.model("lstm", 6, 5, 2, init_std=1.0)
PARAMETERS = MODEL.init([0], torch.float64, CPU)


def logits_after(tokens: list[int]) -> torch.Tensor:
    """The training engine's logits for the token after `tokens`."""
    state = MODEL.zero_state(1, 1, torch.float64, CPU)
    logits, _ = Loop().forward(PARAMETERS, torch.tensor([[tokens]]), state)
    return logits[0, -1, 0]


def test_each_token_is_the_likeliest_after_all_before_it():
    """A prefix that is not warmed up on, or a state that is lost, would choose differently."""
    (tokens,) = generate(PARAMETERS, [[1, 4, 2]], 12)
    assert tokens[:3] == [1, 4, 2]
    assert len(tokens) == 15
    for end in range(3, 15):
        assert tokens[end] == int(logits_after(tokens[:end]).argmax())


def test_draws_are_reproducible_and_follow_the_seed():
    def draw(seed):
        return generate(PARAMETERS, [[1], [1]], 40, temperature=1.0, seed=seed)

    assert draw(0) == draw(0)
    assert draw(0) != draw(1)
    assert draw(0)[0] != draw(0)[1]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_texts_generated_together_are_those_generated_alone(temperature):
    """Prefixes of other lengths: nobody's prefix, state or draws may leak into another's text."""
    prefixes = [[1, 4, 2], [3], [5, 5, 0, 1, 2]]
    together = generate(PARAMETERS, prefixes, 20, temperature=temperature)
    assert [len(text) for text in together] == [23, 21, 25]
    for b, prefix in enumerate(prefixes):
        others = [[0]] * b + [prefix]
        assert generate(PARAMETERS, others, 20, temperature=temperature)[b] == together[b]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_draws_have_the_softmaxs_frequencies(temperature):
    """4,000 draws: each frequency within four standard errors of softmax(logits / temperature)."""
    logits = torch.tensor([1.0, 0.0, -1.0, 2.0])
    expected = torch.softmax(logits / temperature, 0)
    source = generator(0, "test")
    draws = torch.cat(
        [choose(logits[None], temperature, None, None, [source]) for _ in range(4000)]
    )
    found = torch.bincount(draws, minlength=4) / 4000
    errors = (expected * (1 - expected) / 4000).sqrt()
    assert ((found - expected).abs() < 4 * errors).all()


def test_top_k_draws_among_the_k_likeliest_only():
    logits = torch.tensor([1.0, 0.0, -1.0, 2.0])
    source = generator(0, "test")

    def drawn(temperature: float, top_k: int, times: int) -> set[int]:
        draws = (choose(logits[None], temperature, top_k, None, [source]) for _ in range(times))
        return {int(draw) for draw in draws}

    assert drawn(5.0, 2, 200) == {0, 3}
    assert drawn(5.0, 1, 20) == {3}
    assert drawn(50.0, 99, 200) == {0, 1, 2, 3}


def test_held_out_perplexity_of_a_model_that_knows_nothing_is_its_vocabulary():
    zero = PARAMETERS.like(torch.zeros_like(PARAMETERS.flat))
    tokens = torch.randint(6, (50,), dtype=torch.uint8)
    assert evaluate(zero, tokens) == pytest.approx(6.0, rel=1e-12)


@pytest.mark.parametrize("length", [2, 9, 10, 11, 40])
def test_held_out_perplexity_is_exact_whatever_the_chunk(monkeypatch, length):
    """Token by token from the definition; a chunk border must not lose the state or a target."""
    monkeypatch.setattr("rnnlab.training.evaluation.STEPS", 10)
    tokens = torch.randint(6, (length,), generator=torch.Generator().manual_seed(1))
    nats = sum(
        -torch.log_softmax(logits_after(tokens[:end].tolist()), 0)[tokens[end]].item()
        for end in range(1, length)
    )
    expected = math.exp(nats / (length - 1))
    assert evaluate(PARAMETERS, tokens) == pytest.approx(expected, rel=1e-10)


# softmax of these logarithms is 0.4, 0.3, 0.2, 0.1
FALLING = torch.tensor([0.2, 0.4, 0.1, 0.3]).log()


@pytest.mark.parametrize(
    ("top_k", "top_p", "left"),
    [
        (None, 0.05, {1}),  # the likeliest alone is more than that
        (None, 0.39, {1}),
        (None, 0.41, {1, 3}),
        (None, 0.69, {1, 3}),
        (None, 0.71, {0, 1, 3}),
        (None, 1.0, {0, 1, 2, 3}),
        (2, 0.56, {1}),  # of two, 4 / 7 = 0.571 and 3 / 7
        (2, 0.58, {1, 3}),
        (3, 0.99, {0, 1, 3}),
    ],
)
def test_the_nucleus_is_the_fewest_likeliest_tokens_that_reach_p_of_the_k_likeliest(
    top_k, top_p, left
):
    source = generator(0, "test")
    draws = torch.cat([choose(FALLING[None], 1.0, top_k, top_p, [source]) for _ in range(300)])
    assert set(draws.tolist()) == left


def test_the_nucleus_is_of_the_probabilities_at_the_temperature_and_each_texts_own():
    """At temperature 0.5 they are 16, 9, 4 and 1 thirtieths."""
    both = torch.stack([FALLING, FALLING.flip(0)])
    streams = [generator(0, "test", b) for b in range(2)]
    draws = torch.stack([choose(both, 0.5, None, 0.55, streams) for _ in range(300)])
    assert [set(column.tolist()) for column in draws.T] == [{1, 3}, {0, 2}]


def test_equally_likely_tokens_do_not_all_come_with_the_first_of_them():
    source, logits = generator(0, "test"), torch.zeros(1, 8)
    draws = [int(choose(logits, 1.0, None, 0.3, [source])) for _ in range(300)]
    assert set(draws) == {0, 1, 2}


@pytest.mark.parametrize("temperature", [1e-12, 1e-300])
@pytest.mark.parametrize("top_p", [None, 0.9])
def test_a_temperature_near_zero_takes_the_likeliest(temperature, top_p):
    logits = torch.tensor([[1.0, 3.0, 2.0]])
    assert choose(logits, temperature, None, top_p, [generator(0, "test")]).tolist() == [1]


@pytest.mark.parametrize("form", ["rnn_tanh", "lstm", "gru_after"])
def test_rows_that_are_looked_up_are_the_one_hot_product_bit_for_bit(form):
    model = library.model(form, 11, 7, init_std=1.0)
    parameters = model.init([0], torch.float32, CPU)
    weights = parameters.layer(0)
    tokens = torch.tensor([3, 9, 3, 0])
    state = [torch.randn(1, 4, 7) for _ in model.cell.states]
    X, rows = entering(parameters, tokens[None])
    assert X.shape == (1, 4, 3)
    expected = model.cell.step(torch.eye(11)[tokens][None], *state, **weights)
    assert all(map(torch.equal, model.cell.step(X, *state, **rows), expected))


def test_texts_of_several_groups_are_those_of_one(monkeypatch):
    def drawn():
        return generate(PARAMETERS, [[1], [2, 3], [4], [5], [0]], 20, temperature=1.0)

    together = drawn()
    monkeypatch.setattr("rnnlab.nn.generation.AT_ONCE", 2 * (6 + 10 + 22))
    assert drawn() == together
