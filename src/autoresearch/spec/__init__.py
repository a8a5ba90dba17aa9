"""The spec: `autoresearch.toml` read, checked, and turned into the domain's nouns.

The only place where pydantic is used, and the only one that knows what the file's keys are called.
"""

from autoresearch.spec.convert import (
    budget,
    goal,
    guards,
    measurement_fingerprint_parts,
    metric,
    rungs,
    spec_text,
    stop,
    threads,
)
from autoresearch.spec.load import FILE, all_keys, error_at, load_spec, parse_spec, program_text
from autoresearch.spec.reference import key_reference
from autoresearch.spec.render import Answers, render_toml
from autoresearch.spec.schema import MOST_WORKERS, Spec

__all__ = [
    "FILE",
    "MOST_WORKERS",
    "Answers",
    "Spec",
    "all_keys",
    "budget",
    "error_at",
    "goal",
    "guards",
    "key_reference",
    "load_spec",
    "measurement_fingerprint_parts",
    "metric",
    "parse_spec",
    "program_text",
    "render_toml",
    "rungs",
    "spec_text",
    "stop",
    "threads",
]
