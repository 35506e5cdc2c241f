"""What `-m` does: a sweeper's batch of job overrides becomes a study, and JobReturns again."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.utils import JobReturn, JobStatus, _save_config, configure_log, setup_globals

from rnnlab._common.errors import ConfigError, require
from rnnlab._common.files import InUseError, locked
from rnnlab._common.interrupts import stop_requests
from rnnlab.config.schema import Config
from rnnlab.runs.folder import HYDRA, RESULT
from rnnlab.runs.result import Result, Status
from rnnlab.studies import command as commands
from rnnlab.studies import loop as study
from rnnlab.studies.plan import Invalid, Plan, plan
from rnnlab.studies.report.page import write_report
from rnnlab.studies.stacks import Job, stacks
from rnnlab.studies.view import StudyView

if TYPE_CHECKING:
    from hydra_plugins.rnnlab_launcher.stacked import StackedLauncher
    from rnnlab.cli.train import Jobs


def launch(
    launcher: StackedLauncher, jobs: Jobs, job_overrides: Sequence[Sequence[str]], first: int
) -> list[JobReturn]:
    """Train a batch, and return what each job came to, in the order of the overrides."""
    for name in ("workers", "lanes"):
        value = getattr(launcher, name)
        require(value is None or value >= 1, f"hydra.launcher.{name}={value}", "it is at least 1")
    setup_globals()
    configure_log(launcher.config.hydra.hydra_logging, launcher.config.hydra.verbose)
    compose = partial(launcher.loader.take, launcher.config)
    sweep = Path(str(launcher.config.hydra.sweep.dir))
    with nullcontext() if jobs.command.plan else _held(sweep):
        planned = plan(sweep, first, job_overrides, compose, jobs.corpus_of, jobs.configs)
        invalid = "\n".join(f"job {bad.number}: {bad.mistake}" for bad in planned.invalid)
        if invalid and not jobs.command.skips_invalid:
            raise ConfigError(invalid)
        wanted = [job for job in planned.jobs if not job.is_done]
        gpu_bytes = _gpu_bytes(wanted[0].config) if wanted else None
        num_workers = launcher.workers or (1 if gpu_bytes else len(os.sched_getaffinity(0)))
        divide = partial(stacks, workers=num_workers, gpu_bytes=gpu_bytes, lanes=launcher.lanes)
        if jobs.command.plan:
            from rnnlab.studies.preview import show_plan

            show_plan(planned, divide(wanted), num_workers)
            sys.exit(0)  # a sweeper has no use for jobs that were not trained
        commands.note(sweep, jobs.command)
        open_folder = partial(_open_folder, launcher, planned)
        with stop_requests() as stop, StudyView(sweep, planned) as view:
            study.train(divide, wanted, num_workers, stop, view, open_folder)
            stopped = stop()
        asked = {job.folder: view.results.get(job.folder) for _, job in planned.rows}
        jobs.statuses += [result.status if result else "not ended" for result in asked.values()]
        if any(asked.values()) or any(sweep.rglob(RESULT)):
            print(write_report(sweep))
    if stopped:
        raise KeyboardInterrupt
    returned = {job.folder: _job_return(launcher, planned, job) for _, job in planned.rows}
    return [returned[job.folder] for _, job in planned.rows]


@contextmanager
def _held(sweep: Path) -> Iterator[None]:
    with ExitStack() as holding:
        sweep.mkdir(parents=True, exist_ok=True)
        try:
            holding.enter_context(locked(sweep))
        except InUseError:
            raise ConfigError(
                f"{sweep} is in use: another study trains there; wait for it, or choose another "
                "folder with sweep=FOLDER."
            ) from None
        yield


def _open_folder(launcher: StackedLauncher, planned: Plan, job: Job) -> None:
    """With .hydra in it, as Hydra itself makes it."""
    whole = planned.composed[job.folder]
    folder = job.folder / str(whole.hydra.output_subdir or HYDRA)
    if not (folder / "config.yaml").exists():
        task, hydra = planned.split(job)
        _save_config(task, "config.yaml", folder)
        _save_config(hydra, "hydra.yaml", folder)
        _save_config(whole.hydra.overrides.task, "overrides.yaml", folder)
    launcher.hydra_context.callbacks.on_job_start(
        config=whole, task_function=launcher.task_function
    )


def _job_return(launcher: StackedLauncher, planned: Plan, job: Job | Invalid) -> JobReturn:
    """What a sweeper minimises; infinite for a job that came to nothing."""
    result = Result.find(job.folder)
    figure = result.figure if result and result.status == Status.completed else None
    returned = JobReturn(overrides=job.overrides, working_dir=str(Path.cwd()))
    returned.return_value = math.inf if figure is None else figure
    returned.status = JobStatus.COMPLETED
    if isinstance(job, Job):
        whole = planned.composed[job.folder]
        returned.cfg, returned.hydra_cfg = planned.split(job)
        returned.task_name = whole.hydra.job.name
        launcher.hydra_context.callbacks.on_job_end(config=whole, job_return=returned)
    return returned


def _gpu_bytes(config: Config) -> int | None:
    """The memory that stacks may fill; None where the job runs on a CPU."""
    wants_one = config.device.startswith("cuda")
    if not wants_one and (config.device == "cpu" or not Path("/proc/driver/nvidia").exists()):
        return None
    from rnnlab.runs.surroundings import free_memory, resolve_device

    return free_memory(resolve_device(config.device))
