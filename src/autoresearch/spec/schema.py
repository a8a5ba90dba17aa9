"""The spec's keys: what `autoresearch.toml` may hold, with types, defaults and one line on each.

The rule: a key stands here only if some code obeys it; an unknown key is an error. What keys must say of each other is
in `checks`, how errors read is in `load`.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, PrivateAttr, Strict

from autoresearch.domain.model import Bound, Direction, Source
from autoresearch.spec.units import Span, bound, duration, size, span

Seconds = Annotated[float, PlainValidator(duration)]
Time = Annotated[Span, PlainValidator(span)]
Size = Annotated[int, PlainValidator(size)]
Limit = Annotated[Bound, PlainValidator(bound)]
Count = Annotated[int, Strict(), Field(ge=1, le=1_000_000_000)]
MOST_WORKERS = 128
"""Worker processes of one `run`: each takes some 60 MB, and a slip of the finger must not take the machine down."""
Processes = Annotated[int, Strict(), Field(ge=1, le=MOST_WORKERS)]
Real = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Flag = Annotated[bool, Strict()]
Text = Annotated[str, Strict()]
Words = tuple[Text, ...]
Name = Annotated[str, Strict(), Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
MetricName = Annotated[str, Strict(), Field(pattern=r"^[A-Za-z0-9_.µ/%@-]{1,100}$")]


class Section(BaseModel):
    """A table of the spec: frozen, and no unknown key."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class StudySection(Section):
    """What the study is called and what it is after."""

    name: Name = Field(description="Name of the study: of its branch `autoresearch/<name>` and its directory.")
    goal: Text = Field(default="", description="One line for researchers and the report; empty: made from the metric.")
    program: Text = Field(
        default="program.md",
        description="File with direction, constraints and ideas, in your words. It may be missing unless named here.",
    )


class WorkspaceSection(Section):
    """Which files may change, and which no trial may see."""

    editable: Words = Field(description="Globs of the files a proposal may change; touching anything else is vetoed.")
    hidden: Words = Field(
        default=(),
        description="Globs of files that only the scorer sees: absent or masked in every researcher, run and predict "
        "sandbox. `{stdlib}/…` names files of the Python standard library of this machine.",
    )


class RunSection(Section):
    """The one command, and its hard limits, enforced from outside."""

    command: Words = Field(description="Program and arguments, run in a checkout of the tree under trial.")
    budget: Time = Field(
        description="Time of one run: `60s`, `5m`, `1h30m`; with ` cpu` behind it the CPU time of all its processes."
    )
    wall: Seconds | None = Field(
        default=None,
        description="With a CPU budget: limit on wall-clock time as well. Default: three times the budget and 10 s.",
    )
    memory: Size = Field(default=4 << 30, description="Peak memory of all processes of a run together.")
    processes: Count = Field(default=256, description="Processes and threads alive at once.")
    disk: Size = Field(default=2 << 30, description="Bytes a run may write.")
    log: Size = Field(default=8 << 20, description="Bytes of output kept; the rest is cut and marked.")
    threads: Annotated[int, Strict(), Field(ge=0, le=4096)] | None = Field(
        default=None,
        description="Threads told to OpenMP and BLAS; 0 leaves them alone. Default: 1 with a CPU budget, else 0.",
    )
    network: Flag = Field(default=False, description="Whether a run may use the network.")
    artifacts: Words = Field(
        default=("out/**",), description="Globs of the files that leave the run; all else is lost."
    )
    inputs: Words = Field(
        default=(),
        description="Git-ignored or outside files and directories that a run needs (data, `.venv`, `~/.cache/x`): "
        "shown read-only and fingerprinted.",
    )
    env: dict[str, Text] = Field(
        default_factory=dict, description="Environment variables of a run; nothing else of yours is passed on."
    )


class MetricSection(Section):
    """The number that decides."""

    name: MetricName = Field(description="Name of the metric as scorer or output give it.")
    direction: Direction = Field(description="Which way is better.")
    min_effect: Limit = Field(
        default=Bound(value=0.0, relative=True),
        description="Least change that matters: `0.5%`, or a number in its unit.",
    )
    implausible: Limit | None = Field(
        default=None, description="An effect beyond this and beyond 6σ is quarantined and run again."
    )
    source: Source = Field(
        default=Source.SCORE,
        description="`score`: a scorer of yours computes it out of the trial's reach. `stdout`: read from the run's "
        "own output, and labelled self-reported everywhere.",
    )


class ScoreSection(Section):
    """The trusted scorer, for `metric.source = \"score\"`."""

    command: Words = Field(description="The scorer, run from the base commit; artifacts are read-only.")
    budget: Seconds = Field(default=60.0, description="Wall-clock limit of one scoring.")
    predict: Words | None = Field(
        default=None,
        description="Where the trial's own code must answer questions to be scored: the program that does, in a "
        "sandbox of its own.",
    )
    predict_budget: Time = Field(default=span("10s cpu"), description="Its time for one scoring.")
    holdout: Flag = Field(
        default=False, description="Whether the scorer also has a holdout split, for the headline only."
    )


class GuardSection(Section):
    """A secondary metric that must not regress; as many `[[guard]]` tables as there are such metrics."""

    metric: MetricName = Field(description="Its name.")
    max_increase: Limit | None = Field(default=None, description="How far it may rise above the incumbent's.")
    max_decrease: Limit | None = Field(default=None, description="How far it may fall below the incumbent's.")


class AcceptanceSection(Section):
    """When a trial is kept."""

    rule: Literal["race", "strict", "greedy"] = Field(
        default="race",
        description="`race`: screened on one run, then a few fresh runs of whichever is less known; `strict`: the same "
        "with a higher bar; `greedy`: any improvement of one run.",
    )


class SearchSection(Section):
    """How the search goes on from what is known."""

    policy: Literal["ratchet"] = Field(default="ratchet", description="`ratchet`: always from the incumbent.")
    workers: Processes = Field(default=1, description="Worker processes that `run` starts.")


class ResearcherSection(Section):
    """Who proposes changes."""

    kind: Text = Field(
        default="tune",
        description="`tune`: an optimiser over the constants of the editable Python files; `mutate`: random variation; "
        "`command`: a program of yours; `scripted`: a list of edits; or one that an installed package offers under "
        "the entry point `autoresearch.researcher`; or a dotted path, `package.module:factory`.",
    )
    constants: Words | None = Field(
        default=None, description="For `tune`: names of the constants it may move. Default: all."
    )
    sampler: Literal["surrogate", "tpe"] = Field(
        default="surrogate",
        description="For `tune`: `surrogate`, a Gaussian process over moves of few constants; `tpe`, Optuna's.",
    )
    command: Words | None = Field(
        default=None, description="For `command`: the program; it edits its working directory."
    )
    budget: Seconds = Field(default=600.0, description="For `command`: wall-clock limit of one proposal.")
    network: Flag = Field(default=False, description="For `command`: whether it may use the network.")
    script: Text | None = Field(default=None, description="For `scripted`: the file with the edits.")


class StopSection(Section):
    """When the study ends by itself: at whichever comes first."""

    trials: Count | None = Field(
        default=None, description="Number of trials. Default: 100, or no limit if `runs` or `hours` is given."
    )
    runs: Count | None = Field(default=None, description="Number of runs of all kinds, confirmation included.")
    hours: Annotated[Real, Field(gt=0)] | None = Field(default=None, description="Hours of one `run`.")
    cost_usd: Annotated[Real, Field(gt=0)] | None = Field(
        default=None, description="What researchers may cost in US dollars; reaching it pauses the study."
    )
    target: Real | None = Field(default=None, description="Value of the metric that is good enough.")
    patience: Count | None = Field(default=None, description="Trials in a row without a keep.")


class RungSection(Section):
    """A level at which trees are measured; one for now."""

    name: Name = Field(description="Its name.")
    budget: Time | None = Field(default=None, description="Time of one run at it. Default: `run.budget`.")
    env: dict[str, Text] = Field(default_factory=dict, description="Environment variables beside those of `run.env`.")


class Spec(Section):
    """A whole spec. Its text and place are kept for the record and for error messages."""

    study: StudySection
    workspace: WorkspaceSection
    run: RunSection
    metric: MetricSection
    score: ScoreSection | None = None
    guard: tuple[GuardSection, ...] = ()
    acceptance: AcceptanceSection = Field(default_factory=AcceptanceSection)
    search: SearchSection = Field(default_factory=SearchSection)
    researcher: ResearcherSection = Field(default_factory=ResearcherSection)
    stop: StopSection = Field(default_factory=StopSection)
    rung: tuple[RungSection, ...] = ()
    _text: str = PrivateAttr(default="")
    _file: str = PrivateAttr(default="autoresearch.toml")

    def with_source(self, text: str, file: str) -> "Spec":
        """The same spec, remembering the text it was read from."""
        copy = self.model_copy()
        copy._text, copy._file = text, file
        return copy

    @property
    def text(self) -> str:
        """The text it was read from."""
        return self._text

    @property
    def file(self) -> str:
        """The file it was read from, as shown in messages."""
        return self._file

    def __eq__(self, other: Any) -> bool:
        """Equal when every key is, whatever the text."""
        return isinstance(other, Spec) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        """By the study's name."""
        return hash(self.study.name)
