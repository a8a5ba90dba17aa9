"""The researcher that proposes given texts: what a person or a test wrote beforehand.

It writes whole files, once, and only those that may be edited.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from autoresearch.adapters.researchers.constants import settings
from autoresearch.adapters.researchers.files import read
from autoresearch.domain.brief import Brief
from autoresearch.domain.globs import matches
from autoresearch.domain.model import Proposal
from autoresearch.ports import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """Proposes `files` (path to text), as `hypothesis` says."""

    hypothesis: str
    files: Mapping[str, str]

    def propose(self, brief: Brief, workspace: Workspace) -> Proposal:
        """Write the files; nothing is proposed when one may not be edited or none differs."""
        outside = sorted(path for path in self.files if not matches(path, brief.editable))
        if outside:
            return Proposal(hypothesis=self.hypothesis, empty=f"not editable: {', '.join(outside)}")
        changed = {path: text for path, text in self.files.items() if read(workspace, path) != text}
        if not changed:
            return Proposal(hypothesis=self.hypothesis, empty="the given files equal the parent's")
        for path, text in changed.items():
            workspace.write(path, text)
        return Proposal(hypothesis=self.hypothesis, settings=settings(workspace, brief.editable))
