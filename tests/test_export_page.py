"""model.html in a browser: it writes what rnnlab writes, and nothing of it leaves the page."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import library
from rnnlab._common.errors import ConfigError
from rnnlab.cli.commands import app
from rnnlab.nn.cells import CELLS
from rnnlab.nn.engines.eager import Loop
from rnnlab.nn.generation import generate
from rnnlab.runs import stack as experiment
from rnnlab.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from rnnlab.runs.demo import trained
from rnnlab.runs.folder import LAST
from test_export import RUN, TOKENS, export, stored

pytestmark = pytest.mark.browser

HOSTILE = "</script><img src=x onerror=document.title='owned'><b>&amp;\u2028\x1b[2J 世界"
LENGTH = 500
Open = Callable[..., Any]


@pytest.fixture
def open_page(chrome) -> Iterator[Open]:
    """open_page() -> the browser, with the page of the run."""
    from browser import emulate, resize

    resize(chrome, 1100, 900)
    emulate(chrome, prefers_color_scheme="light")

    def open_page(weights: str | None = None) -> Any:
        export("html", weights=weights)
        chrome.get("about:blank")
        chrome.get(Path("run/model.html").absolute().as_uri())
        return chrome

    chrome.get_log("browser")
    yield open_page
    assert [line["message"] for line in chrome.get_log("browser")] == []


def write(browser: Any, prompt: str, length: int = LENGTH, temperature: float = 0) -> str:
    """What stands there once it has written; an empty text if it refuses."""
    script = """const [words, many, heat] = arguments; prompt.value = words; length.value = many;
        temperature.value = heat; pace.value = "fast"; write()"""
    browser.execute_script(script, prompt, length, temperature)
    deadline = time.monotonic() + 60
    while browser.execute_script("return job !== null"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    script = "return mistake.textContent ? '' : document.getElementById('text').textContent"
    return browser.execute_script(script)


def ours(checkpoint: Checkpoint, prompt: str, length: int = LENGTH) -> str:
    indices = checkpoint.vocabulary.encode(prompt, checkpoint.clean)
    (tokens,) = generate(checkpoint.parameters, [indices], length)
    return checkpoint.vocabulary.decode(tokens)


def said(browser: Any, selector: str) -> str:
    return browser.execute_script(
        "return document.querySelector(arguments[0]).textContent", selector
    )


# --- the same text ---------------------------------------------------------------------------

CHOICES = {
    "rnn_tanh": "model=rnn lr=0.005",
    "rnn_relu": "model=rnn model.activation=relu lr=0.003",
    "lstm": "model=lstm lr=0.02",
    "gru_before": "model=gru lr=0.01",
    "gru_after": "model=gru model.reset=after lr=0.01",
}


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("form", CHOICES)
def test_a_trained_model_writes_the_same_500_characters(open_page, compose, capsys, form, layers):
    """At temperature 0, from several prompts, and what the command itself prints for one."""
    words = f"{CHOICES[form]} optimizer=adam size=tiny num_layers={layers} num_epochs=100"
    RUN.mkdir()
    result = experiment.run(compose(*words.split(), "log.every=100", "checkpoint.seconds=0"), RUN)
    assert result.perplexity is not None
    assert result.perplexity < 9
    checkpoint = load_checkpoint(RUN, LAST)
    assert checkpoint.model.cell.form == form
    browser = open_page()
    for prompt in ("the sea", "x", "  and Then,\nshe said "):
        assert write(browser, prompt) == ours(checkpoint, prompt)
    capsys.readouterr()
    typed = ["generate", "run", "--prefix", "time traveller", "--length", str(LENGTH)]
    app(typed, standalone_mode=False)
    written = write(browser, "time traveller")
    assert written + "\n" == capsys.readouterr().out
    assert len({*written}) > 8


def test_the_demo_writes_the_same_500_characters(open_page):
    shutil.copytree(trained(Path("demo")), RUN)
    checkpoint = load_checkpoint(RUN, LAST)
    browser = open_page()
    assert browser.execute_script("return prompt.value") == "time traveller"
    for prompt in ("time traveller", "the sea", "she"):
        assert write(browser, prompt) == ours(checkpoint, prompt)


@pytest.mark.parametrize("form", CELLS)
def test_logits_are_ours(open_page, form):
    """In double precision to 12 digits, with random weights and three layers."""
    model = library.model(form, len(TOKENS), 9, 3)
    checkpoint = stored(model, torch.float64)
    browser = open_page()
    tokens = torch.randint(len(TOKENS), (40,)).tolist()
    script = """let now = {states: zeroState()};
        for (const token of arguments[0]) now = step(token, now.states); return [...now.logits]"""
    found = torch.tensor(browser.execute_script(script, tokens), dtype=torch.float64)
    state = model.zero_state(1, 1, torch.float64, torch.device("cpu"))
    logits, _ = Loop().forward(checkpoint.parameters, torch.tensor([[tokens]]), state)
    torch.testing.assert_close(found, logits[0, -1, 0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("kind", "error"), [("fp16", 1e-3), ("fp32", 1e-7), ("fp64", 0)])
def test_weights_are_stored_as_they_are_asked_for(open_page, kind, error):
    checkpoint = stored(library.model("lstm", len(TOKENS), 9, 2), torch.float64)
    browser = open_page(kind)
    found = browser.execute_script("return [...layers[1].W_h.numbers]")
    expected = checkpoint.parameters.layers[1]["W_h"][0].flatten()
    torch.testing.assert_close(
        torch.tensor(found, dtype=torch.float64), expected, rtol=error, atol=error / 1e4
    )


def test_every_half_is_read(open_page):
    """Subnormal ones too, and both zeros."""
    stored(library.model("rnn_tanh", len(TOKENS), 3))
    browser = open_page("fp16")
    bits = torch.arange(1 << 16, dtype=torch.int32).to(torch.uint16).view(torch.float16)
    expected = bits.double()[bits.isfinite()]
    script = "return arguments[0].map(ofHalf)"
    places = bits.isfinite().nonzero().flatten().tolist()
    found = torch.tensor(browser.execute_script(script, places), dtype=torch.float64)
    assert torch.equal(found, expected)


def test_draws_follow_the_softmax_at_their_temperature(open_page):
    stored(library.model("rnn_tanh", len(TOKENS), 3))
    browser = open_page()
    logits = torch.tensor([1.0, 0.0, -1.0, 2.0])
    script = """const [logits, heat] = arguments, counts = [0, 0, 0, 0];
        for (let k = 0; k < 40000; k++) counts[chosen(logits, heat)]++; return counts"""
    for temperature in (0.5, 1.0, 2.0):
        expected = torch.softmax(logits / temperature, 0)
        counts = browser.execute_script(script, logits.tolist(), temperature)
        errors = (expected * (1 - expected) / 40000).sqrt()
        assert ((torch.tensor(counts) / 40000 - expected).abs() < 5 * errors).all()


# --- prompts ---------------------------------------------------------------------------------

PROMPTS = [
    "the rain", "  The\n  RAIN ", "rain", " ", "", "\n", "a1b", "the\r\nrain", "Rain, in Spain!",
    "é the rain", "\u00a0rain", "\x1crain\x85the", "rain\u3000 the", "<unk>", "rain\ufeff", " - ",
    "the rain\n", "\rthe", "世界", "zebra",
]  # fmt: skip
VOCABULARIES = {
    "char": (*TOKENS, "\n", "A", "1", "\u00a0"),
    "word": ("<unk>", "the", "rain", "in", "é", "a", "b"),
    "lines": ("<unk>", "the", "rain", "\n", "in"),
}


@pytest.mark.parametrize("clean", ["letters", "none"])
@pytest.mark.parametrize("kind", VOCABULARIES)
def test_prompts_are_cut_as_rnnlab_cuts_them(open_page, kind, clean):
    """What is a mistake there is one here."""
    tokens = VOCABULARIES[kind]
    cut = "char" if kind == "char" else "word"
    model = library.model("rnn_tanh", len(tokens), 3)
    checkpoint = replace(
        stored(model, tokens=tokens, kind=cut),
        config={"dataset": {"clean": clean, "prefixes": ["the"]}},
    )
    save_checkpoint(RUN, LAST, checkpoint)
    browser = open_page()
    found = browser.execute_script("return arguments[0].map((p) => encoded(p))", PROMPTS)
    for prompt, answer in zip(PROMPTS, found, strict=True):
        try:
            expected = checkpoint.vocabulary.encode(prompt, checkpoint.clean)
        except ConfigError:
            assert re.fullmatch(
                r"The prompt needs .*\.|.* not in the model's .*\.", answer["mistake"]
            )
        else:
            assert answer == {"tokens": expected}, prompt


@pytest.mark.parametrize("kind", ["word", "lines"])
def test_words_are_put_together_as_rnnlab_does(open_page, kind):
    tokens = VOCABULARIES[kind]
    checkpoint = stored(library.model("gru_before", len(tokens), 6), tokens=tokens, kind="word")
    browser = open_page()
    assert write(browser, "the rain", 100) == ours(checkpoint, "the rain", 100)
    write(browser, "the rain", 300, temperature=2)
    indices = browser.execute_script("return spans.map((span) => index.get(span.textContent))")
    assert said(browser, "#text") == checkpoint.vocabulary.decode(indices)


def test_an_unknown_character_is_said_in_a_sentence(open_page):
    stored(library.model("rnn_tanh", len(TOKENS), 3))
    browser = open_page()
    assert write(browser, "a quiz") == ""
    sentence = "“q”, “u”, “z” are not in the model's vocabulary."
    assert said(browser, "[role=alert]") == sentence
    write(browser, "the", 6000)
    assert said(browser, "[role=alert]") == "The length is a whole number from 1 to 5000."
    assert write(browser, "the", 3) != ""
    assert said(browser, "[role=alert]") == ""


# --- what is seen ----------------------------------------------------------------------------


@pytest.mark.parametrize("form", CELLS)
def test_the_picture_has_every_unit_of_every_layer(open_page, form):
    """A pixel's colour is the sign and its strength the value, as the equations give it."""
    checkpoint = stored(library.model(form, len(TOKENS), 5, 2))
    browser = open_page()
    write(browser, "the rain", 20)
    sizes = "return maps.map(({strip}) => [strip.querySelector('canvas').width, 28])"
    assert browser.execute_script(sizes) == [[28, 28], [28, 28]]
    script = """return maps.map(({strip, scale}) => {
        const canvas = strip.querySelector("canvas"), pen = canvas.getContext("2d");
        const {data} = pen.getImageData(0, 0, canvas.width, canvas.height), found = [];
        for (let at = 0; at < data.length; at += 4)
            found.push(scale * (data[at] > data[at + 2] ? 1 : -1) * data[at + 3] / 255);
        return found})"""
    found = torch.tensor(browser.execute_script(script)).reshape(2, 5, 28)
    indices = browser.execute_script("return spans.map((span) => index.get(span.textContent))")
    state = checkpoint.model.zero_state(1, 1, torch.float32, torch.device("cpu"))
    for t, token in enumerate(indices):
        _, state = Loop().forward(checkpoint.parameters, torch.tensor([[[token]]]), state)
        for layer in (0, 1):
            expected = state[layer][0][0, 0]
            scale = max(1.0, float(found[layer].abs().max()))
            assert (found[layer, :, t] - expected).abs().max() < scale / 100


def test_surprise_is_the_models_own_probability(open_page):
    checkpoint = stored(library.model("lstm", len(TOKENS), 6))
    browser = open_page()
    write(browser, "the rain", 30, temperature=1)
    bits = browser.execute_script("return surprises")
    indices = browser.execute_script("return spans.map((span) => index.get(span.textContent))")
    state = checkpoint.model.zero_state(1, 1, torch.float32, torch.device("cpu"))
    logits, _ = Loop().forward(checkpoint.parameters, torch.tensor([[indices]]), state)
    chances = logits[0, :, 0].log_softmax(-1) / -torch.log(torch.tensor(2.0))
    assert bits[0] is None
    for t in range(1, len(bits)):
        assert bits[t] == pytest.approx(float(chances[t - 1, indices[t]]), rel=1e-4)
    shades = browser.execute_script(
        "return spans.map((span) => parseFloat(span.style.getPropertyValue('--shade')))"
    )
    assert shades[1:] == pytest.approx([65 * min(1, b / 6) for b in bits[1:]], abs=0.06)


def test_a_click_on_a_unit_shades_the_text_by_it(open_page):
    from selenium.webdriver.common.action_chains import ActionChains

    stored(library.model("lstm", len(TOKENS), 5, 2))
    browser = open_page()
    write(browser, "the rain", 20)
    strip = browser.find_elements("css selector", "canvas")[1]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", strip)
    place = ActionChains(browser).move_to_element_with_offset(
        strip, 3, int(strip.rect["height"] * 0.2)
    )
    place.click().perform()
    chosen = "return [shading.value, layerOf.value, unitOf.value]"
    assert browser.execute_script(chosen) == ["unit", "1", "4"]
    assert "Unit 4 of layer 2" in said(browser, ".said")
    value = browser.execute_script("return maps[1].at(10, 3)")
    shade = "return parseFloat(spans[10].style.getPropertyValue('--shade'))"
    assert browser.execute_script(shade) == pytest.approx(65 * abs(value), abs=0.06)


def test_it_writes_a_token_a_frame_and_stops_when_asked(open_page):
    stored(library.model("gru_after", len(TOKENS), 5))
    browser = open_page()
    script = "length.value = 4000; pace.value = 'frame'; write()"
    browser.execute_script(script)
    time.sleep(0.5)
    browser.execute_script("halt.click()")
    written = browser.execute_script("return spans.length")
    assert 3 < written < 4000
    time.sleep(0.2)
    assert browser.execute_script("return spans.length") == written
    assert "characters stopped in" in said(browser, ".said")


def test_a_text_that_is_begun_anew_ends_the_one_before(open_page):
    """Two loops over frames would write two tokens in each."""
    stored(library.model("gru_after", len(TOKENS), 5))
    browser = open_page()
    script = """const done = arguments[0];
        pace.value = "frame"; length.value = 1000; for (let k = 0; k < 5; k++) write();
        let frames = 0;
        const count = () => ++frames < 20 ? requestAnimationFrame(count) : done(spans.length);
        requestAnimationFrame(count)"""
    assert 18 <= browser.execute_async_script(script) <= 21


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 820, 1920])
def test_from_a_phone_to_a_wide_screen_in_the_light_and_in_the_dark(open_page, width, scheme):
    from browser import emulate, resize

    stored(library.model("lstm", len(TOKENS), 5, 2))
    browser = open_page()
    emulate(browser, prefers_color_scheme=scheme)
    resize(browser, width, 900)
    browser.refresh()
    write(browser, "the rain", 300)
    script = "const page = document.documentElement; return [page.scrollWidth, page.clientWidth]"
    needed, given = browser.execute_script(script)
    assert needed == given
    paper, ink = browser.execute_script(
        "const style = getComputedStyle(document.body); return [style.backgroundColor, style.color]"
    )
    light, dark = (sum(map(int, re.findall(r"\d+", colour))) for colour in (paper, ink))
    assert (light > dark) == (scheme == "light")


# --- what comes from elsewhere ---------------------------------------------------------------


def test_no_request_leaves_the_page(open_page, chrome):
    from browser import asked_for

    stored(library.model("rnn_tanh", len(TOKENS), 3))
    asked_for(chrome)
    browser = open_page()
    write(browser, "the rain")
    page = Path("run/model.html").absolute().as_uri()
    assert {*asked_for(browser)} <= {page, "about:blank"}
    fetch = "arguments[1](await fetch(arguments[0]).then(() => 'came', (error) => error.name))"
    answer = browser.execute_async_script(f"(async (arguments) => {{{fetch}}})(arguments)", page)
    assert answer == "TypeError"
    (refused, *_) = browser.get_log("browser")
    assert "Content Security Policy" in refused["message"]


def test_hostile_vocabularies_and_names_are_text(open_page):
    tokens = ("<unk>", "<b>x</b>", HOSTILE, "</script>", "&lt;", "{{data}}")
    checkpoint = stored(library.model("rnn_tanh", len(tokens), 3), tokens=tokens, kind="word")
    config = {"dataset": {"name": HOSTILE, "clean": HOSTILE, "prefixes": [HOSTILE, 1, None]}}
    save_checkpoint(RUN, LAST, replace(checkpoint, config=config))
    browser = open_page()
    write(browser, "</script>", 50, temperature=2)
    assert browser.find_elements("css selector", "img, b, iframe, main script") == []
    assert browser.title == "run"
    words = browser.execute_script("return spans.map((span) => span.textContent)")
    assert {*words} <= {*tokens}
    assert HOSTILE in said(browser, ".note")
