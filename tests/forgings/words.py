"""What a run or a study was made with: overrides, Hydra's files, a study's commands."""

from __future__ import annotations

import json

from forgings.forger import Forger, dumped, forging, shown, write

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n"
    for a, b in zip("abcdefghi", "bcdefghij", strict=True)
)
LIST_BOMB = "".join(
    f"- &{b} [{','.join([f'*{a}'] * 9) if a else 'x'}]\n"
    for a, b in zip(["", *"abcdefghi"], "abcdefghij", strict=True)
)
WORDS = [
    "hydra.run.dir=../../x", "hydra.sweep.subdir=../../x", "hydra.sweep.dir=../../x",
    "+hydra.callbacks.x._target_=os.system", "hydra.sweep.subdir=${oc.env:FUZZ_SECRET}",
    "+hydra.callbacks.x={_target_:os.mkdir,path:../world/evil}", "hydra.job.chdir=true",
    "hydra.sweeper.sampler._target_=os.system", "hydra/sweeper=optuna", "hydra/launcher=basic",
    "--config-dir=../world/canary", "--config-dir=/", "--config-path=/etc", "--config-name=x",
    "hydra.searchpath=[file:///etc]", "seed=range(0,1000000000)", "seed=range(0,100000)",
    "dataset=text", "dataset.path=../world/canary/note.txt", "dataset.path=/dev/zero",
    "dataset.urls=[http://127.0.0.1:9/x]", "dataset=time_machine", "dataset.root=../world/evil",
    "+dataset.root=../world/evil", "num_epochs=1000000000", "num_hiddens=1000000000",
    "num_layers=1000000000", "lr=${oc.env:FUZZ_SECRET}", "lr=${${${", "device=cuda:7",
    "hydra.job_logging.handlers.file.filename=../../x", "hydra.output_subdir=../../x",
    "hydra.job_logging.handlers.file.class=os.system", "hydra.job.env_set.PATH=/evil",
    "hydra.verbose=true", "hydra.mode=RUN", "plan=true", "sweep=../../x", "resume=../../canary",
    "on_invalid=skip", "--cfg=job", "--help", "--version", "-h", "--info", "~model", "+x=1",
    "--shell-completion", "hydra.launcher._target_=os.system", "hydra.launcher.workers=100000",
    "hydra.sweeper._target_=os.mkdir", "+experiment=../../x", "model=../../x", "size=base",
    "seed=1", "\ud800", "x" * 10**5, "", "=", "optimizer=torch",
    "+optimizer.options={_target_:os.system}", "hydra.sweep.subdir=/tmp/forged-evil",
]  # fmt: skip


@forging
def overrides(by: Forger) -> str:
    path = by.run / ".hydra" / "overrides.yaml"
    plain = path.read_text() if path.exists() else ""
    texts = {
        "aliases": BOMB,
        "list of aliases": LIST_BOMB,
        "python": "!!python/object/apply:os.system ['touch ../world/evil']",
        "python in a list": "- !!python/object/apply:os.system ['touch ../world/evil']",
        "mapping": "a: b",
        "text": "lr=1",
        "nested": "[" * 10**4 + "]" * 10**4,
        "100,000": "- lr=1\n" * 10**5,
        "itself": "&a [*a]",
        "bytes": "- !!binary aGVsbG8=\n- 2001-01-01\n- ~\n- {a: b}\n- 1e400\n- .nan",
        "digits": f"- {'1' * 5000}",
        "nothing": "",
        "merge": "<<: [&a {<<: *a}]",
        "date": "- 2001-99-99",
        "control": "- \x01",
    } | {word: f"{plain}- {json.dumps(word)}\n" for word in WORDS}
    name = by.rng.choice(list(texts))
    write(path, texts[name])
    return f"overrides.yaml: {shown(name)}"


@forging
def hydras_own(by: Forger) -> str:
    """config.yaml, hydra.yaml or multirun.yaml."""
    names = [by.run / ".hydra" / "config.yaml", by.run / ".hydra" / "hydra.yaml"]
    path = by.rng.choice([*names, by.sent / "multirun.yaml"])
    callbacks = "hydra: {callbacks: {x: {_target_: os.system, command: touch evil}}}"
    python = "!!python/object/apply:os.system [true]"
    write(path, by.rng.choice([BOMB, callbacks, python, "${${${"]))
    return f"{path.relative_to(by.sent)}: forged"


@forging
def commands(by: Forger) -> str:
    """The commands that a study was made with."""
    path = by.sent / "commands.jsonl"
    plain = ["-m", "seed=0,1,2", "num_hiddens=4"]
    lines = path.read_text().splitlines() if path.exists() else [json.dumps(plain)]
    words = json.loads(lines[-1])
    way = by.rng.choice(["word"] * 12 + ["torn", "line", "many", "new", "value"])
    done = way
    match way:
        case "word" | "new":
            chosen = by.rng.sample(WORDS, by.rng.choice([1, 1, 1, 2, 3]))
            words = [*words, *chosen] if by.rng.random() < 0.8 else [*chosen, *words]
            lines[len(lines) - (way == "word") :] = [json.dumps(words)]
            done = f"{way} {shown(chosen)}"
        case "value":
            words[by.rng.randrange(len(words))] = value = by.odd()
            lines[-1], done = dumped(words), shown(value)
        case "torn":
            lines[-1] = lines[-1][: by.rng.randrange(len(lines[-1]))]
        case "line":
            lines[-1] = by.rng.choice(["null", "{}", "3", '"-m"', "[" * 10**5, "[]", "\0", "[[]]"])
            done = shown(lines[-1])
        case "many":
            lines = lines * 10**3
    write(path, "\n".join(lines) + by.rng.choice(["\n", "\n", ""]))
    return f"commands.jsonl: {done}"
