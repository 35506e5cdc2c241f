"""Cleaning, vocabulary and tokens against the textbook's own rules, written out independently."""

import bz2
import collections
import gzip
import io
import lzma
import re
import shlex
import subprocess
import zipfile
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlab._common.errors import ConfigError
from rnnlab.config.identity import config_id
from rnnlab.config.stored import from_dict
from rnnlab.data import corpus, cutting
from rnnlab.data.corpus import Vocabulary
from rnnlab.data.encodings import require_utf8
from rnnlab.data.source import Clean, Token
from rnnlab.data.sources.text import Text
from rnnlab.runs.preflight import Corpora, Downloading, check

texts = st.text(
    st.one_of(st.sampled_from("abzABZ \n\r-'.09@[`{"), st.characters(exclude_categories=["Cs"])),
    max_size=60,
)


def dataset(**changes) -> Text:
    settings: dict[str, Any] = {
        "name": "text",
        "path": "text.txt",
        "clean": Clean.letters,
        "token": Token.char,
    }
    settings |= {"min_freq": 0, "max_tokens": None, "val_fraction": 0.0, "prefixes": ()}
    return Text(**(settings | changes))


def tokenize(raw: bytes, source: Text):
    return corpus.tokenize(lambda: [raw], source)


def textbook_lines(text: str) -> list[str]:
    """The chapter's read_time_machine: readlines, re.sub, strip, lower."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [re.sub("[^A-Za-z]+", " ", line).strip().lower() for line in lines]


def textbook_vocabulary(tokens: list[str], min_freq: int) -> list[str]:
    """The chapter's Vocab: <unk>, then by falling frequency; sorted is stable."""
    counts = collections.Counter(tokens).items()
    by_frequency = sorted(counts, key=lambda pair: pair[1], reverse=True)
    return ["<unk>", *(token for token, count in by_frequency if count >= min_freq)]


@given(texts, st.integers(0, 3))
def test_letters_are_the_textbooks(text, min_freq):
    """Would catch a space at a line's end, a lost line break, or a letter from beyond ASCII."""
    expected = list("".join(textbook_lines(text)))
    tokens, vocabulary = tokenize(text.encode(), dataset(min_freq=min_freq))
    assert list(vocabulary.tokens) == textbook_vocabulary(expected, min_freq)
    known = set(vocabulary.tokens)
    assert [vocabulary.tokens[i] for i in tokens] == [
        token if token in known else "<unk>" for token in expected
    ]


@given(texts)
def test_words_are_the_textbooks(text):
    expected = [word for line in textbook_lines(text) for word in line.split()]
    tokens, vocabulary = tokenize(text.encode(), dataset(token=Token.word))
    assert list(vocabulary.tokens) == textbook_vocabulary(expected, 0)
    assert [vocabulary.tokens[i] for i in tokens] == expected


@given(texts.filter(lambda text: not text.startswith("\ufeff")))
def test_uncleaned_text_comes_back_letter_for_letter(text):
    tokens, vocabulary = tokenize(text.encode(), dataset(clean=Clean.none))
    assert vocabulary.decode(tokens.tolist()) == text
    assert list(vocabulary.tokens) == textbook_vocabulary(list(text), 0)


def test_first_appearance_breaks_ties_across_chunks(monkeypatch):
    """The vocabulary is counted chunk by chunk: a tie must not depend on where chunks end."""
    monkeypatch.setattr(cutting, "CHUNK", 3)
    _, vocabulary = tokenize(b"zyxzyxwvuwvu", dataset())
    assert vocabulary.tokens == ("<unk>", "z", "y", "x", "w", "v", "u")


def test_worked_example():
    """'The Cat,\\n sat!' -> 'the catsat'; t 3, a 2, then h e ' ' c s by first appearance."""
    tokens, vocabulary = tokenize(b"The Cat,\n sat!\n", dataset())
    assert vocabulary.tokens == ("<unk>", "t", "a", "h", "e", " ", "c", "s")
    assert tokens.tolist() == [1, 3, 4, 5, 6, 2, 1, 7, 2, 1]
    assert tokens.dtype == np.uint8


def test_tokens_are_as_small_as_the_vocabulary_allows():
    text = "".join(chr(0x4E00 + i) for i in range(300))
    tokens, vocabulary = tokenize(text.encode(), dataset(clean=Clean.none))
    assert len(vocabulary) == 301
    assert tokens.dtype == np.int16


def test_the_time_machine_has_the_textbooks_figures(compose, time_machine_folder):
    """170,580 characters and 28 entries; as words 32,775 and 4,580: the chapter prints these."""
    root = f"dataset.root={time_machine_folder}"
    everything = ["dataset=time_machine", root, "dataset.max_tokens=null"]
    by_character = corpus.load(compose(*everything).dataset)
    assert (len(by_character.train), len(by_character.vocabulary)) == (170_580, 28)
    assert by_character.vocabulary.tokens[:6] == ("<unk>", " ", "e", "t", "a", "i")
    by_word = corpus.load(compose(*everything, "dataset.token=word", "dataset.prefixes=[]").dataset)
    assert (len(by_word.train), len(by_word.vocabulary)) == (32_775, 4_580)
    assert by_word.vocabulary.tokens[1:4] == ("the", "i", "and")


def test_the_shipped_story_suits_the_textbooks_prompts(compose):
    story = corpus.load(compose("dataset.max_tokens=null").dataset)
    text = story.vocabulary.decode(story.train.tolist())
    assert len(text) >= 20_000
    assert len(story.vocabulary) == 28
    assert text.count("time traveller") >= 10
    assert "time traveller" in text[:10_000]  # the default job trains on this part


def test_vocabulary_is_of_the_whole_text_and_the_tail_is_held_out(tmp_path):
    (tmp_path / "text.txt").write_text("aaaabbbcc" + "d" * 11)
    loaded = corpus.load(dataset(path=str(tmp_path), max_tokens=10, val_fraction=0.25))
    assert loaded.vocabulary.tokens == ("<unk>", "d", "a", "b", "c")
    assert loaded.train.tolist() == [2, 2, 2, 2, 3, 3, 3, 4]
    assert loaded.held_out.tolist() == [4, 1]


def test_a_folder_is_read_in_the_order_of_names(tmp_path):
    (tmp_path / "b.txt").write_text("second")
    (tmp_path / "a.txt").write_text("first")
    (tmp_path / "c.md").write_text("not a text")
    loaded = corpus.load(dataset(path=str(tmp_path), clean=Clean.none))
    assert loaded.vocabulary.decode(loaded.train.tolist()) == "first\nsecond"


def test_a_byte_order_mark_is_no_character(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_bytes("\ufeffab".encode())
    loaded = corpus.load(dataset(path=str(tmp_path), clean=Clean.none))
    assert loaded.vocabulary.decode(loaded.train.tolist()) == "ab\nab"


def test_without_prefixes_samples_begin_as_the_text_does_with_known_tokens(tmp_path):
    """A rare first character is <unk> under min_freq, and can be no prefix."""
    (tmp_path / "text.txt").write_text("Qaab" * 3 + "Z" + "aab" * 9)
    loaded = corpus.load(dataset(path=str(tmp_path), clean=Clean.none, min_freq=5))
    assert loaded.vocabulary.tokens == ("<unk>", "a", "b")
    assert loaded.prefixes(()) == ("aab",)
    assert loaded.prefixes(("ba",)) == ("ba",)


@pytest.mark.parametrize("clean", Clean)
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "has no text in it"),
        (b"caf\xe9 au lait", r"\.txt is not UTF-8 \(byte 3 is 0xe9\), probably latin1.*iconv"),
        (None, "there is no such file or folder"),
    ],
)
def test_a_file_that_is_no_text_is_named(tmp_path, clean, content, sentence):
    path = tmp_path / f"{clean}.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=sentence):
        corpus.load(dataset(path=str(path), clean=clean))


def test_a_text_without_letters_is_empty_after_cleaning(tmp_path):
    (tmp_path / "text.txt").write_text("1234 5678\n")
    with pytest.raises(ConfigError, match=r"no text in it after dataset\.clean=letters"):
        corpus.load(dataset(path=str(tmp_path)))


def test_a_folder_without_texts_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"the folder has no \.txt file in it"):
        corpus.load(dataset(path=str(tmp_path)))


@pytest.mark.parametrize(("sampler", "needed"), [("sequential", 46), ("random", 45)])
def test_too_small_a_corpus_says_what_is_needed(compose, tmp_path, sampler, needed):
    """4 x 9 tokens, the largest offset (9 or 8) and the last target; one token less is refused."""
    for length in (needed - 1, needed):
        (tmp_path / f"{length}.txt").write_text("ab" * length)
        config = compose(
            "dataset=text", f"dataset.path={tmp_path}/{length}.txt", f"sampler={sampler}",
            f"dataset.max_tokens={length}", "batch_size=4", "num_steps=9",
        )  # fmt: skip
        if length == needed:
            check(config, Corpora())
            continue
        sentence = f"one minibatch needs {needed} tokens .* and the corpus has {length}"
        with pytest.raises(ConfigError, match=sentence):
            check(config, Corpora())


def test_a_prompt_outside_the_vocabulary_is_named():
    letters = Vocabulary(("<unk>", "a", "b"), Token.char)
    assert letters.encode("abba") == [1, 2, 2, 1]
    with pytest.raises(ConfigError, match="'B', 'c' is not in the vocabulary, which has 'ab'"):
        letters.encode("aBc")
    with pytest.raises(ConfigError, match="it needs at least one token"):
        letters.encode("")
    words = Vocabulary(("<unk>", "time", "traveller"), Token.word)
    assert words.encode(" time  traveller") == [1, 2]
    assert words.decode([1, 2, 0]) == "time traveller <unk>"


# --- what is no UTF-8 ------------------------------------------------------------------------

ENGLISH = "The time traveller said nothing, and smiled.\nThen he sat down.\n" * 20
FRENCH = "Le voyageur était là, près du feu, et se taisait.\nÇa dura.\n" * 20
RUSSIAN = "Путешественник молчал и улыбался.\nПотом он сел.\n" * 20  # noqa: RUF001
CHINESE = "时间旅行者什么也没说，只是微笑。\n然后他坐了下来。\n" * 20  # noqa: RUF001
EMOJI = "He smiled \U0001f600 and went.\n" * 20


@pytest.mark.parametrize("text", [ENGLISH, FRENCH, RUSSIAN, CHINESE, EMOJI])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16le", "utf-16be", "utf-32le"])
def test_wide_encodings_are_known_with_and_without_a_mark(tmp_path, text, encoding):
    """And the command that is said makes the text of it."""
    path = tmp_path / "it's a text.txt"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(ConfigError, match=f"is in {encoding.upper()}, and not a text") as caught:
        corpus.load(dataset(path=str(path)))
    command = str(caught.value).partition("type: ")[2]
    assert f"-f {encoding} " in command
    subprocess.run(command, shell=True, check=True)
    made = tmp_path / "it's a text.utf-8.txt"
    assert made.read_bytes().decode("utf-8-sig") == text
    assert len(corpus.load(dataset(path=str(made), clean=Clean.none)).train) == len(text)


@pytest.mark.parametrize(
    ("text", "encoding", "said"),
    [
        (FRENCH, "latin1", ", probably latin1; type: iconv -f latin1 "),
        (
            FRENCH + "\u201cOui\u201d, 3 \u20ac",
            "cp1252",
            ", probably cp1252; type: iconv -f cp1252 ",
        ),
        (RUSSIAN, "cp1251", ", perhaps cp1251, koi8-r"),
        (RUSSIAN, "koi8-r", ", perhaps cp1251, koi8-r"),
        (CHINESE, "gb18030", "type: iconv -f X "),
    ],
)
def test_an_8_bit_text_is_said_to_be_what_it_probably_is(tmp_path, text, encoding, said):
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(ConfigError, match=r"is not UTF-8 \(byte \d+ is 0x") as caught:
        corpus.load(dataset(path=str(path)))
    assert said in str(caught.value)
    if "probably" in said:
        subprocess.run(str(caught.value).partition("type: ")[2], shell=True, check=True)
        assert (tmp_path / "text.utf-8.txt").read_text() == text


def test_utf8_with_a_wrong_byte_is_not_called_latin1(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(FRENCH.encode() + b"\xe9 fin")
    with pytest.raises(ConfigError, match="but otherwise it is; type: iconv -c -f utf-8"):
        corpus.load(dataset(path=str(path)))


def zipped(name: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, "application/epub+zip" if name == "mimetype" else "x")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            gzip.compress(b"time", mtime=0),
            "is compressed .gzip., and not a text in UTF-8; type: gzip -dc ",
        ),
        (bz2.compress(b"time"), "is compressed .bzip2., .* type: bzip2 -dc "),
        (lzma.compress(b"time"), "is compressed .xz., .* type: xz -dc "),
        (zipped("a.txt"), "is an archive .zip., .* type: unzip "),
        (zipped("[Content_Types].xml"), "is a document .docx., .* save it as plain text in UTF-8"),
        (zipped("mimetype"), "is a book .epub., "),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "is a PDF, .* type: pdftotext "),
        (b"{\\rtf1\\ansi time}", "is a document .RTF., "),
        (b"\x7fELF\2\1\1" + bytes(9) + b"\3\0\x3e\0\xff\xfe\xd8\xdc" * 9, "is not UTF-8 .*no text"),
        (b"time\0traveller " * 9, r"is no text .byte 4 is NUL.; .*type: tr -d '\\000' < "),
        (b"\0", r"is no text .byte 0 is NUL.; "),
        (FRENCH.encode("latin1") + b"\0", "is not UTF-8 .*, and no text: it has a NUL too"),
    ],
)
@pytest.mark.parametrize("clean", Clean)
def test_what_is_no_text_is_said_to_be_what_it_is(tmp_path, content, sentence, clean):
    path = tmp_path / "a & b.txt"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"a & b.txt {sentence}") as caught:
        corpus.load(dataset(path=str(path), clean=clean))
    if "type: " in str(caught.value):
        assert shlex.quote(str(path)) in str(caught.value)


def test_commands_for_compressed_texts_and_nuls_make_texts(tmp_path):
    path = tmp_path / "-a.txt"
    for content in (gzip.compress(b"time\n"), bz2.compress(b"time\n"), b"ti\0me\n"):
        path.write_bytes(content)
        with pytest.raises(ConfigError) as caught, chdir(tmp_path):
            corpus.load(dataset(path="-a.txt"))
        command = str(caught.value).partition("type: ")[2]
        subprocess.run(command, shell=True, check=True, cwd=tmp_path)
        assert (tmp_path / "-a.utf-8.txt").read_bytes() == b"time\n"


@given(texts.filter(lambda text: "\0" not in text and text))
def test_no_text_in_utf8_is_refused(text):
    if not text.startswith("{\\rtf"):
        require_utf8(Path("text.txt"), text.encode())


@given(st.binary(max_size=200))
def test_whatever_bytes_a_file_has_it_is_a_text_or_one_sentence(raw):
    try:
        require_utf8(Path("text.txt"), raw)
        assert b"\0" not in raw and raw.decode() is not None
    except ConfigError as error:
        assert str(error).startswith("text.txt is ") and "\n" not in str(error)


def test_of_a_folder_every_txt_file_is_read_and_the_rest_is_said(tmp_path, capsys):
    for name in ("b.txt", "A.TXT", "._b.txt", "c.md", "d.md", "README"):
        (tmp_path / name).write_text(name[0])
    (tmp_path / "x.txt").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "e.txt").write_text("not read")
    text = dataset(path=str(tmp_path), clean=Clean.none)
    assert b"".join(text.blocks()) == b"A\nb"
    Downloading()[text]
    assert capsys.readouterr().err == (
        f"warning: of dataset.path={tmp_path} is left out: "
        "2 .md files, 1 .txt file, 1 README file, 2 subfolders\n"
    )
    Corpora()[text]  # that nobody has typed
    assert capsys.readouterr().err == ""


def test_a_folder_without_texts_says_what_it_has(tmp_path):
    (tmp_path / "sub.txt").mkdir()
    (tmp_path / "a.pdf").write_text("%PDF")
    with pytest.raises(ConfigError, match=r"no \.txt file in it, but 1 \.pdf file, 1 subfolder"):
        corpus.load(dataset(path=str(tmp_path)))


# --- prompts, and line ends as tokens --------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "cleaned"),
    [
        ("The Time!", "the time"),
        ("the time ", "the time "),  # a prompt may end within a line
        (" The  time, ", " the time "),
        ("Ab\n  c--D", "abc d"),
        ("é caf\udce9", "caf"),
        (" ", " "),
    ],
)
def test_a_prompt_is_cleaned_as_the_text_was(prompt, cleaned):
    letters = Vocabulary(("<unk>", *" abcdefghijklmnopqrstuvwxyz"), Token.char)
    assert letters.decode(letters.encode(prompt, Clean.letters)) == cleaned
    words = Vocabulary(("<unk>", "the", "time"), Token.word)
    if "the" in cleaned:
        assert words.decode(words.encode(prompt, Clean.letters)) == "the time"


@given(texts)
def test_a_part_of_a_cleaned_text_is_a_prompt_as_it_stands(text):
    cleaned = "".join(textbook_lines(text))
    letters = Vocabulary(("<unk>", *" abcdefghijklmnopqrstuvwxyz"), Token.char)
    for part in (cleaned, cleaned[1:4], cleaned[:-2]):
        if part:
            assert letters.decode(letters.encode(part, Clean.letters)) == part


def test_a_prompt_that_is_cleaned_to_nothing_is_named():
    letters = Vocabulary(("<unk>", "a"), Token.char)
    with pytest.raises(ConfigError, match=r"'12!' .* one token after dataset\.clean=letters"):
        letters.encode("12!", Clean.letters)


@pytest.mark.parametrize("clean", Clean)
def test_line_ends_are_tokens_of_word_models_where_that_is_asked_for(clean):
    """Every line end, whatever system wrote it; decoded, there is no space beside it."""
    source = dataset(token=Token.word, newlines=True, clean=clean)
    tokens, vocabulary = tokenize(b"a b\r\nc\rd\n\n\te  f \n", source)
    found = [vocabulary.tokens[i] for i in tokens]
    assert found == ["a", "b", "\n", "c", "\n", "d", "\n", "\n", "e", "f", "\n"]
    assert vocabulary.decode(tokens.tolist()) == "a b\nc\nd\n\ne f\n"
    assert vocabulary.encode("a b\n c") == [vocabulary.tokens.index(t) for t in (*"ab", "\n", "c")]


def test_line_ends_as_tokens_are_for_words(compose):
    for clean in Clean:
        with pytest.raises(ConfigError, match=r"newlines=true with dataset\.token=char is not"):
            compose("dataset.newlines=true", f"dataset.clean={clean}")


def test_an_experiment_without_newlines_is_the_one_it_was(compose):
    """config_id as it was before there was such a knob, and a stored config without it."""
    config = compose("dataset=time_machine", "dataset.token=word", "device=cpu")
    other = compose("dataset=time_machine", "dataset.token=word", "dataset.newlines=true")
    assert config_id(config, "0") == "35b46d672d29"
    assert config_id(other, "0") != config_id(config, "0")
    values = config.as_dict()
    del values["dataset"]["newlines"]
    assert from_dict(values) == config
