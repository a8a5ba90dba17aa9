"""Whole studies of programs that are not Python: built, timed and verified by their own means, confirmed, applied."""

import json
import shutil
from pathlib import Path

import pytest

from tests.toys import Toy, repository

pytestmark = pytest.mark.sandbox

SPEC = """\
[study]
name = "{name}"

[workspace]
editable = ["{editable}"]
hidden = ["score.sh"]

[run]
command = ["sh", "run.sh"]
budget = "20s"

[metric]
name = "{metric}"
direction = "minimize"
min_effect = "1%"

[score]
command = ["sh", "score.sh"]

[researcher]
kind = "{researcher}"
{script}

[stop]
trials = {trials}
"""
FIELD = """\
artifacts=$(sed 's/.*"artifacts": *"\\([^"]*\\)".*/\\1/')
"""
"""Shell that takes the artifacts' place out of the document on standard input: no JSON tool is needed."""

# ---- a C program: sorts numbers by insertion below THRESHOLD and by merging above; counts its own steps

SORT = """\
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THRESHOLD 512
#define COUNT 20000

static long steps;

static void insertion(int *a, int n) {
    for (int i = 1; i < n; i++) {
        int x = a[i], j = i;
        while (j > 0 && a[j - 1] > x) {
            a[j] = a[j - 1];
            j--;
            steps++;
        }
        a[j] = x;
        steps++;
    }
}

static void sort(int *a, int *space, int n) {
    if (n <= THRESHOLD) {
        insertion(a, n);
        return;
    }
    int half = n / 2, i = 0, j = half, k = 0;
    sort(a, space, half);
    sort(a + half, space, n - half);
    memcpy(space, a, n * sizeof *a);
    while (k < n) {
        a[k++] = j >= n || (i < half && space[i] <= space[j]) ? space[i++] : space[j++];
        steps += 6;
    }
}

int main(int argc, char **argv) {
    static int a[COUNT], space[COUNT];
    srand(atoi(argv[1]));
    for (int i = 0; i < COUNT; i++) a[i] = rand();
    sort(a, space, COUNT);
    for (int i = 0; i < COUNT; i++) printf("%d\\n", a[i]);
    fprintf(stderr, "%ld\\n", steps);
    return argc != 2;
}
"""
BUILD = """\
set -e
cc -O1 -o sort sort.c
./sort "$AUTORESEARCH_SEED" > "$AUTORESEARCH_OUT/sorted" 2> "$AUTORESEARCH_OUT/steps"
"""
SCORE_SORT = (
    FIELD
    + """\
test "$(wc -l < "$artifacts/sorted")" -eq 20000 || { echo "not all numbers are there" >&2; exit 1; }
sort -nc "$artifacts/sorted" || { echo "the numbers are not sorted" >&2; exit 1; }
printf '{"metrics": {"steps": %s}}' "$(cat "$artifacts/steps")" > "/proc/self/fd/$AUTORESEARCH_RESULT_FD"
"""
)
EDITS = [
    {"hypothesis": "small blocks", "file": "sort.c", "find": "THRESHOLD 512", "replace": "THRESHOLD 16"},
    {"hypothesis": "no sorting", "file": "sort.c", "find": "    sort(a, space, COUNT);\n", "replace": ""},
    {"hypothesis": "does not compile", "file": "sort.c", "find": "static long steps;", "replace": ""},
    {"hypothesis": "large blocks", "file": "sort.c", "find": "THRESHOLD 16", "replace": "THRESHOLD 4096"},
]


def c_study(path: Path) -> Toy:
    spec = SPEC.format(
        name="sort", editable="sort.c", metric="steps", researcher="scripted", script='script = "edits.json"', trials=4
    )
    files = {"sort.c": SORT, "run.sh": BUILD, "score.sh": SCORE_SORT, "autoresearch.toml": spec}
    return repository(path, {**files, "edits.json": json.dumps(EDITS)})


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_a_c_program_is_improved_and_verified(tmp_path: Path) -> None:
    study = c_study(tmp_path / "study")
    done = study.program("run", "--seed", "4")
    assert done.returncode == 0, done.stderr
    rows = {row["number"]: row for row in study.json("log", "--all")["trials"]}
    assert [rows[number]["state"] for number in (1, 2, 3, 4)] == ["kept", "crashed", "crashed", "discarded"]
    assert "not sorted" in rows[2]["reason"]
    assert "exit status 1" in rows[3]["reason"]
    assert rows[1]["standing"] == "confirmed"
    assert study.program("apply").returncode == 0
    assert "THRESHOLD 16" in study.git("show", "autoresearch/sort:sort.c")
    assert study.program("doctor").returncode == 0


# ---- a shell program: its metric is the time it takes itself, so it is noisy

SHELL = """\
STEP=1
count=0
while [ "$count" -lt 200000 ]; do
    count=$((count + STEP))
done
echo "$count" > "$AUTORESEARCH_OUT/count"
times > "$AUTORESEARCH_OUT/times"
"""
SCORE_SHELL = (
    FIELD
    + """\
test "$(cat "$artifacts/count")" = 200000 || { echo "it did not count to 200000" >&2; exit 1; }
seconds=$(sed -n '1s/0m\\([0-9.]*\\)s .*/\\1/p' "$artifacts/times")
printf '{"metrics": {"seconds": %s}}' "$seconds" > "/proc/self/fd/$AUTORESEARCH_RESULT_FD"
"""
)


def test_a_shell_program_is_made_faster_by_random_variation(tmp_path: Path) -> None:
    """The researcher knows no language: it varies numbers in a text file; what breaks the count is refused."""
    spec = SPEC.format(
        name="count", editable="count.sh", metric="seconds", researcher="scripted", script='script = "e.json"', trials=3
    )
    edits = [
        {"hypothesis": "count by tens", "file": "count.sh", "find": "STEP=1", "replace": "STEP=10"},
        {"hypothesis": "count past the end", "file": "count.sh", "find": "STEP=10", "replace": "STEP=19999"},
        {"hypothesis": "count by one again", "file": "count.sh", "find": "STEP=10", "replace": "STEP=1"},
    ]
    run = 'exec sh count.sh "$AUTORESEARCH_SEED"\n'
    files = {"count.sh": SHELL, "run.sh": run, "score.sh": SCORE_SHELL, "autoresearch.toml": spec}
    study = repository(tmp_path / "study", {**files, "e.json": json.dumps(edits)})
    done = study.program("run", "--seed", "4")
    assert done.returncode == 0, done.stderr
    rows = {row["number"]: row for row in study.json("log", "--all")["trials"]}
    assert [rows[number]["state"] for number in (1, 2)] == ["kept", "crashed"]
    assert rows[3]["state"] in ("vetoed", "discarded")
    assert rows[1]["standing"] == "confirmed"
    assert "200000" in rows[2]["reason"]
