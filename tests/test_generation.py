"""Decoding against the model's own probabilities, and held-out perplexity against a closed form."""

import math

import pytest
import torch

import library
from rnnlab.nn.engines.eager import Loop
from rnnlab.nn.generation import choose, generate
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
    draws = torch.cat([choose(logits[None], temperature, None, [source]) for _ in range(4000)])
    found = torch.bincount(draws, minlength=4) / 4000
    errors = (expected * (1 - expected) / 4000).sqrt()
    assert ((found - expected).abs() < 4 * errors).all()


def test_top_k_draws_among_the_k_likeliest_only():
    logits = torch.tensor([1.0, 0.0, -1.0, 2.0])
    source = generator(0, "test")

    def drawn(temperature: float, top_k: int, times: int) -> set[int]:
        draws = (choose(logits[None], temperature, top_k, [source]) for _ in range(times))
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
