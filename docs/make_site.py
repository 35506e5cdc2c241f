"""The documentation as a site: make docs writes site/, python docs/make_site.py FOLDER elsewhere.

Pages are laid out as readers find them in the checkout: docs/, each study of experiments/, and what
lies beside the README. A link to a source leads to a page with its lines; a link to what is not
there is an error, as is whatever else MkDocs would only warn of.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"(?P<label>!?\[(?:`[^`]*`|[^\]`])*\])\((?P<target>[^)\s]+)\)")
FENCE = re.compile(r"^(```.*?^```$)", re.MULTILINE | re.DOTALL)
ELSEWHERE = ("http://", "https://", "mailto:", "#")
PAGES = {  # of files outside docs/, where they stand in the site
    ROOT / "README.md": "readme.md",
    ROOT / "CHANGELOG.md": "changelog.md",
    ROOT / "CONTRIBUTING.md": "contributing.md",
}
FIRST = ("glossary.md", "reference/knobs.md")  # of what a search finds


class Site:
    """Pages by their places in the site, and the sources that they lead to."""

    def __init__(self, stage: Path) -> None:
        self.stage = stage
        self.places = dict(PAGES)
        for path in sorted((ROOT / "docs").rglob("*")):
            if path.suffix in (".md", ".png", ".svg", ".css"):
                self.places[path] = path.relative_to(ROOT / "docs").as_posix()
            if path.suffix == ".ipynb":
                self.places[path] = path.relative_to(ROOT / "docs").with_suffix(".md").as_posix()
        for path in sorted((ROOT / "experiments").rglob("*")):
            if path.suffix in (".md", ".png", ".svg"):
                place = path.relative_to(ROOT).as_posix()
                self.places[path] = place.replace("README.md", "index.md")
        self.sources: dict[Path, str] = {}

    def write(self) -> None:
        for path, place in self.places.items():
            target = self.stage / place
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix in (".md", ".ipynb"):
                target.write_text(self.page(path, place), encoding="utf-8")
            else:
                shutil.copy(path, target)
        for path, place in self.sources.items():
            target = self.stage / place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(source_page(path), encoding="utf-8")

    def page(self, path: Path, place: str) -> str:
        """With links as the site has them; what is fenced stays as it is."""
        head = "---\nsearch:\n  boost: 8\n---\n\n" if place in FIRST else ""
        text = path.read_text(encoding="utf-8")
        parts = FENCE.split(notebook_page(text) if path.suffix == ".ipynb" else text)
        for k in range(0, len(parts), 2):
            parts[k] = LINK.sub(lambda match: self.linked(match, path, place), parts[k])
        return head + "".join(parts)

    def linked(self, match: re.Match[str], path: Path, place: str) -> str:
        label, target = match["label"], match["target"]
        if target.startswith(ELSEWHERE):
            return match[0]
        name, _, anchor = target.partition("#")
        file = Path(os.path.normpath(path.parent / name))
        found = self.place_of(file)
        if found is None:
            raise SystemExit(f"{path.relative_to(ROOT)} links to {target}, which is not there.")
        if anchor and file in self.sources:
            anchor = f"L-{anchor.removeprefix('L')}"
        relative = os.path.relpath(found, Path(place).parent)
        return f"{label}({Path(relative).as_posix()}{'#' if anchor else ''}{anchor})"

    def place_of(self, file: Path) -> str | None:
        file = file / "README.md" if file.is_dir() else file
        if file in self.places:
            return self.places[file]
        if not file.is_file() or ROOT not in file.parents:
            return None
        return self.sources.setdefault(file, f"source/{file.relative_to(ROOT).as_posix()}.md")


def notebook_page(text: str) -> str:
    """A notebook's cells in their order; those of code are fenced."""
    cells = ((cell["cell_type"], "".join(cell["source"])) for cell in json.loads(text)["cells"])
    return "\n\n".join(f"```python\n{own}\n```" if kind == "code" else own for kind, own in cells)


def source_page(path: Path) -> str:
    """A file's lines, each with its anchor: MkDocs sees those of raw HTML, and none of a fence."""
    try:
        lexer = get_lexer_for_filename(path.name, stripnl=False)
    except ClassNotFound:
        lexer = TextLexer(stripnl=False)
    lines = HtmlFormatter(linenos="inline", linespans="L", wrapcode=True)
    code = highlight(path.read_text(encoding="utf-8"), lexer, lines)
    head = f"---\nsearch:\n  exclude: true\n---\n\n# {path.relative_to(ROOT).as_posix()}\n"
    return f"{head}\n{code}"


def config(stage: Path, studies: list[str], site: Path) -> dict[str, object]:
    """docs/mkdocs.yml, with a page for each study and where all lies."""
    found = yaml.safe_load((ROOT / "docs" / "mkdocs.yml").read_text(encoding="utf-8"))
    for entry in found["nav"]:
        if "Experiments" in entry:
            entry["Experiments"] += studies
    return found | {"docs_dir": str(stage), "site_dir": str(site)}


def main(target: Path) -> None:
    with tempfile.TemporaryDirectory() as home:
        stage = Path(home) / "pages"
        site = Site(stage)
        site.write()
        studies = sorted(p for p in site.places.values() if p.startswith("experiments/"))
        studies = [place for place in studies if place.endswith("index.md")]
        made = config(stage, studies, target.absolute())
        (Path(home) / "mkdocs.yml").write_text(yaml.safe_dump(made, sort_keys=False))
        command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f"]
        done = subprocess.run(
            [*command, str(Path(home) / "mkdocs.yml")],
            env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
            capture_output=True,  # --quiet would let warnings pass
            text=True,
            check=False,
        )
    if done.returncode:
        sys.exit(done.stderr)
    print(f"{target / 'index.html'}\nwith its search: python -m http.server --directory {target}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "site")
