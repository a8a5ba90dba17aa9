"""The spec: what is accepted, what is refused and in which words, and that nothing of it goes undocumented."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.domain.errors import SpecError
from autoresearch.domain.model import Bound, Clock, Direction, Source
from autoresearch.spec import (
    Answers,
    all_keys,
    error_at,
    goal,
    guards,
    load_spec,
    measurement_fingerprint_parts,
    metric,
    parse_spec,
    program_text,
    render_toml,
    rungs,
    spec_text,
    stop,
    threads,
)
from autoresearch.spec.checks import problems
from autoresearch.spec.globs import escapes, overlap
from autoresearch.spec.locate import lines
from autoresearch.spec.reference import BEGIN, END, key_reference, refreshed
from autoresearch.spec.units import bound, bound_text, duration, duration_text, size, size_text, span

DOCS = Path(__file__).parent.parent / "docs" / "reference" / "spec.md"

GOOD = """\
[study]
name = "tinylm"

[workspace]
editable = ["train.py"]
hidden = ["score.py", "holdout/**", "{stdlib}/wave.py"]

[run]
command = ["python", "train.py"]
budget = "20s cpu"
wall = "90s"
inputs = [
  "data/**",  # "quoted" [comment
  "~/.cache/x",
]
env = { MODE = "small" }

[metric]
name = "val_bpb"
direction = "minimize"
min_effect = "0.5%"
implausible = "20%"

[score]
command = ["python", "score.py"]
predict = ["python", "predict.py"]

[[guard]]
metric = "peak_memory_mb"
max_increase = "10%"

[[rung]]
name = "small"
env = { STEPS = "9" }

[stop]
hours = 8
"""


def test_a_good_spec_becomes_the_domains_nouns() -> None:
    spec = parse_spec(GOOD)
    (rung,) = rungs(spec)
    assert (rung.name, rung.budget.seconds, rung.budget.clock, rung.budget.wall) == ("small", 20.0, Clock.CPU, 90.0)
    assert rung.env == (("MODE", "small"), ("STEPS", "9"))
    assert (rung.budget.memory, rung.budget.processes, rung.budget.disk, rung.budget.log) == (
        4 << 30,
        256,
        2 << 30,
        8 << 20,
    )
    assert metric(spec).min_effect == Bound(value=0.005, relative=True)
    assert metric(spec).implausible == Bound(value=0.2, relative=True)
    assert metric(spec).source is Source.SCORE
    assert metric(spec).direction is Direction.MINIMIZE
    assert guards(spec)[0].max_increase == Bound(value=0.1, relative=True)
    assert guards(spec)[0].max_decrease is None
    assert spec.score is not None
    assert spec.score.predict_budget == span("10s cpu")
    assert goal(spec) == "lowest val_bpb within the run budget"
    assert spec_text(spec) == GOOD
    assert spec == parse_spec(GOOD + "# remark\n")
    assert spec != parse_spec(GOOD.replace('"small"', '"tiny"'))


MINIMAL = """\
[study]
name = "a"
[workspace]
editable = ["a.c"]
[run]
command = ["./a"]
budget = 300
[metric]
name = "ms"
direction = "maximize"
source = "stdout"
"""


def test_defaults() -> None:
    spec = parse_spec(MINIMAL)
    (rung,) = rungs(spec)
    assert (rung.name, rung.budget.seconds, rung.budget.clock) == ("base", 300.0, Clock.WALL)
    assert (spec.acceptance.rule, spec.search.policy, spec.search.workers, spec.researcher.kind) == (
        "race",
        "ratchet",
        1,
        "tune",
    )
    assert stop(spec).trials == 100
    assert goal(spec).startswith("highest ms")


@pytest.mark.parametrize(
    ("key", "trials"),
    [("hours = 2", None), ("runs = 9", None), ("patience = 5", 100), ("target = 1", 100), ("hours = 2\ntrials = 7", 7)],
)
def test_a_hundred_trials_unless_something_else_ends_the_study(key: str, trials: int | None) -> None:
    assert stop(parse_spec(f"{MINIMAL}[stop]\n{key}\n")).trials == trials


def test_threads_follow_the_clock() -> None:
    assert threads(parse_spec(GOOD)) == 1
    assert threads(parse_spec(MINIMAL)) == 0
    assert threads(parse_spec(GOOD.replace('wall = "90s"', "threads = 0"))) == 0
    assert threads(parse_spec(MINIMAL.replace("budget = 300", "budget = 300\nthreads = 3"))) == 3


BAD = [
    ('budget = "20s cpu"', 'bugdet = "20s"', "8: run.budget: is missing. Write, for example, budget = \"60s\""),
    ('budget = "20s cpu"', 'bugdet = "20s"', "10: run.bugdet: unknown key. Did you mean 'budget'?"),
    ("[score]", "[scroe]", "24: scroe: unknown table. Did you mean 'score'?"),
    ("hours = 8", "policy = 8", "37: stop.policy: unknown key. Did you mean 'search.policy'?"),
    ("hours = 8", "xyzzy = 8", "37: stop.xyzzy: unknown key. Known here: cost_usd, hours, patience, runs,"),
    ("[stop]", "[run.limits]\nmemory = 1\n[stop]", "36: run.limits: unknown key. Known here: artifacts, budget,"),
    ('["train.py"]', '"train.py"', '5: workspace.editable: a list of strings is wanted, not one string. Write ["train'),
    ('["train.py"]', "[1]", "5: workspace.editable[1]: 1 does not fit: a string in quotes is wanted."),
    ('["train.py"]', "[]", "5: workspace.editable: is empty: nothing could be tried."),
    ('["train.py"]', '["../x"]', "5: workspace.editable[1]: '../x' leads out of the repository with '..'."),
    ('["train.py"]', '["/etc/x"]', "5: workspace.editable[1]: '/etc/x' is not inside the repository"),
    ('["train.py"]', '[".git/config"]', "5: workspace.editable[1]: '.git/config' lies in .git"),
    ('["train.py"]', '["*.py"]', "6: workspace.hidden[1]: 'score.py' and the editable '*.py' can be the same file."),
    ('"{stdlib}/wave.py"', '"{stdlib}/../x"', "6: workspace.hidden[3]: '{stdlib}/../x' leads out"),
    ('"~/.cache/x"', '"~/../x"', "12: run.inputs[2]: '~/../x' holds '..'. Write where it really is."),
    ('"~/.cache/x"', '"../x"', "12: run.inputs[2]: '../x' leads out of the repository with '..'. Outside inputs begin"),
    ('"minimize"', '"minimise"', "20: metric.direction: 'minimise' is not known. Did you mean 'minimize'?"),
    ('"minimize"', '"down"', "20: metric.direction: 'down' is not known. It is one of: minimize, maximize."),
    ('name = "tinylm"', 'name = "a b"', "2: study.name: 'a b' cannot name a branch and a directory."),
    ('name = "tinylm"', 'name = "a..b"', "2: study.name: 'a..b' cannot name a branch: git allows no '..'"),
    ('name = "tinylm"', 'name = "a.lock"', "2: study.name: 'a.lock' cannot name a branch"),
    ('name = "tinylm"', "name = 3", "2: study.name: 3 does not fit: a string in quotes is wanted."),
    ('name = "tinylm"', 'name = "tinylm', "2: this is not TOML: Illegal character '\\n'."),
    ('name = "tinylm"', 'name = "x"\nname = "y"', "3: this is not TOML: Cannot overwrite a value."),
    ('[study]\nname = "tinylm"\n', "", "1: study: is missing. Add a table [study];"),
    ("[study]", "[[study]]", "1: study: [{'name': 'tinylm'}] does not fit: a table is wanted"),
    ("[[guard]]", "[guard]", "28: guard: a list of tables is wanted: write its name in double brackets, [[guard]]."),
    ('"20s cpu"', '"20 parsecs"', "10: run.budget: '20 parsecs' is not a duration; write it as \"60s\", \"5m\""),
    ('"20s cpu"', '"0s cpu"', "10: run.budget: '0s ' is not a duration"),
    ('"20s cpu"', '"20s"', '11: run.wall: guards a CPU budget only; "run.budget" is wall-clock time here.'),
    ('"90s"', '"3s"', "11: run.wall: is shorter than the CPU budget"),
    ('wall = "90s"', 'memory = "lots"', "11: run.memory: 'lots' is not a size; write it as \"4GiB\""),
    ('wall = "90s"', "network = 1", "11: run.network: 1 does not fit: true or false is wanted"),
    ('wall = "90s"', "processes = 0", "11: run.processes: 0 does not fit: it must be at least 1."),
    ('wall = "90s"', "threads = true", "11: run.threads: True does not fit: a whole number is wanted"),
    ('["python", "train.py"]', "[]", "9: run.command: names no program."),
    ('["python", "train.py"]', '"python \'a b.py\'"', 'not one string. Write ["python", "a b.py"].'),
    ('MODE = "small"', "MODE = 1", "16: run.env.MODE: 1 does not fit: a string in quotes is wanted."),
    ('MODE = "small"', 'AUTORESEARCH_SEED = "1"', "16: run.env.AUTORESEARCH_SEED: begins with AUTORESEARCH_"),
    ('MODE = "small"', '"a b" = "1"', "16: run.env.a b: is no name of an environment variable."),
    ('env = { MODE = "small" }', "env = 3", "16: run.env: 3 does not fit: a table is wanted"),
    ('"0.5%"', '"-1"', "21: metric.min_effect: '-1' is not a bound"),
    ('"20%"', '"0.5%"', '22: metric.implausible: is not above "metric.min_effect"'),
    ('"20%"', "0", "22: metric.implausible: is 0: every effect would be quarantined."),
    ('implausible = "20%"', 'source = "stdout"', '24: score: nothing would run this scorer: metric.source is'),
    ('[score]\ncommand = ["python", "score.py"]\npredict = ["python", "predict.py"]\n', "", '18: metric.source: is'),
    ('predict = ["python", "predict.py"]', 'predict_budget = "3s"', '26: score.predict_budget: nothing obeys it'),
    ('max_increase = "10%"', "", "28: guard[1]: guards nothing. Add max_increase or max_decrease."),
    ('"peak_memory_mb"', '"val_bpb"', "29: guard[1].metric: 'val_bpb' is the study's metric or has a guard already."),
    ('"peak_memory_mb"', '"peak memory"', "29: guard[1].metric: 'peak memory' is no name of a metric."),
    ('[stop]', '[[rung]]\nname = "big"\n[stop]', "36: rung[2]: more than one rung: promotion between rungs comes in"),
    ('[stop]', '[acceptance]\nrule = "rase"\n[stop]', "37: acceptance.rule: 'rase' is not known. Did you mean 'race'?"),
    ('[stop]', '[search]\npolicy = "tree"\n[stop]', "37: search.policy: 'tree' is not known. It is one of: ratchet."),
    ('[stop]', '[search]\nworkers = 0\n[stop]', "37: search.workers: 0 does not fit: it must be at least 1."),
    ('[stop]', '[researcher]\nkind = "claude"\n[stop]', "37: researcher.kind: 'claude' is not known. It is one of"),
    ('[stop]', '[researcher]\nkind = "tun"\n[stop]', "37: researcher.kind: 'tun' is not known. Did you mean 'tune'?"),
    ('[stop]', '[researcher]\nkind = "a:b:c"\n[stop]', "37: researcher.kind: 'a:b:c' is not known. It is one of: comm"),
    ('[stop]', '[researcher]\nnetwork = true\n[stop]', '37: researcher.network: is for kind = "command"; here'),
    ('[stop]', '[researcher]\nkind = "command"\n[stop]', '36: researcher.command: kind = "command" needs the program'),
    ('[stop]', '[researcher]\nkind = "scripted"\n[stop]', '36: researcher.script: kind = "scripted" needs the file'),
    ('[stop]', '[researcher]\nconstants = []\n[stop]', "37: researcher.constants: is empty: nothing could be tuned."),
    ("hours = 8", "hours = -1", "37: stop.hours: -1 does not fit: it must be above 0.0."),
    ("hours = 8", "target = nan", "37: stop.target: nan does not fit: a finite number is wanted."),
    ("hours = 8", 'trials = "9"', "37: stop.trials: '9' does not fit: a whole number is wanted, without quotes."),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), BAD)
def test_a_bad_spec_is_refused_with_file_line_key_and_remedy(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(SpecError) as caught:
        parse_spec(GOOD.replace(old, new, 1), "sub/autoresearch.toml")
    told = str(caught.value).split("\n")
    assert any(message in line for line in told), told
    assert all(line.startswith("sub/autoresearch.toml:") for line in told)


def test_every_error_is_told_at_once_in_the_order_of_lines() -> None:
    text = GOOD.replace('"tinylm"', "3").replace("hours = 8", "hourz = 8").replace('"minimize"', '"up"')
    with pytest.raises(SpecError) as caught:
        parse_spec(text)
    assert [line.split(":")[1] for line in str(caught.value).split("\n")] == ["2", "20", "37"]


def test_files_that_are_no_specs(tmp_path: Path) -> None:
    path = tmp_path / "autoresearch.toml"
    with pytest.raises(SpecError, match=r"autoresearch.toml:1: there is no such file. Run `autoresearch init`"):
        load_spec(path)
    path.write_bytes(b"# ok\n\xff\xfe")
    with pytest.raises(SpecError, match=r"autoresearch.toml:2: the file is not UTF-8"):
        load_spec(path)
    path.write_bytes(b"#" * (1 << 21))
    with pytest.raises(SpecError, match="larger than 1 MiB"):
        load_spec(tmp_path)
    path.write_text("x = " + "[" * 5000 + "]" * 5000)
    with pytest.raises(SpecError):
        load_spec(path)
    path.write_text(GOOD)
    assert load_spec(tmp_path).study.name == "tinylm"


def test_the_program_file(tmp_path: Path) -> None:
    unnamed, named = (
        parse_spec(GOOD),
        parse_spec(GOOD.replace("[workspace]", 'program = "p.md"\n[workspace]'), "a.toml"),
    )
    assert program_text(unnamed, tmp_path) == ""
    with pytest.raises(SpecError, match=r"a.toml:4: study.program: there is no file 'p.md'"):
        program_text(named, tmp_path)
    (tmp_path / "p.md").write_text("go")
    assert program_text(named, tmp_path) == "go"
    (tmp_path / "p.md").write_bytes(b"\xff")
    with pytest.raises(SpecError, match="cannot be read as UTF-8"):
        program_text(named, tmp_path)


def test_a_fault_found_later_names_its_line() -> None:
    assert str(error_at(parse_spec(GOOD), "run.command", "there is no program 'python'.")) == (
        "autoresearch.toml:9: run.command: there is no program 'python'."
    )


def test_the_fingerprint_changes_with_what_measurements_depend_on_and_with_nothing_else() -> None:
    before = measurement_fingerprint_parts(parse_spec(GOOD))
    assert all(isinstance(json.loads(part), list | int | bool) for part in before.values())
    for old, new in [("train.py\"]\nbudget", "x.py\"]\nbudget"), ("20s cpu", "21s cpu"), ("small\" }", "big\" }"),
                     ("holdout/**", "h/**"), ("data/**", "d/**"), ('"minimize"', '"maximize"'), ("predict.py", "p.py"),
                     ('wall = "90s"', 'memory = "5GiB"'), ('wall = "90s"', "network = true")]:  # fmt: skip
        assert old in GOOD
        assert measurement_fingerprint_parts(parse_spec(GOOD.replace(old, new))) != before, new
    for old, new in [("hours = 8", "hours = 9"), ("tinylm", "other"), ('"0.5%"', '"0.6%"'), ('"10%"', '"12%"'),
                     ("[stop]", "[search]\nworkers = 3\n[stop]")]:  # fmt: skip
        assert old in GOOD
        assert measurement_fingerprint_parts(parse_spec(GOOD.replace(old, new))) == before, new


# ---------------------------------------------------------------- units


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("5m", 300), ("1h30m", 5400), ("1.5h", 5400), ("300", 300), (300, 300), (0.5, 0.5), ("500ms", 0.5),
     (" 2 min 5 sec ", 125), ("1d", 86400), ("1H", 3600)],
)  # fmt: skip
def test_durations(text: object, seconds: float) -> None:
    assert duration(text) == seconds
    assert span(text).clock is Clock.WALL


@pytest.mark.parametrize("text", ["", "s", "5", "-5s", "5 x", "1e3s", "inf", True, None, [], "5mm", "٣s", "9" * 200, 0])
def test_what_is_no_duration(text: object) -> None:
    if text == "5":
        assert duration(text) == 5
        return
    with pytest.raises(ValueError, match="is not a duration"):
        duration(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [("4GiB", 4 << 30), ("500MB", 500_000_000), ("4G", 4 << 30), ("1.5 kb", 1500), ("100", 100), (7, 7), ("12 B", 12)],
)
def test_sizes(text: object, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize("text", ["", "-1", "GiB", "4 GG", "iB", "4i", 0, True, 2.5, None, "1e9"])
def test_what_is_no_size(text: object) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        size(text)


@given(st.integers(1, 10**9))
def test_durations_and_sizes_are_written_as_they_are_read(number: int) -> None:
    assert duration(duration_text(number / 1000)) == pytest.approx(number / 1000, abs=1e-9)
    assert size(size_text(number)) == number
    assert str(span(f"{number % 10**6 + 1}s cpu")).endswith(" cpu")


@given(st.floats(0, 1e12), st.booleans())
def test_bounds_are_written_as_they_are_read(value: float, relative: bool) -> None:
    limit = Bound(value=value, relative=relative)
    again = bound(bound_text(limit))
    assert again.relative is relative
    assert again.value == pytest.approx(value, rel=1e-9, abs=1e-300)


@given(st.one_of(st.text(max_size=60), st.floats(), st.integers(), st.booleans(), st.none(), st.lists(st.integers())))
def test_units_refuse_or_read_anything(value: object) -> None:
    for read in (duration, span, size, bound):
        with suppress(ValueError):
            read(value)


# ---------------------------------------------------------------- globs


@pytest.mark.parametrize(
    ("one", "two", "met"),
    [("train.py", "train.py", True), ("train.py", "*.py", True), ("src/**", "src/a/b.c", True),
     ("src/*.c", "src/a/b.c", False),
     ("**/x.py", "a/b/x.py", True), ("a*", "*b", True), ("a*c", "b*", False), ("holdout", "holdout/x.npy", True),
     ("?.py", "ab.py", False), ("[ab].py", "a.py", True), ("*", "holdout/**", False), ("**", "holdout/**", True),
     ("./a.py", "a.py", True), ("a/**/z", "a/z", True), ("train.py", "score.py", False)],
)  # fmt: skip
def test_overlap(one: str, two: str, met: bool) -> None:
    assert overlap(one, two) is met
    assert overlap(two, one) is met


SEGMENT = st.text("ab*?", min_size=1, max_size=4)
GLOB = st.lists(st.one_of(SEGMENT, st.just("**")), min_size=1, max_size=4).map("/".join)


@given(GLOB, st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=4).map("/".join))
def test_a_glob_overlaps_a_path_as_shells_have_it(glob: str, path: str) -> None:
    assert overlap(glob, glob)
    if path == glob:
        assert overlap(glob, path)


@given(st.text(max_size=30))
def test_escapes_never_lets_out(glob: str) -> None:
    if not escapes(glob):
        assert not glob.startswith("/")
        assert ".." not in glob.split("/")


# ---------------------------------------------------------------- places, fuzz


def test_lines_of_dotted_keys_multi_line_strings_and_arrays_of_tables() -> None:
    text = 'a.b = 1\nc = """\n[no]\nx = 1 # no\n"""\n\n[[t]] # x\nk = [\n 1,\n]\n[[t]]\n[t.s]\n"q u" = \'#\'\n'
    assert lines(text) == {
        ("a",): 1, ("a", "b"): 1, ("c",): 2, ("t", 0): 7, ("t", 0, "k"): 8, ("t", 0, "k", 0): 8,
        ("t", 1): 11, ("t", 1, "s"): 12, ("t", 1, "s", "q u"): 13,
    }  # fmt: skip


LINE = st.one_of(
    st.sampled_from(GOOD.split("\n")),
    st.builds("{} = {}".format, st.sampled_from([key.split(".")[1] for key in all_keys()]), st.text(max_size=12)),
    st.text(max_size=20),
)


@given(st.lists(LINE, max_size=30))
def test_any_text_is_a_spec_or_a_spec_error(parts: list[str]) -> None:
    with suppress(SpecError):
        assert not list(problems(parse_spec("\n".join(parts))))


VALUE = st.recursive(
    st.one_of(
        st.integers(-9, 9),
        st.booleans(),
        st.sampled_from(["", "x", "3s", "4GiB", "5%", "score", "stdout"]).map(json.dumps),
    ),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(map(str, items)) + "]"),
    max_leaves=4,
)


@given(st.sampled_from(all_keys()), VALUE)
def test_any_value_of_any_key_is_read_or_refused(key: str, value: object) -> None:
    section, _, name = key.rpartition(".")
    head = f"[[{section}]]" if section in ("guard", "rung") else f"[{section}]"
    written = json.dumps(value) if isinstance(value, bool) else value
    with suppress(SpecError):
        parse_spec(f"{head}\n{name} = {written}\n")


# ---------------------------------------------------------------- writing, documentation

WORD = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12
)
ANSWERS = st.builds(
    Answers,
    name=st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True),
    goal=WORD,
    command=st.lists(WORD.filter(str.strip), min_size=1, max_size=3).map(tuple),
    metric=st.from_regex(r"[a-z_]{1,9}", fullmatch=True),
    direction=st.sampled_from(Direction),
    editable=st.lists(WORD.filter(lambda word: not escapes(word)), min_size=1, max_size=3).map(tuple),
    budget=st.integers(1, 10**6).map(lambda seconds: f"{seconds}s"),
    source=st.just(Source.STDOUT),
    inputs=st.lists(WORD.filter(lambda word: not escapes(word)), max_size=2).map(tuple),
    env=st.dictionaries(st.from_regex(r"[A-Z]{1,5}", fullmatch=True), WORD).map(lambda env: (*env.items(),)),
    memory=st.just("8GiB"),
    threads=st.one_of(st.none(), st.integers(0, 8)),
    trials=st.integers(1, 10**6),
    notes=st.lists(st.text(max_size=20), max_size=2).map(tuple),
)  # fmt: skip


@given(ANSWERS)
def test_what_init_writes_reads_back(answers: Answers) -> None:
    spec = parse_spec(render_toml(answers))
    assert (spec.study.name, spec.study.goal, spec.run.command) == (answers.name, answers.goal, answers.command)
    assert (spec.metric.name, spec.metric.direction) == (answers.metric, answers.direction)
    assert (spec.workspace.editable, spec.run.inputs) == (answers.editable, answers.inputs)
    assert str(spec.run.budget) == duration_text(duration(answers.budget))
    assert tuple(spec.run.env.items()) == answers.env
    assert (spec.run.threads, spec.run.memory, spec.stop.trials) == (answers.threads, 8 << 30, answers.trials)


def test_a_sealed_study_is_written_with_its_scorer() -> None:
    answers = Answers(
        name="a", command=("./a",), metric="m", direction=Direction.MAXIMIZE, editable=("a.c",), budget="20s cpu",
        source=Source.SCORE, scorer=("sh", "score.sh"), hidden=("score.sh",), researcher="command",
        researcher_command=("./propose",), program="plan.md",
    )  # fmt: skip
    spec = parse_spec(render_toml(answers))
    assert spec.score is not None
    assert spec.score.command == ("sh", "score.sh")
    assert spec.researcher.command == ("./propose",)
    assert (spec.study.program, spec.workspace.hidden) == ("plan.md", ("score.sh",))


def test_every_key_is_documented() -> None:
    page = DOCS.read_text()
    assert page.split(BEGIN)[1].split(END)[0].strip() == key_reference().strip(), (
        "docs/reference/spec.md is behind the schema; replace the part between its markers with "
        "autoresearch.spec.reference.refreshed(page)"
    )
    assert refreshed(page) == page
    for key in all_keys():
        assert f"| `{key.split('.')[1]}` |" in page


def test_the_example_in_the_documentation_is_a_spec() -> None:
    example = DOCS.read_text().split("```toml\n")[1].split("```")[0]
    assert parse_spec(example).study.name == "tinylm"


def test_a_researcher_of_ones_own_is_named_by_a_dotted_path() -> None:
    text = GOOD.replace("[stop]", '[researcher]\nkind = "package.module:factory"\n[stop]', 1)
    assert parse_spec(text).researcher.kind == "package.module:factory"
