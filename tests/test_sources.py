"""Texts that are drawn: what is written, and entropy rates against other computations of them."""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest

from rnnlab._common.errors import ConfigError
from rnnlab.data import corpus, likelihood
from rnnlab.data.corpus import load, strings_of
from rnnlab.data.sources.dyck import Dyck
from rnnlab.data.sources.hmm import MACHINES
from rnnlab.data.sources.markov import Markov
from rnnlab.data.synthetic import Draws, Synthetic

SOURCES = ["markov", "hmm", "reber", "embedded_reber", "copy", "dyck", "parity"]


@pytest.fixture
def source(compose):
    """source("copy", lag=3) -> the dataset of that name."""

    def of(name: str, **knobs: object) -> Synthetic:
        words = [f"dataset.{knob}={value}" for knob, value in knobs.items()]
        return compose(f"dataset={name}", *words).dataset

    return of


def text_of(own: Synthetic) -> str:
    return b"".join(own.blocks()).decode()


def entropy(probabilities: Iterable[float]) -> float:
    return -sum(p * math.log(p) for p in probabilities if p)


# --- entropy rates, each computed another way ------------------------------------------------


def of_blocks(edges: list[tuple[int, str, int, float]], start: dict[int, float], n: int) -> float:
    """H(n + 1) - H(n) over all words, whose probabilities are summed path by path."""
    words = {"": start}
    entropies = [0.0]
    for _ in range(n + 1):
        longer: dict[str, dict[int, float]] = {}
        for word, states in words.items():
            for a, symbol, b, p in edges:
                own = longer.setdefault(word + symbol, {})
                own[b] = own.get(b, 0.0) + states.get(a, 0.0) * p
        words = longer
        entropies.append(entropy(sum(states.values()) for states in words.values()))
    return entropies[-1] - entropies[-2]


def by_power(edges: list[tuple[int, str, int, float]]) -> dict[int, float]:
    """The stationary distribution: where a lazy walk comes to."""
    shares = {a: 1.0 for a, *_ in edges}
    for _ in range(3000):
        after = {a: 0.5 * p for a, p in shares.items()}
        for a, _symbol, b, p in edges:
            after[b] += 0.5 * shares[a] * p
        shares = after
    total = sum(shares.values())
    return {a: p / total for a, p in shares.items()}


def edges_of(own) -> list[tuple[int, str, int, float]]:
    machine = own.automaton
    symbols = map(chr, machine.symbol.tolist())
    rows = (machine.source.tolist(), symbols, machine.target.tolist(), machine.probability.tolist())
    return [*zip(*rows, strict=True)]


@pytest.mark.parametrize("temperature", [0.3, 1, 5])
def test_a_markov_chains_rate_is_the_growth_of_its_blocks(source, temperature):
    """Exact as soon as a block is as long as the order."""
    own = source("markov", symbols=3, order=2, temperature=temperature)
    edges = edges_of(own)
    assert own.entropy_rate() == pytest.approx(of_blocks(edges, by_power(edges), 3), abs=1e-9)


def test_temperature_is_how_even_the_transitions_are(source):
    """Dirichlet's with all ones has rows of mean entropy psi(A + 1) - psi(2) (Wolpert 1995)."""
    rates = [
        source("markov", order=1, symbols=20, temperature=t).entropy_rate() for t in (0.1, 1, 99)
    ]
    assert rates[0] < 0.5 * rates[1]
    assert rates[2] == pytest.approx(math.log(20), abs=1e-3)
    rows = Markov(
        length=2, seed=1, val_fraction=0, symbols=62, order=2, temperature=1
    ).automaton.probability.reshape(62**2, 62)
    mean = -np.mean(np.sum(rows * np.log(rows), 1))
    assert mean == pytest.approx(sum(1 / k for k in range(2, 63)), abs=4e-3)


def test_known_machines(source):
    """2/3 bit (Crutchfield and Feldman 2003); of the third, 1s are renewals: n 0s between them have
    n 2^-(n + 1)."""
    two_thirds = 2 / 3 * math.log(2)
    for machine in ("golden_mean", "even"):
        assert source("hmm", machine=machine).entropy_rate() == pytest.approx(two_thirds, abs=1e-12)
    waits = {n + 1: n / 2 ** (n + 1) for n in range(1, 200)}
    mean = sum(n * p for n, p in waits.items())
    expected = entropy(waits.values()) / mean
    assert expected == pytest.approx(
        0.677867 * math.log(2), abs=1e-6
    )  # Marzen and Crutchfield 2015
    assert source("hmm", machine="nonunifilar").entropy_rate() == pytest.approx(expected, abs=1e-6)


def test_an_emission_hmm_is_known_to_its_error(source):
    """The blocks' growth comes down to it; the stated error is 1e-6."""
    own = source("hmm", machine="noisy_golden_mean")
    edges = edges_of(own)
    growth = [of_blocks(edges, by_power(edges), n) for n in (6, 9, 11)]
    assert growth[0] > growth[1] > growth[2] > own.entropy_rate() - 1e-6
    assert own.entropy_rate() == pytest.approx(growth[2], abs=5e-6)
    low, high = own.automaton.bounds
    assert 0 < high - low <= 2e-6


def test_bounds_of_a_unifilar_machine_close_around_its_formula(source):
    own = source("hmm", machine="golden_mean")
    low, high = own.automaton.bounds
    assert low == pytest.approx(high, abs=1e-9) == pytest.approx(own.entropy_rate(), abs=1e-9)


ARCS = {"0": "B1", "1": "T2 P3", "2": "S2 X4", "3": "T3 V5", "4": "X3 S6", "5": "P4 V6", "6": "E7"}


def test_reber_is_the_entropy_of_a_string_over_its_mean_length(source):
    """Both are summed symbol by symbol, from where a string may be after so many."""
    places, length, choices = {"0": 1.0}, 0.0, 0.0
    for _ in range(400):
        length += sum(places.values())
        after: dict[str, float] = dict.fromkeys("01234567", 0.0)
        for state, p in places.items():
            arcs = ARCS[state].split()
            choices += p * (len(arcs) - 1)
            for arc in arcs:
                after[arc[1]] += p / len(arcs)
        places = {state: p for state, p in after.items() if state != "7"}
    assert length == pytest.approx(8)
    expected = choices * math.log(2) / length
    assert source("reber").entropy_rate() == pytest.approx(expected, abs=1e-12)
    embedded = (choices + 1) * math.log(2) / (length + 4)  # B, T or P, ..., T or P, E
    assert source("embedded_reber").entropy_rate() == pytest.approx(embedded, abs=1e-12)


@pytest.mark.parametrize(
    ("fewest", "bits", "running"), [(1, 6, False), (3, 3, False), (2, 5, True)]
)
def test_parity_is_the_entropy_of_a_string_over_its_mean_length(source, fewest, bits, running):
    strings = {}
    for n in range(fewest, bits + 1):
        for own in itertools.product("01", repeat=n):
            strings["".join(own)] = 2.0**-n / (bits - fewest + 1)
    mean = sum(p * (2 * len(s) + 1 if running else len(s) + 2) for s, p in strings.items())
    own = source("parity", fewest=fewest, bits=bits, running=running)
    assert own.entropy_rate() == pytest.approx(entropy(strings.values()) / mean, abs=1e-12)


def depth_of(string: str) -> int:
    """Of a balanced one; -1 of another."""
    open_, deepest = [], 0
    for bracket in string:
        if bracket in "([{<":
            open_.append(bracket)
        elif not open_ or open_.pop() + bracket not in ("()", "[]", "{}", "<>"):
            return -1
        deepest = max(deepest, len(open_))
    return -1 if open_ else deepest


@pytest.mark.parametrize(
    ("kinds", "depth", "brackets"), [(1, 2, 10), (2, 2, 6), (3, 9, 6), (2, 1, 4)]
)
def test_dyck_has_every_balanced_string_equally_often(source, kinds, depth, brackets):
    own = source("dyck", kinds=kinds, depth=depth, brackets=brackets, length=300_000)
    letters = "([{<"[:kinds] + ")]}>"[:kinds]
    every = ["".join(s) for s in itertools.product(letters, repeat=brackets)]
    balanced = {s for s in every if 0 <= depth_of(s) <= depth}
    assert own.entropy_rate() == pytest.approx(math.log(len(balanced)) / brackets, abs=1e-12)
    text = text_of(own)
    counts = Counter(text[i : i + brackets] for i in range(0, len(text) - brackets, brackets))
    assert counts.keys() == balanced
    expected = sum(counts.values()) / len(balanced)
    chi2 = sum((count - expected) ** 2 / expected for count in counts.values())
    assert chi2 < len(balanced) + 5 * math.sqrt(2 * len(balanced))


def test_long_brackets_are_counted_without_overflow():
    own = Dyck(length=2, seed=0, val_fraction=0, kinds=2, depth=1000, brackets=3000)
    catalan = math.log(math.comb(3000, 1500) // 1501)
    # depth 1000 is met by next to no string of 3000
    assert own.entropy_rate() == pytest.approx((catalan + 1500 * math.log(2)) / 3000, abs=1e-12)


# --- what is written -------------------------------------------------------------------------


def test_a_copy_is_what_was_there_a_lag_before(source):
    for items, lag, marker in [(1, 5, True), (3, 8, False), (2, 3, True), (4, 4, False)]:
        own = source("copy", items=items, lag=lag, marker=marker, symbols=5, length=2000)
        text, size = text_of(own), lag + items
        assert {text[i].upper() == text[i + lag] for i in range(1900) if text[i].islower()} == {
            True
        }
        first = text[:size]
        gap = lag - items
        assert re.fullmatch(
            rf"[a-e]{{{items}}}-{{{gap - marker}}}{'>' * marker}[A-E]{{{items}}}", first
        )
        assert own.entropy_rate() == pytest.approx(math.log(5**items) / size)
        assert set(own.answers) == set("ABCDE")


def test_parity_is_of_the_ones_in_its_string(source):
    text = text_of(source("parity", length=5000))
    strings = re.findall(r"([01]+)=([eo])", text)
    assert "".join(f"{bits}={letter}" for bits, letter in strings) == text[: text.rfind("=") + 2]
    assert {("eo"[bits.count("1") % 2] == letter) for bits, letter in strings} == {True}
    assert {len(bits) for bits, _ in strings} == {*range(1, 21)}
    running = text_of(source("parity", running=True, bits=4, length=5000))
    for string in running.split("=")[:-1]:
        bits = string[::2]
        assert string[1::2] == "".join("eo"[bits[: k + 1].count("1") % 2] for k in range(len(bits)))


def is_reber(string: str) -> bool:
    state = "0"
    for symbol in string:
        after = [arc[1] for arc in ARCS.get(state, "").split() if arc[0] == symbol]
        state = after[0] if after else "none"
    return state == "7"


def test_reber_strings_are_the_grammars(source):
    strings = re.findall(r"B[^B]*E", text_of(source("reber")))
    assert all(map(is_reber, strings))
    outer = re.findall(r"B([TP])(B[^B]*?E)([TP])E", text_of(source("embedded_reber")))
    assert len(outer) > 8000
    assert all(first == last and is_reber(inner) for first, inner, last in outer)
    assert np.mean([first == "T" for first, *_ in outer]) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("name", SOURCES)
def test_a_seed_is_one_text_whatever_its_length(source, name):
    """The longer text begins with the shorter one; over the border of what is drawn at once."""
    short, long_ = (text_of(source(name, length=n)) for n in (70_001, 140_000))
    assert (len(short), len(long_)) == (70_001, 140_000)
    assert long_.startswith(short)
    assert not text_of(source(name, length=140_000, seed=1)).startswith(short[:200])


TEXTS = {  # SHA-256, its first digits
    "markov": "ded92995b44e4be4",
    "hmm": "7dc5846b479605d7",
    "reber": "7348b6e175c2c9ca",
    "embedded_reber": "18b422ab6d2249b9",
    "copy": "b7d7ce53df7fef58",
    "dyck": "c062647f5623c70c",
    "parity": "7195eeb30c3675cf",
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_text_is_the_same_on_every_machine(source, name):
    digest = hashlib.sha256(text_of(source(name)).encode()).hexdigest()
    assert digest[:16] == TEXTS[name]


def test_draws_are_even_and_independent_of_each_other():
    one, other = (Draws(7, purpose).uniform(100_000) for purpose in (0, 1))
    assert 0 <= one.min() < 1e-3 < 1 - 1e-3 < one.max() < 1
    assert one.mean() == pytest.approx(0.5, abs=4 / math.sqrt(12 * 100_000))
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.015
    counts = np.bincount(Draws(7, 0).below(3, 90_000))
    assert counts.tolist() == pytest.approx([30_000] * 3, rel=0.02)


# --- the rate against a long sample ----------------------------------------------------------


def cost_of(own, codes: np.ndarray, chunk: int = 4000, burn: int = 400) -> float:
    """Nats a symbol of a text by the forward algorithm, over many pieces side by side.

    Each is read from `burn` symbols before it, which do not count, so that the state is known as
    well as the text tells it.
    """
    symbols, places = np.unique(codes, return_inverse=True)
    machine = own.automaton
    S = machine.num_states
    T = np.zeros((len(symbols), S, S))
    index = np.searchsorted(symbols, machine.symbol)
    np.add.at(T, (index, machine.source, machine.target), machine.probability)
    pieces = np.lib.stride_tricks.sliding_window_view(places, chunk + burn)[::chunk]
    belief = np.full((len(pieces), S), 1 / S)
    total = 0.0
    for t, column in enumerate(pieces.T):
        after = np.einsum("ws,wst->wt", belief, T[column])
        p = after.sum(1)
        belief = after / p[:, None]
        total -= np.log(p).sum() if t >= burn else 0
    return total / (len(pieces) * chunk)


def plug_in(text: bytes, size: int) -> float:
    """The entropy of strings of this length as they are counted, a symbol."""
    rows = np.frombuffer(text, np.uint8)[: len(text) // size * size].reshape(-1, size)
    _, counts = np.unique(rows.view(f"S{size}"), return_counts=True)
    return entropy(counts / counts.sum()) / size


def measured(own: Synthetic) -> float:
    """Nats a symbol of the text itself, by what is counted in it."""
    text = b"".join(own.blocks())
    codes = np.frombuffer(text, np.uint8)
    if (
        own.name == "markov"
    ):  # contexts of two and three symbols, with Miller and Madow's correction
        index = np.unique(codes, return_inverse=True)[1]
        A = index.max() + 1
        pairs = index[:-1] * A + index[1:]
        triples = pairs[:-1] * A + index[2:]
        of = [np.bincount(each) for each in (pairs, triples)]
        plain = [
            entropy(c[c > 0] / c.sum()) + (np.count_nonzero(c) - 1) / (2 * c.sum()) for c in of
        ]
        return plain[1] - plain[0]
    if own.name == "parity":  # bits, and the parity at their end, which is told by them
        counts = Counter(re.findall(rb"([01]+)=[eo]", text))
        n = counts.total()
        return entropy(count / n for count in counts.values()) * n / len(text)
    if own.name in SIZES:
        return plug_in(text, SIZES[own.name])
    return cost_of(own, codes)


SIZES = {"copy": 8, "dyck": 8}  # of the strings below
LONG = {
    "markov": {},
    "hmm": {"machine": "even"},
    "hmm golden": {"machine": "golden_mean"},
    "hmm nonunifilar": {"machine": "nonunifilar"},
    "hmm noisy": {"machine": "noisy_golden_mean"},
    "reber": {},
    "embedded_reber": {},
    "copy": {"items": 2, "lag": 6, "symbols": 4},
    "dyck": {"brackets": 8, "kinds": 2, "depth": 3},
    "parity": {"bits": 8},
}


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize(
    ("length", "error"), [(200_000, 0.02), pytest.param(10**7, 1e-3, marks=pytest.mark.slow)]
)
def test_the_rate_is_what_a_long_text_costs(source, name, length, error):
    own = source(name.split()[0], length=length, **LONG[name])
    found, rate = measured(own), own.entropy_rate()
    print(f"{name:20} {rate:.6f} nats a symbol, of {length:,} symbols {found:.6f}")
    assert found == pytest.approx(rate, abs=error)


# --- mistakes --------------------------------------------------------------------------------

MISTAKES = {
    "markov dataset.symbols=63": "dataset.symbols=63 is not allowed: there are 62 characters",
    "markov dataset.order=3": "these are 8000 states, and at most 4096 can be solved for",
    "markov dataset.temperature=0": "dataset.temperature is a finite number >= 0.1",
    "markov dataset.token=word": "dataset.token=word with dataset=markov is not allowed",
    "copy dataset.clean=letters": "type dataset.clean=none",
    "reber dataset.min_freq=2": "type dataset.min_freq=0",
    "copy dataset.lag=1": "a copy comes after the 1 symbols and the marker; type dataset.lag=2",
    "copy dataset.symbols=27": "there are 26 characters for them",
    "dyck dataset.brackets=7": "it is an even number",
    "dyck dataset.kinds=5": "dataset.kinds is a whole number in [1, 4]",
    "parity dataset.fewest=30": "strings have at least dataset.fewest=30",
    "hmm dataset.machine=evn": "it is one of golden_mean, even, nonunifilar, noisy_golden_mean, or",
    "hmm dataset.machine='A 0 A 0.5'": "the probabilities out of A sum to 0.5, and not to 1",
    "hmm dataset.machine='A 0 B 1; B 1 B 1'": "one cannot go from A to B and back, for ever",
}


@pytest.mark.parametrize(("words", "sentence"), MISTAKES.items())
def test_a_mistake_is_a_sentence(compose, words, sentence):
    name, _, knob = words.partition(" ")
    with pytest.raises(ConfigError) as caught:
        compose(f"dataset={name}", knob)
    assert sentence in str(caught.value)


def test_a_machine_that_forgets_too_slowly_is_refused(compose):
    """The occasionally dishonest casino with dice of two sides: 1e-6 nats would take all memory."""
    table = "F 0 F 0.495; F 1 F 0.495; F 0 L 0.005; F 1 L 0.005; L 0 L 0.8; L 1 L 0.19; L 0 F 0.01"
    with pytest.raises(ConfigError, match="take a machine that forgets its state faster"):
        compose("dataset=hmm", f"dataset.machine='{table}'")


# --- what a text costs whoever knows its source -----------------------------------------------


def probability(
    edges: list[tuple[int, str, int, float]], begun: dict[int, float], text: str
) -> float:
    """Summed over all paths of the machine, one by one."""
    paths = begun
    for symbol in text:
        after = dict.fromkeys(begun, 0.0)
        for a, written, b, p in edges:
            if written == symbol:
                after[b] += paths.get(a, 0.0) * p
        paths = after
    return sum(paths.values())


@pytest.mark.parametrize("machine", MACHINES)
def test_a_machines_text_costs_what_its_probability_says(machine, source, monkeypatch):
    """Also in parts, as a long text or many rows are read."""
    own = source("hmm", machine=machine, length=240)
    edges = edges_of(own)
    begun, text = by_power(edges), text_of(own)
    rows = np.frombuffer(text.encode(), np.uint8).reshape(-1, 24)
    expected = [
        math.log(probability(edges, begun, row[0])) - math.log(probability(edges, begun, row))
        for row in (text[i : i + 24] for i in range(0, 240, 24))
    ]
    for at_once in (1 << 21, 100, 1):
        monkeypatch.setattr(likelihood, "AT_ONCE", at_once)
        assert own.nats(rows) == pytest.approx(sum(expected), rel=1e-12)
        assert own.nats(rows[3:4]) == pytest.approx(expected[3], rel=1e-12)
    assert own.nats(rows[:, :1]) == 0


def test_a_chains_text_costs_its_transitions(source):
    """Known from its first symbols on; and before, the mean over what may have come before."""
    own = source("markov", symbols=3, order=2, length=2000)
    text = [*map("abc".index, text_of(own))]
    table = own.automaton.probability.reshape(3, 3, 3)
    pairs = own.automaton.stationary.reshape(3, 3)
    first = pairs[text[0]].sum()  # of the first symbol: it is the earlier one of a pair
    second = pairs[text[0], text[1]]
    later = sum(-math.log(table[triple]) for triple in zip(text, text[1:], text[2:], strict=False))
    expected = later - math.log(second / first)
    assert own.nats(np.frombuffer(text_of(own).encode(), np.uint8)[None]) == pytest.approx(expected)


def test_a_machine_that_never_tells_its_state_is_followed_in_all(source):
    """Unifilar, but whoever has not seen the beginning never knows where it is."""
    own = source("hmm", machine="'A 0 B 0.25; A 1 B 0.75; B 0 A 0.75; B 1 A 0.25'", length=50)
    text = text_of(own)
    ways = [
        0.5
        * math.prod(
            (0.25 if (c == "0") == ((i + k) % 2 == 0) else 0.75) for i, c in enumerate(text)
        )
        for k in (0, 1)
    ]
    expected = -math.log(sum(ways)) + math.log(0.5)
    assert own.nats(np.frombuffer(text.encode(), np.uint8)[None]) == pytest.approx(expected)


def test_strings_cost_what_is_news_in_them(source):
    whole = {
        "copy": (source("copy", symbols=3, items=2, lag=4), "ca->CAbb->BB", 4 * math.log(3)),
        "parity": (source("parity", fewest=2, bits=5, running=False), "01=o111=o",
                   2 * math.log(4) + 5 * math.log(2)),
        "running": (source("parity", fewest=2, bits=3, running=True), "0e1o=1o1e0e=",
                    2 * math.log(2) + 5 * math.log(2)),
        "dyck": (source("dyck", kinds=2, brackets=4, depth=2), "([])()[]", 2 * math.log(2 * 4)),
    }  # fmt: skip
    for own, text, expected in whole.values():
        rows = np.frombuffer(("?" + text).encode(), np.uint8)[None]  # its first symbol is given
        assert own.nats(rows) == pytest.approx(expected)


@pytest.mark.parametrize("name", SOURCES)
def test_in_the_mean_over_a_text_it_is_the_entropy_rate(name, source):
    own = source(name, length=100_000)
    text = np.frombuffer(text_of(own).encode(), np.uint8)[None]
    assert own.nats(text) / text.size == pytest.approx(own.entropy_rate(), rel=5e-3)


def test_the_corpus_says_what_its_held_out_text_costs(source, monkeypatch):
    own = source("markov", length=3000)
    text = np.frombuffer(text_of(own).encode(), np.uint8)
    assert load(own).source_nats == pytest.approx(own.nats(text[None, 2700:]) / 299, rel=1e-12)
    whole = source("markov", length=3000, val_fraction=0)
    assert load(whole).source_nats == pytest.approx(own.nats(text[None]) / 2999, rel=1e-12)
    assert load(source("markov", length=2, val_fraction=0.5)).source_nats is None
    monkeypatch.setattr(corpus, "CHUNK", 200)  # a longer text is taken to cost the rate
    assert load(own).source_nats == own.entropy_rate()


@pytest.mark.parametrize(
    ("table", "nobody"),
    [("A 0 A .0; A 1 A 1", "A 0 A 0"), ("A 0 A 1; A 1 B 0.0; B 1 A 1", "A 1 B 0")],
)
def test_an_edge_that_nobody_takes_is_refused(compose, table, nobody):
    """Its logarithm is none, and it leads nowhere: B is not reached."""
    with pytest.raises(ConfigError, match=f"nobody takes {nobody}: leave out what has"):
        compose("dataset=hmm", f"dataset.machine='{table}'")


# --- strings of a length ---------------------------------------------------------------------


def test_strings_of_a_length_are_fresh_ones_and_whole(source):
    own = source("copy", lag=4, symbols=3)
    corpus = load(own)
    found = strings_of(9, own, corpus)
    text = corpus.vocabulary.decode(found.tokens.tolist())
    assert (len(text), found.size) == (512 * 10, 512 * 10 - 1)  # one after the other
    assert all(text[i].upper() == text[i + 9] for i in range(0, len(text), 10))
    assert found.source == source("copy", lag=9, symbols=3)
    fresh = source("copy", lag=9, symbols=3)
    assert text[:500] not in text_of(fresh)


def test_where_there_are_none_the_held_out_text_is_cut(source):
    own = source("markov", length=5000)
    corpus = load(own)
    found = strings_of(40, own, corpus)
    assert found.tokens is corpus.held_out
    assert (found.size, found.source, found.answers) == (40, own, "")
