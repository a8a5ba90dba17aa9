"""`tune`: progress under noise, sparse and new moves, the same proposal from the same record."""

import math
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.adapters.researchers.conftest import Folder, brief

from autoresearch.adapters.researchers.constants import constants, settings
from autoresearch.adapters.researchers.past import gather
from autoresearch.adapters.researchers.tune import Tune
from autoresearch.domain.brief import FITTED, PastTrial
from autoresearch.domain.errors import UsageError
from autoresearch.domain.model import Move, Setting, TrialState

Make = Callable[..., Folder]


def loss(settings: tuple[Setting, ...]) -> float:
    """A smooth loss with its optimum away from the base."""
    found = {each.name.partition(":")[2]: float(each.value) for each in settings if not isinstance(each.value, str)}
    act = {each.name.partition(":")[2]: each.value for each in settings}["ACT"]
    total = (math.log(found["LR"] / 4e-3)) ** 2 + 0.3 * (math.log2(found["WIDTH"] / 256)) ** 2
    total += 0.05 * (found["DEPTH"] - 6) ** 2 + 20 * (found["DROPOUT"] - 0.03) ** 2 + (0.0 if found["BIAS"] else 0.1)
    return total + 5 * (found["DECAY"] - 0.1) ** 2 + (0.0 if act == "gelu" else 0.2)


def play(make: Make, trials: int, seed: int = 0, sampler: str = "surrogate") -> tuple[float, list[PastTrial], Folder]:
    """A ratchet on the loss: what is left of it in the end, the record, the incumbent's workspace."""
    rng, incumbent, parent = random.Random(seed), make(), 0
    history: list[PastTrial] = []
    tune = Tune(sampler=sampler)
    best = loss(settings(incumbent, ("train.py",)))
    for number in range(1, trials + 1):
        workspace = make(incumbent.read("train.py"))
        told = brief(number, history=tuple(history[-FITTED:]), parent=parent, seed=seed * 1000 + number, noise=0.05)
        proposal = tune.propose(told, workspace)
        assert proposal.settings == settings(workspace, ("train.py",))
        after = loss(proposal.settings)
        effect = best - after + rng.gauss(0, 0.05)
        kept = effect > 0.05
        state = TrialState.KEPT if kept else TrialState.DISCARDED
        history.append(
            PastTrial(
                number=number, parent=parent, state=state, effect=effect, settings=proposal.settings, researcher="tune"
            )
        )
        if kept:
            incumbent, parent, best = workspace, number, after
    return best, history, incumbent


@pytest.mark.parametrize(("sampler", "share"), [("surrogate", 0.25), ("tpe", 0.8)])
def test_most_of_the_loss_is_gone_after_forty_trials(folder: Make, sampler: str, share: float) -> None:
    start = loss(settings(folder(), ("train.py",)))
    left = [play(folder, 40, seed, sampler)[0] for seed in (1, 2, 3)]
    assert sum(left) / 3 < share * start


def test_each_trial_moves_few_constants_and_none_repeats(folder: Make) -> None:
    _, history, _ = play(folder, 60)
    base = settings(folder(), ("train.py",))
    by_number = {0: base} | {each.number: each.settings for each in history}
    for each in history:
        moved = sum(one != other for one, other in zip(each.settings, by_number[each.parent], strict=True))
        assert 1 <= moved <= 3
        assert each.number
    assert len({each.settings for each in history} | {base}) == 61


@pytest.mark.parametrize("sampler", ["surrogate", "tpe"])
def test_the_same_record_and_seed_give_the_same_proposal(folder: Make, sampler: str) -> None:
    _, history, incumbent = play(folder, 25, sampler=sampler)
    parent = max([each.number for each in history if each.state is TrialState.KEPT], default=0)
    told = brief(26, history=tuple(history), parent=parent)
    warm = Tune(sampler=sampler)
    for trial in (24, 25):
        warm.propose(brief(trial, history=tuple(history[:trial]), parent=parent), folder(incumbent.read("train.py")))
    first, second = folder(incumbent.read("train.py")), folder(incumbent.read("train.py"))
    assert warm.propose(told, first) == Tune(sampler=sampler).propose(told, second)
    assert first.read("train.py") == second.read("train.py")
    third = folder(incumbent.read("train.py"))
    assert Tune(sampler=sampler).propose(replace(told, seed=5), third).settings != settings(first, ("train.py",))


def test_the_hypothesis_names_what_moved(folder: Make) -> None:
    workspace = folder("LR = 0.001\n")
    proposal = Tune().propose(brief(), workspace)
    assert proposal.hypothesis.startswith("LR 0.001 → ")
    assert workspace.read("train.py") == f"LR = {proposal.hypothesis.partition('→ ')[2]}\n"


def test_without_constants_it_says_what_to_do(folder: Make) -> None:
    assert "write numbers" in Tune().propose(brief(), folder("print(1)\n")).empty
    assert "researcher.constants" in Tune(constants=("NOPE",)).propose(brief(), folder()).empty


def test_only_the_named_constants_move(folder: Make) -> None:
    tune = Tune(constants=("LR", "train.py:DEPTH"))
    for trial in range(1, 10):
        words = tune.propose(brief(trial), folder()).hypothesis.split()
        assert {words[0], words[4] if len(words) > 4 else "LR"} <= {"LR", "DEPTH"}


def test_a_used_up_space_proposes_nothing(folder: Make) -> None:
    history = tuple(_past(number, flag) for number, flag in enumerate((True, False), 1))
    proposal = Tune().propose(brief(3, history=history), folder("FLAG = True\n"))
    assert "was tried" in proposal.empty


def test_files_outside_editable_stay(folder: Make) -> None:
    workspace = folder(other_dot_py="LR = 3\n")
    for trial in range(1, 6):
        Tune().propose(brief(trial), workspace)
    assert workspace.read("other.py") == "LR = 3\n"


def test_crashes_keep_it_away(folder: Make) -> None:
    text = "LR = 1.0\nOTHER = 1.0\n"
    history = tuple(
        PastTrial(
            number=number, parent=0, state=TrialState.CRASHED,
            settings=(Setting(name="train.py:LR", value=1.0 + number), Setting(name="train.py:OTHER", value=1.0)),
        )
        for number in range(1, 7)
    )  # fmt: skip
    moved = [Tune().propose(brief(7, history=history, seed=seed), folder(text)).settings[0].value for seed in range(12)]
    assert sum(float(value) > 1.0 for value in moved) <= 2


@pytest.mark.parametrize("value", [0.0, math.inf, -1e300])
def test_odd_effects_and_no_noise_do_no_harm(folder: Make, value: float) -> None:
    history = tuple(replace(_past(number, True, 1.0 + number), effect=value) for number in range(1, 9))
    for noise in (None, 0.0, 0.1):
        proposal = Tune().propose(brief(9, history=history, noise=noise), folder("FLAG = False\nLR = 1.0\n"))
        assert proposal.hypothesis


def test_what_is_fitted_is_bounded(folder: Make) -> None:
    history = tuple(_past(number, True, 1.0 + number / 1000) for number in range(1, 301))
    late = Tune(window=5).propose(brief(301, history=history), folder("FLAG = False\nLR = 1.0\n"))
    changed = tuple(replace(each, effect=9.0) for each in history[:290]) + history[290:]
    assert Tune(window=5).propose(brief(301, history=changed), folder("FLAG = False\nLR = 1.0\n")) == late


def test_a_bold_move_changes_more(folder: Make) -> None:
    def sizes(move: Move) -> int:
        return sum(len(Tune().propose(brief(n, move=move), folder()).hypothesis.split(", ")) for n in range(1, 15))

    assert sizes(Move.WILD) > sizes(Move.EXPLOIT)


def test_an_unknown_sampler_is_refused() -> None:
    with pytest.raises(UsageError, match="surrogate, tpe"):
        Tune(sampler="magic")


def test_what_others_changed_says_less(folder: Make) -> None:
    """A trial by a coding agent changed more than constants: its effect moves the beliefs less."""
    history = tuple(replace(_past(number, True, 1.0 + number), effect=1.0) for number in range(1, 9))
    foreign = tuple(replace(each, researcher="claude") for each in history)
    text = "FLAG = False\nLR = 1.0\nOTHER = 1.0\nMORE = 2.0\n"
    draws = [
        [Tune().propose(brief(9, history=each, seed=seed), folder(text)).hypothesis for seed in range(12)]
        for each in (history, foreign)
    ]
    assert draws[0] != draws[1]


def test_settings_of_an_unrecorded_parent_are_inferred(folder: Make) -> None:
    """The base's settings stand in no trial; after three children of it they are known all the same."""
    children = tuple(replace(_past(number, False, 1.0 + number), effect=-1.0) for number in range(1, 4))
    found = constants(folder("FLAG = True\nLR = 4.0\n"), ("train.py",))
    told = brief(5, history=(*children, replace(_past(4, True, 4.0), state=TrialState.KEPT)), parent=4)
    past = gather(told, found, (), 200)
    assert past.base["train.py:FLAG"] is False
    assert [parent["train.py:FLAG"] for _, _, parent in past.trials] == [False] * 4


def _past(number: int, flag: bool, rate: float | None = None) -> PastTrial:
    settings = [Setting(name="train.py:FLAG", value=flag)]
    if rate is not None:
        settings.append(Setting(name="train.py:LR", value=rate))
    return PastTrial(
        number=number, parent=0, state=TrialState.DISCARDED, effect=0.1 * (number % 3), settings=tuple(settings)
    )
