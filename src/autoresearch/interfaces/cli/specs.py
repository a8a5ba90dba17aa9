"""The spec that commands work by: the repository's own file, or what a recognised contract says without one."""

from autoresearch.bootstrap.place import Place, spec_of
from autoresearch.interfaces.cli.init_detect import detect, spec_from_detection
from autoresearch.interfaces.cli.output import warn
from autoresearch.spec import FILE, Spec


def spec_here(place: Place) -> Spec:
    """The spec of `place`. A clone that follows a known contract needs no file; otherwise one must be there.

    Raises `SpecError`, and `UsageError` that names `init`.
    """
    if not (place.top / FILE).exists():
        found = detect(place.top)
        if found.answers is not None:
            warn(f"no {FILE}: this repository follows {found.kind}, and is taken at its word")
            return spec_from_detection(found)
    return spec_of(place)
