import pytest

from autoresearch.domain.globs import Globs, matches

MATCHED = [
    ("train.py", "train.py"),
    ("*.py", "train.py"),
    ("./src/*.py", "src/a.py"),
    ("src", "src/a/b.py"),
    ("src/", "src/a/b.py"),
    ("src/**", "src/a/b.py"),
    ("src/**", "src/a"),
    ("**", "a/b/c"),
    ("**/*.py", "a.py"),
    ("**/*.py", "a/b/c.py"),
    ("a/**/b", "a/b"),
    ("a/**/b", "a/x/y/b"),
    ("a/**/b", "a/x/b/below"),
    ("data[0-9].tx?", "data3.txt"),
    ("[!a]", "b"),
    ("*", ".hidden"),
    ("a*b", "a\nb"),
    ("a**b", "axb"),
    ("a.b+(c)", "a.b+(c)"),
    ("x[", "x["),
]
OTHER = [
    ("*.py", "src/a.py"),
    ("*", "src/a.py"),
    ("src/**", "src"),
    ("src/*.py", "src/a/b.py"),
    ("src", "srcs"),
    ("train.py", "src/train.py"),
    ("a?b", "a/b"),
    ("[!a]", "/"),
    ("[!a]", "a"),
    ("[z-a]", "b"),
    ("x.y", "xzy"),
    ("", "a"),
    ("TRAIN.py", "train.py"),
]


@pytest.mark.parametrize(("pattern", "path"), MATCHED)
def test_covered(pattern: str, path: str) -> None:
    assert matches(path, [pattern])
    parts = path.split("/")
    for end in range(1, len(parts)):
        assert Globs([pattern]).below("/".join(parts[:end])), "a directory on the way to a match is entered"


@pytest.mark.parametrize(("pattern", "path"), OTHER)
def test_not_covered(pattern: str, path: str) -> None:
    assert not matches(path, [pattern])


def test_directories_without_a_match_are_not_entered() -> None:
    some = Globs(["train.py", "src/*.py", "data/x"])
    assert not some.below("__pycache__")
    assert not some.below("src/lib")
    assert some.below("src")
    assert some.below("data/x/deeper")


def test_no_patterns_cover_nothing() -> None:
    assert not matches("a", [])
    assert not Globs([]).below("a")
