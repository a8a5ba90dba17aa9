"""The template `tinylm`: trains, answers in lock step, is scored, and every broken rule is refused by name."""

import json
import os
import re
import select
import shutil
import subprocess
import sys
import textwrap
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autoresearch.templates

TEMPLATE = Path(autoresearch.templates.__file__).parent / "tinylm"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
BUDGET = "0.7 cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What the scorer left: its result, or the reason why there is none."""

    status: int
    result: dict[str, Any]
    reason: str


def environment(**extra: str) -> dict[str, str]:
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return keep | ONE_THREAD | extra


def run_training(folder: Path, seed: int = 1, budget: str = BUDGET) -> subprocess.CompletedProcess[str]:
    surroundings = environment(
        AUTORESEARCH_SEED=str(seed),
        AUTORESEARCH_BUDGET=budget,
        AUTORESEARCH_OUT=str(folder / "out"),
        AUTORESEARCH_METRICS=str(folder / "metrics.jsonl"),
    )
    return subprocess.run(
        [sys.executable, "train.py"], cwd=folder, env=surroundings, capture_output=True, text=True, timeout=60
    )


def start_predict(folder: Path, artifacts: Path) -> tuple[subprocess.Popen[bytes], int, int]:
    """Start one predict process as a controller does; return it and the scorer's ends of its two pipes."""
    from_scorer, to_predict = os.pipe()
    from_predict, to_scorer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "predict.py"],
        cwd=folder,
        env=environment(AUTORESEARCH_ARTIFACTS=str(artifacts)),
        stdin=from_scorer,
        stdout=to_scorer,
        stderr=subprocess.PIPE,
    )
    os.close(from_scorer)
    os.close(to_scorer)
    return process, to_predict, from_predict


def start_scorer(pipes: dict[str, list[int]]) -> tuple[subprocess.Popen[bytes], int]:
    """Start the template's own score.py on its ends of the pipes, which are closed here; return it and its channel."""
    channel, result = os.pipe()
    handed = [result, *(fd for pair in pipes.values() for fd in pair)]
    scorer = subprocess.Popen(
        [sys.executable, "score.py"],
        cwd=TEMPLATE,
        env=environment(AUTORESEARCH_RESULT_FD=str(result), PYTHONDONTWRITEBYTECODE="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=handed,
    )
    for fd in handed:
        os.close(fd)
    assert scorer.stdin is not None
    request = {"artifacts": "out", "seed": 1, "rung": "full", "splits": list(pipes), "predict": pipes}
    scorer.stdin.write(json.dumps(request).encode())
    scorer.stdin.close()
    scorer.stdin = None
    return scorer, channel


def finish(scorer: subprocess.Popen[bytes], channel: int) -> Scored:
    _, errors = scorer.communicate(timeout=60)
    with os.fdopen(channel) as source:
        text = source.read()
    return Scored(status=scorer.returncode, result=json.loads(text) if text else {}, reason=errors.decode().strip())


def score(folder: Path, artifacts: Path, splits: tuple[str, ...] = ("validation",)) -> Scored:
    """Score what `folder` predicts from `artifacts`, one fresh predict process per split."""
    predictors = {split: start_predict(folder, artifacts) for split in splits}
    scored = finish(*start_scorer({split: [ask, answer] for split, (_, ask, answer) in predictors.items()}))
    for process, _, _ in predictors.values():
        process.communicate(timeout=10)
    return scored


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the template after one short training run."""
    folder = tmp_path_factory.mktemp("tinylm") / "repo"
    shutil.copytree(TEMPLATE, folder, ignore=shutil.ignore_patterns("__pycache__", "score.py"))
    done = run_training(folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def prepare() -> dict[str, Any]:
    return load_source("prepare.py")


def load_source(name: str) -> dict[str, Any]:
    """Run a file of the template that imports nothing of its own; return its names."""
    names: dict[str, Any] = {"__name__": name.removesuffix(".py"), "__file__": str(TEMPLATE / name)}
    exec(compile((TEMPLATE / name).read_text(), name, "exec"), names)
    return names


def variant(trained: Path, folder: Path, ending: str) -> Path:
    """A copy of the trained repository whose train.py ends with other code for scoring."""
    shutil.copytree(trained, folder, ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "train.py").open("a") as source:
        source.write("\n" + textwrap.dedent(ending))
    return folder


# ---- training ---------------------------------------------------------------------------------------------------


def test_a_run_leaves_weights_without_pickle_and_a_metric_stream(trained: Path) -> None:
    with np.load(trained / "out" / "weights.npz", allow_pickle=False) as saved:
        weights = {name: saved[name] for name in saved.files}
    assert set(weights) == {"embed", "w1", "b1", "w2", "b2"}
    assert all(weight.dtype == np.float32 and np.isfinite(weight).all() for weight in weights.values())
    points = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert points, "a run of half a second passes the first 50 steps"
    assert all(set(point) == {"step", "name", "value"} and point["name"] == "train_loss" for point in points)
    assert points[-1]["value"] < points[0]["value"] < 9


def test_the_budget_is_kept_and_the_default_surroundings_suffice(tmp_path: Path) -> None:
    for name in ("train.py", "prepare.py"):
        shutil.copy(TEMPLATE / name, tmp_path / name)
    done = subprocess.run(
        [sys.executable, "train.py"],
        cwd=tmp_path,
        env=environment(AUTORESEARCH_BUDGET="0.8 wall"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "weights.npz").is_file()
    spent = re.search(r"after ([\d.]+) CPU-seconds", done.stdout)
    assert spent is not None
    assert float(spent[1]) < 1.6


def test_divergence_is_an_error_with_a_message(tmp_path: Path) -> None:
    shutil.copy(TEMPLATE / "prepare.py", tmp_path)
    source = (TEMPLATE / "train.py").read_text()
    changed = re.sub(r"(?m)^LEARNING_RATE = \S+", "LEARNING_RATE = float('nan')", source)
    (tmp_path / "train.py").write_text(changed)
    done = run_training(tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("diverged: the loss is nan at step 1; a lower LEARNING_RATE may help")
    assert not (tmp_path / "out" / "weights.npz").exists()


def test_the_gradient_is_the_slope_of_the_loss(trained: Path, tmp_path: Path) -> None:
    """Finite differences in double precision, for both activations, with and without the direct connection."""
    check = """
        import itertools, numpy as np, train
        rng = np.random.default_rng(0)
        context, target = rng.integers(0, 256, (5, train.CONTEXT)), rng.integers(0, 256, 5)
        for train.ACTIVATION, train.SKIP in itertools.product(("tanh", "relu"), (False, True)):
            flat = train.initial_weights(rng).astype(np.float64)
            slope, scratch = np.zeros_like(flat), np.zeros_like(flat)
            train.backward(train.split(flat), train.split(slope), context, target)
            for i in rng.choice(np.flatnonzero(slope), 40, replace=False):
                loss = []
                for step in (1e-5, -1e-5):
                    moved = flat.copy(); moved[i] += step
                    loss.append(train.backward(train.split(moved), train.split(scratch), context, target))
                assert abs((loss[0] - loss[1]) / 2e-5 - slope[i]) < 1e-6 + 1e-4 * abs(slope[i]), (i, train.ACTIVATION)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(check)], cwd=trained, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_constants_are_plain_top_level_literals() -> None:
    lines = (TEMPLATE / "train.py").read_text().splitlines()
    constants = [line for line in lines if re.match(r"[A-Z0-9_]+ = ", line) and not line.startswith("BYTES")]
    assert len(constants) >= 12
    for line in constants:
        assert re.fullmatch(r'[A-Z0-9_]+ = ("\w+"|True|False|[-\d.e]+)  # \S.*', line), line


# ---- text -------------------------------------------------------------------------------------------------------


def test_the_hidden_list_masks_exactly_the_held_out_modules(prepare: dict[str, Any]) -> None:
    spec = tomllib.loads((TEMPLATE / "autoresearch.toml").read_text())
    masked = [entry for entry in spec["workspace"]["hidden"] if entry.startswith("{stdlib}/")]
    assert masked == [f"{{stdlib}}/{name}" for name in prepare["HELD_OUT"]]
    assert "score.py" in spec["workspace"]["hidden"]
    assert not set(prepare["VALIDATION"]) & set(prepare["HOLDOUT"])


def test_every_held_out_module_exists_here(prepare: dict[str, Any]) -> None:
    assert [name for name in prepare["HELD_OUT"] if not (prepare["LIBRARY"] / name).is_file()] == []


def test_training_text_holds_nothing_of_the_held_out_text(prepare: dict[str, Any]) -> None:
    """No held-out file is read, and no passage that is scored was copied into another module (idioms aside)."""
    training = prepare["training_text"]().tobytes()
    read = {path.relative_to(prepare["LIBRARY"]).as_posix() for path in prepare["_training_files"]()}
    assert len(read) > 300
    assert not read & set(prepare["HELD_OUT"])
    for modules in (prepare["VALIDATION"], prepare["HOLDOUT"]):
        passages = prepare["held_out"](modules).reshape(-1, 64)
        copied = [passage.tobytes() for passage in passages if passage.tobytes() in training]
        assert len(copied) <= len(passages) // 100, copied


def test_hidden_files_found_empty_leave_the_training_text_as_it_is(prepare: dict[str, Any], tmp_path: Path) -> None:
    """In a sandbox the held-out modules are empty; what the run trains on is still what the scorer names."""
    library = tmp_path / "library"
    kept = [*prepare["_training_files"]()[:5], *(prepare["LIBRARY"] / name for name in prepare["HELD_OUT"])]
    for path in kept:
        copy = library / path.relative_to(prepare["LIBRARY"])
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    names = load_source("prepare.py")
    names["LIBRARY"] = library
    seen = names["digest"](names["training_text"]())
    assert names["held_out"](names["VALIDATION"]).size
    for name in names["HELD_OUT"]:
        (library / name).write_bytes(b"")
    assert names["digest"](names["training_text"]()) == seen
    with pytest.raises(ValueError, match=r"masked\?"):
        names["held_out"](names["VALIDATION"])


def test_pieces_never_change_and_skip_what_is_absent(prepare: dict[str, Any]) -> None:
    held_out, modules = prepare["held_out"], prepare["VALIDATION"]
    pieces = held_out(modules)
    assert pieces.shape == (prepare["STREAMS"], prepare["LENGTH"])
    assert prepare["digest"](pieces) == prepare["digest"](held_out([*modules, "no_such_module.py"]))


def test_pieces_are_disjoint_and_begin_lines(tmp_path: Path) -> None:
    names = load_source("prepare.py")
    names["LIBRARY"] = tmp_path
    for part in range(4):  # numbered lines: where a piece was cut can be read off it
        lines = "".join(f"{i:06} {'.' * (i % 61)}\n" for i in range(part * 1000, part * 1000 + 1000))
        (tmp_path / f"m{part}.py").write_text("#!/usr/bin/python\n# A licence.\n\n" + lines)
    pieces = names["held_out"](f"m{part}.py" for part in range(4))
    first = [int(piece.tobytes().split()[0]) for piece in pieces]
    last = [int(piece.tobytes().split(b"\n")[-1][:6] or 0) for piece in pieces]
    assert first[0] == 1, "the leading comments are not part of the text, nor is what stands before the first new line"
    assert all(end <= start for end, start in zip(last[:-1], first[1:], strict=True))


def test_masked_modules_are_an_error_and_not_a_shorter_text(prepare: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"held-out text: 0 bytes .* masked\?"):
        prepare["held_out"](["no_such_module.py"])


def test_neither_training_nor_prediction_imports_a_held_out_module(
    trained: Path, prepare: dict[str, Any], tmp_path: Path
) -> None:
    """The modules are masked in the sandbox: an import would find them empty."""
    code = """
        import sys, predict, train
        train.main()
        train.advance(model := train.load(train.Path("out")), train.start(model, 3), None)
        print(*sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=variant(trained, tmp_path / "repo", ""),
        env=environment(AUTORESEARCH_BUDGET="0.3 cpu"),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert {"train", "prepare", "numpy"} <= loaded
    assert not loaded & {name.removesuffix(".py").replace("/", ".") for name in prepare["HELD_OUT"]}


# ---- scoring ----------------------------------------------------------------------------------------------------


def test_the_score_is_plausible_repeats_exactly_and_names_its_text(trained: Path, prepare: dict[str, Any]) -> None:
    first = score(trained, trained / "out", ("validation", "holdout"))
    second = score(trained, trained / "out")
    assert (first.status, first.reason) == (0, "")
    bpb, holdout = first.result["metrics"]["val_bpb"], first.result["holdout"]["val_bpb"]
    assert 2.3 < bpb < 5
    assert 2.3 < holdout < 5
    assert bpb != holdout
    assert second.result["metrics"] == first.result["metrics"]
    assert "holdout" not in second.result
    notes = first.result["notes"]
    assert notes["corpus_validation"] == prepare["digest"](prepare["held_out"](prepare["VALIDATION"]))
    assert notes["corpus_training"] == prepare["digest"](prepare["training_text"]())
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", notes["corpus"])
    assert notes["bytes_per_split"] == prepare["STREAMS"] * prepare["LENGTH"]


def test_a_model_that_knows_nothing_scores_eight_bits(trained: Path, tmp_path: Path) -> None:
    ending = """
        print("this line, printed on import, must not reach the scorer")
        os.write(1, b"nor this one")
        def advance(model, state, tokens):
            print("nor this", flush=True)
            return np.full((len(state), 256), -np.log(256.0))
    """
    scored = score(variant(trained, tmp_path / "repo", ending), trained / "out")
    assert scored.result["metrics"]["val_bpb"] == pytest.approx(8.0, abs=1e-5)


def test_nothing_is_gained_by_using_up_the_tolerance(trained: Path, tmp_path: Path) -> None:
    ending = "def advance(model, state, tokens): return np.full((len(state), 256), -np.log(256.0) + 9e-4)"
    scored = score(variant(trained, tmp_path / "repo", ending), trained / "out")
    assert scored.result["metrics"]["val_bpb"] == pytest.approx(8.0, abs=1e-5)


REFUSALS = {  # name: (what `advance` does, the rule that is named, more of the reason)
    "sums to 277": ("return even + np.log(277)", "normalisation", "of byte 0 in stream 0 sum to 277"),
    "sums to one half": ("return even - np.log(2)", "normalisation", "of byte 0 in stream 0 sum to 0.5"),
    "sums to zero": ("return even - np.inf", "normalisation", "of byte 0 in stream 0 sum to 0"),
    "one bad row": ("even[7] += 1; return even", "normalisation", "of byte 0 in stream 7 sum to 2.718"),
    "NaN": ("return even + np.nan", "finite", "NaN or infinity among the log-probabilities of byte 0"),
    "infinite": ("return even + np.inf", "finite", "NaN or infinity among the log-probabilities of byte 0"),
    "certain and wrong": ("even[:] = -np.inf; even[:, 0] = 0; return even", "support", "was given probability 0"),
    "too narrow": ("return even[:, :10]", "coverage", "the model ended after 0 of"),
    "dies half-way": ("return even if tokens is None else os._exit(0)", "coverage", "ended after 1 of"),
    "a short answer": ("return even if tokens is None else half_an_answer()", "coverage", "ended after 1 of"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_broken_rule_is_refused_by_name(name: str, trained: Path, tmp_path: Path) -> None:
    body, rule, detail = REFUSALS[name]
    ending = f"""
        def half_an_answer():
            for fd in range(3, 20):
                try:
                    os.write(fd, bytes(1000))
                except OSError:
                    pass
            os._exit(0)

        def advance(model, state, tokens):
            even = np.full((len(state), 256), -np.log(256.0))
            {body}
    """
    scored = score(variant(trained, tmp_path / "repo", ending), trained / "out")
    assert (scored.status, scored.result) == (1, {})
    assert scored.reason.startswith(f"score.py: {rule}: "), scored.reason
    assert detail in scored.reason
    assert len(scored.reason.splitlines()) == 1


def test_looking_ahead_is_impossible_and_the_arithmetic_is_right(prepare: dict[str, Any]) -> None:
    """We are the model here: nothing arrives before the answer that it must not influence has left."""
    text, rng = prepare["held_out"](prepare["VALIDATION"]), np.random.default_rng(3)
    streams, length = text.shape
    we_read, ask = os.pipe()
    answer, we_write = os.pipe()
    scorer, result = start_scorer({"validation": [ask, answer]})
    expected = 0.0
    with os.fdopen(we_read, "rb", buffering=0) as questions, os.fdopen(we_write, "wb") as answers:
        assert questions.read(12) == b"LOCKSTEP" + streams.to_bytes(4, "little")
        for position in range(length):
            assert select.select([questions], [], [], 0.02 if position < 3 else 0)[0] == []
            logits = rng.standard_normal((streams, 256))
            logp = (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype("<f4")
            answers.write(logp.tobytes())
            answers.flush()
            expected -= logp[np.arange(streams), text[:, position]].sum(dtype=float) / np.log(2)
            received = questions.read(streams)  # from a pipe: what is there, once the scorer wrote or closed
            assert received == (text[:, position].tobytes() if position + 1 < length else b"")
    scored = finish(scorer, result)
    assert scored.result["metrics"]["val_bpb"] == pytest.approx(expected / text.size, rel=1e-6)


def test_a_pickle_among_the_weights_is_refused(trained: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "weights.npz", embed=np.array([Path], dtype=object))
    scored = score(trained, tmp_path)
    assert (scored.status, scored.result) == (1, {})
    assert scored.reason.startswith("score.py: coverage: the model ended after 0 of")
