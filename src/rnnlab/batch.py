"""What `-m` does: a sweeper's batch of job overrides becomes a study, and JobReturns again."""

from __future__ import annotations

import copy
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, run_job, setup_globals
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from rnnlab import study
from rnnlab.config import Config, ConfigError, config_id
from rnnlab.interrupts import stop_requests
from rnnlab.report import write_report
from rnnlab.results import Result
from rnnlab.schema import to_config
from rnnlab.stacking import Job, parameter_bytes, stacks
from rnnlab.studyview import StudyView

if TYPE_CHECKING:
    from hydra_plugins.rnnlab_launcher.stacked import StackedLauncher
    from rnnlab.entry import Jobs


class QuietCallbacks:
    """A job's end is told when it has trained, not when its folder is made."""

    def __init__(self, callbacks: Any) -> None:
        self.callbacks = callbacks

    def on_job_start(self, config: DictConfig, **more: Any) -> None:
        self.callbacks.on_job_start(config=config, **more)

    def on_job_end(self, **_: Any) -> None:
        pass


def launch(
    launcher: StackedLauncher, jobs: Jobs, job_overrides: Sequence[Sequence[str]], first: int
) -> list[JobReturn]:
    """Train a batch, and return what each job came to, in the order of the overrides."""
    setup_globals()
    configure_log(launcher.config.hydra.hydra_logging, launcher.config.hydra.verbose)
    sweep = Path(str(launcher.config.hydra.sweep.dir))
    known = finished_and_begun(sweep)
    planned, composed = _plan(launcher, jobs, job_overrides, first, sweep, known)
    distinct: dict[tuple[str, int], Job] = {}
    for job in planned:
        distinct.setdefault((job.config_id, job.config.num_epochs), job)
    on_gpu = planned[0].config.device.startswith("cuda") or _has_gpu(planned[0].config)
    workers = launcher.workers or (1 if on_gpu else len(os.sched_getaffinity(0)))
    wanted = [job for job in distinct.values() if not _is_done(job)]
    again = _stacks_begun(wanted, sweep)
    begun = {job.number for stack in again for job in stack}
    fresh = stacks([j for j in wanted if j.number not in begun], workers, on_gpu, launcher.lanes)
    tasks = again + fresh
    if jobs.plan:
        _print_plan(planned, distinct, tasks)
        return []
    if not on_gpu:
        study.preload()
    returns: dict[int, JobReturn] = {}
    for job in distinct.values():
        returns[job.number] = _make_folder(launcher, composed[job.number])
    with stop_requests() as stop, StudyView(sweep, list(distinct.values()), len(planned)) as view:
        for job in distinct.values():
            result = study.result_of(job)
            if result and _is_done(job):
                view.ended(job, result)
        study.train(tasks, workers, stop, view.refresh, view.ended)
        interrupted = stop()
        page = write_report(sweep)
    print(page)
    jobs.statuses += [_status(job) for job in distinct.values()]
    if interrupted:
        raise KeyboardInterrupt
    ended = []
    for job in planned:
        own = distinct[job.config_id, job.config.num_epochs]
        result, returned = study.result_of(own), returns[own.number]
        returned.return_value = _figure(result)
        returned.status = JobStatus.COMPLETED
        launcher.hydra_context.callbacks.on_job_end(
            config=composed[own.number], job_return=returned
        )
        ended.append(returned)
    return ended


def _plan(
    launcher: StackedLauncher,
    jobs: Jobs,
    job_overrides: Sequence[Sequence[str]],
    first: int,
    sweep: Path,
    known: dict[tuple[str, int], Path],
) -> tuple[list[Job], dict[int, DictConfig]]:
    """Every job composed, checked and given a folder; raises ConfigError with all mistakes."""
    planned, composed, mistakes = [], {}, []
    number = max(first, _next_number(sweep))
    common = set.intersection(*map(set, job_overrides))
    for i, overrides in enumerate(job_overrides):
        loader = launcher.hydra_context.config_loader
        whole = loader.load_sweep_config(launcher.config, list(overrides))
        try:
            config = _config_of(whole)
            corpus = jobs.check_job(config)
        except ConfigError as error:
            mistakes.append(f"job {first + i} ({' '.join(overrides)}): {error}")
            continue
        identity = config_id(config, corpus.sha256)
        folder = known.get((identity, config.num_epochs))
        own = number if folder is None else int(folder.name.partition("_")[0])
        number += folder is None
        with read_write(whole), read_write(whole.hydra.sweep), open_dict(whole):
            whole.hydra.job.id = whole.hydra.job.num = own
            changed = [override for override in overrides if override not in common]
            whole.hydra.job.override_dirname = ",".join(changed or overrides)
            folder = folder or sweep / _subdir(whole)
            whole.hydra.sweep.subdir = folder.name
        planned.append(Job(own, tuple(overrides), config, corpus, folder, identity))
        composed[own] = whole
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return planned, composed


def _config_of(whole: DictConfig) -> Config:
    task = copy.deepcopy(whole)
    with read_write(task), open_dict(task):
        del task["hydra"]
    return to_config(task)


def _subdir(whole: DictConfig) -> str:
    """hydra.sweep.subdir refers to hydra's own config by its resolver."""
    from hydra.core.hydra_config import HydraConfig

    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(whole)
    try:
        return str(OmegaConf.select(whole, "hydra.sweep.subdir"))
    finally:
        HydraConfig.instance().cfg = before


def _make_folder(launcher: StackedLauncher, whole: DictConfig) -> JobReturn:
    """The job's folder with .hydra in it, as Hydra itself makes it, and its JobReturn to fill."""
    context = launcher.hydra_context
    quiet: Any = QuietCallbacks(context.callbacks)
    state = Singleton.get_state()
    try:
        return run_job(
            hydra_context=HydraContext(config_loader=context.config_loader, callbacks=quiet),
            task_function=lambda _: None,
            config=whole,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
            configure_logging=False,
        )
    finally:
        Singleton.set_state(state)


def finished_and_begun(sweep: Path) -> dict[tuple[str, int], Path]:
    """The jobs that a study's folder has already: (config_id, num_epochs) -> folder."""
    known = {}
    for path in sorted(sweep.glob("[0-9]*_*/result.json")):
        try:
            result = Result.read(path.parent)
            known[result.config_id, int(result.config["num_epochs"])] = path.parent
        except (ConfigError, KeyError, TypeError, ValueError) as error:
            print(f"left alone: {error}", file=sys.stderr)
    return known


def _next_number(sweep: Path) -> int:
    numbers = [path.name.partition("_")[0] for path in sweep.glob("*/")]
    return max((int(number) + 1 for number in numbers if number.isdecimal()), default=0)


def _status(job: Job) -> str:
    return _status_of(job.folder) or "failed"


def _status_of(folder: Path) -> str | None:
    try:
        return Result.read(folder).status
    except ConfigError:
        return None


def _is_done(job: Job) -> bool:
    return _status(job) in ("completed", "diverged") and study.result_of(job) is not None


def _stacks_begun(jobs: list[Job], sweep: Path) -> list[list[Job]]:
    """Jobs that have begun, in the stacks that they began in, so that they go on bit for bit.

    One that failed while others of its stack went on goes on alone.
    """
    by_folder = {job.folder.name: job for job in jobs}
    found: dict[tuple[str, ...], list[Job]] = {}
    for job in jobs:
        result = study.result_of(job)
        if result is None:
            continue
        names = tuple(result.stack)
        failed = {name for name in names if _status_of(sweep / name) == "failed"}
        alone = job.folder.name in failed and len(failed) < len(names)
        whole = all((sweep / name / "result.json").exists() for name in names)
        key = names if names and whole and not alone else (job.folder.name,)
        if key not in found:
            gone = failed if len(failed) < len(names) and len(key) > 1 else set()
            found[key] = [
                by_folder[name] if name in by_folder and name not in gone else _ended(job, name)
                for name in key
            ]
    return list(found.values())


def _ended(job: Job, name: str) -> Job:
    """A job of the same stack that has ended: its lane is kept."""
    return Job(-1, (), job.config, job.corpus, job.folder.parent / name, "")


def _figure(result: Result | None) -> float:
    """What a sweeper minimises; infinite for a job that came to nothing."""
    if result is None or result.status != "completed" or result.perplexity is None:
        return math.inf
    return result.perplexity if result.val_perplexity is None else result.val_perplexity


def _has_gpu(config: Config) -> bool:
    if config.device != "auto" or not Path("/proc/driver/nvidia").exists():
        return False
    from rnnlab.surroundings import resolve_device

    return resolve_device(config.device).type == "cuda"


def _print_plan(
    planned: list[Job], distinct: dict[tuple[str, int], Job], tasks: list[list[Job]]
) -> None:
    for job in planned:
        own = distinct[job.config_id, job.config.num_epochs]
        note = f"  the same as job {own.number}" if own is not job else ""
        done = "  done already" if _is_done(own) else ""
        print(f"job {job.number}: {' '.join(job.overrides)}{note}{done}")
    for i, stack in enumerate(tasks):
        mib = len(stack) * parameter_bytes(stack[0]) / 2**20
        numbers = ", ".join(str(job.number) for job in stack)
        print(f"stack {i}: {len(stack)} lanes, {mib:.1f} MiB of parameters: jobs {numbers}")
