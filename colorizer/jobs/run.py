"""One way to do what is requested, for the command and the page, and the report of it."""

import dataclasses

from colorizer.errors import UserError
from colorizer.jobs.job import Writer
from colorizer.jobs.photographs import colorize_photographs
from colorizer.jobs.plan import plan
from colorizer.jobs.record import RECORD, Record, held
from colorizer.jobs.request import Fingerprint


@dataclasses.dataclass
class Report:
    """What became of a request: its outcomes, and what they add up to.

    `failures` and `remarks` are pairs of a name and a phrase. `stopped` tells that Ctrl-C ended it.
    """

    outcomes: list = dataclasses.field(default_factory=list)
    done: int = 0
    compared: int = 0
    skipped: int = 0
    left_in_colour: int = 0
    recoloured: int = 0
    toned: int = 0
    failures: list = dataclasses.field(default_factory=list)
    remarks: list = dataclasses.field(default_factory=list)
    stopped: bool = False

    def add(self, outcome) -> None:
        """Add what became of one job."""
        self.outcomes.append(outcome)
        job = outcome.job
        if outcome.failure:
            self.failures.append((job.name, outcome.failure))
            return
        self.remarks += [(job.name, phrase) for phrase in (outcome.remark, job.note) if phrase]
        if not job.paint:
            self.compared += 1
        elif outcome.kept:
            self.left_in_colour += 1
        else:
            self.done += 1
            self.recoloured += outcome.in_colour
            self.toned += outcome.toned


def run(request, colorizer, progress) -> Report:
    """Do what is requested, while no other run writes into the output folder.

    `progress(desc, unit, total)` gives a progress bar, like tqdm's: a context with a `total` and an
    `update`. Raises UserError as `plan` does, and where the output folder cannot be used.
    """
    with held(request.output):
        writer = Writer(Record(request.output), Fingerprint(request, colorizer))
        takes_hints = colorizer.network.takes_known
        planned = plan(request, writer.record, writer.fingerprint, takes_hints)
        report = Report(skipped=len(planned.skipped), failures=planned.failures)
        changed = "changed since it was written, and kept"
        report.remarks += [(name, changed) for name in planned.kept]
        if number := writer.record.unreadable:
            remark = f"{number} of its lines could not be read, and are left out"
            report.remarks.append((RECORD, remark))
        try:
            if jobs := planned.photographs:
                with progress(desc="colorizing", unit=" photographs", total=len(jobs)) as bar:

                    def add(outcome):
                        report.add(outcome)
                        bar.update(1)

                    colorize_photographs(jobs, colorizer, request, writer, add)
            for job in planned.films:
                with progress(desc=job.name, unit=" frames", total=None) as bar:
                    report.add(films_module().colorize_film(job, colorizer, request, writer, bar))
        except KeyboardInterrupt:
            report.stopped = True
    return report


def films_module():
    """Import what colorizes films: a photograph need not wait for FFmpeg's libraries."""
    try:
        from colorizer.jobs import films as module
    except ImportError as error:
        raise UserError(
            f"films need PyAV ({error}); run `pip install -r requirements-colorize.txt`"
        ) from error
    return module
