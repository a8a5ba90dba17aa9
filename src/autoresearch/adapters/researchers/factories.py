"""The factories of the built-in researchers: from the spec's `[researcher]` table to the researcher.

Each takes a `ResearcherContext`, as a third party's factory does.
"""

from autoresearch.adapters.researchers.command import Command
from autoresearch.adapters.researchers.constants import settings
from autoresearch.adapters.researchers.mutate import Mutate
from autoresearch.adapters.researchers.scripted import Scripted, scripted
from autoresearch.adapters.researchers.tune import Tune
from autoresearch.domain.errors import UsageError
from autoresearch.ports import ResearcherContext


def make_tune(context: ResearcherContext) -> Tune:
    """An optimiser over the constants of the editable files, or over those the spec names."""
    with context.base() as workspace:
        base = settings(workspace, context.editable)
    return Tune(constants=context.constants, base=base, sampler=context.sampler)


def make_mutate(context: ResearcherContext) -> Mutate:
    """Random variation."""
    return Mutate()


def make_command(context: ResearcherContext) -> Command:
    """A program of the user's."""
    if not context.command:
        raise UsageError('the researcher "command" needs researcher.command: the program to run')
    return Command(
        command=context.command,
        executor=context.executor,
        budget=context.budget,
        scratch=context.scratch,
        network=context.network,
        mounts=context.mounts,
        masked=context.masked,
    )


def make_scripted(context: ResearcherContext) -> Scripted:
    """A list of edits from a file."""
    if context.script is None:
        raise UsageError('the researcher "scripted" needs researcher.script: the file with the edits')
    return scripted(context.script)
