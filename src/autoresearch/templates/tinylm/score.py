"""Computes bits per byte from a model's full distributions. This is the trusted side; no code under trial runs here.

The rule: the number comes from our own text, our own count of bytes and our own arithmetic. The model is a process
behind two pipes (predict.py describes the exchange). It receives a byte only after its distribution for that byte has
arrived, so it cannot look ahead; every distribution must be complete and sum to one; the entry of the true byte is
picked here; every byte of every stream counts, the first ones too.

A JSON document on standard input names the splits and, for each, the pipes to a fresh predict process:
`{"splits": ["validation"], "predict": {"validation": [write_fd, read_fd]}, ...}`. The result goes as JSON to the
descriptor in AUTORESEARCH_RESULT_FD; standard output is a log. A model that breaks a rule gets no number: one line on
standard error names the rule, and the exit status is 1. Time is not watched here but by whoever started us.
"""

import hashlib
import json
import os
import platform
import struct
import sys

import numpy as np
import prepare

MAGIC = b"LOCKSTEP"
TOLERANCE = 1e-3  # how far the logarithm of a distribution's sum may lie from 0: room for float32 rounding, no more
SPLITS = {"validation": prepare.VALIDATION, "holdout": prepare.HOLDOUT}


class Refused(Exception):
    """The model broke a rule, which the message names first."""


def bits_per_byte(text: np.ndarray, ask: int, answer: int) -> float:
    """Return the mean of -log2 p(true byte) over all of `text`, uint8 (streams, length).

    `ask` and `answer` are the descriptors that lead to and from the model. Raises Refused.
    """
    streams, length = text.shape
    distributions = np.empty((streams, 256), dtype="<f4")
    bits = 0.0
    with os.fdopen(ask, "wb", buffering=0) as questions, os.fdopen(answer, "rb") as answers:
        for position in range(length):
            message = text[:, position - 1].tobytes() if position else MAGIC + struct.pack("<I", streams)
            try:
                questions.write(message)
            except BrokenPipeError:
                raise Refused(f"coverage: the model ended after {position} of {length} bytes per stream") from None
            received = answers.readinto(distributions.data.cast("B"))
            if received < distributions.nbytes:
                where = f"{position} of {length} bytes per stream"
                raise Refused(f"coverage: the model ended after {where} ({received} bytes of the next answer)")
            bits += step_bits(distributions, text[:, position], position)
    return bits / text.size


def step_bits(distributions: np.ndarray, truth: np.ndarray, position: int) -> float:
    """Return the bits that one byte of every stream costs: log-probabilities (streams, 256), true bytes (streams,).

    A sum within the tolerance is divided out, so that nothing is gained by using the tolerance. Raises Refused.
    """
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        sums = np.exp(distributions).sum(axis=1)
        log_sums = np.log(sums)
    if not np.isfinite(sums).all():
        raise Refused(f"finite: NaN or infinity among the log-probabilities of byte {position}")
    worst = int(np.abs(log_sums).argmax())
    if abs(log_sums[worst]) > TOLERANCE:
        raise Refused(f"normalisation: the probabilities of byte {position} in stream {worst} sum to {sums[worst]:.6g}")
    nats = log_sums - distributions[np.arange(len(truth)), truth]
    if not np.isfinite(nats).all():
        raise Refused(
            f"support: a byte that does occur was given probability 0 (byte {position}): infinitely many bits"
        )
    return float(nats.sum(dtype=np.float64)) / float(np.log(2.0))


def corpus_notes() -> dict[str, str]:
    """Return what identifies the text that was used: one hash for all of it, and one for each part."""
    parts = {"training": prepare.digest(prepare.training_text())}
    parts |= {split: prepare.digest(prepare.held_out(modules)) for split, modules in SPLITS.items()}
    whole = "sha256:" + hashlib.sha256("\n".join(parts.values()).encode()).hexdigest()
    return {"corpus": whole} | {f"corpus_{part}": name for part, name in parts.items()}


def main() -> None:
    """Score the splits that were asked for and write the result."""
    request = json.load(sys.stdin)
    result: dict[str, object] = {}
    for split in request["splits"]:
        text = prepare.held_out(SPLITS[split])
        bpb = bits_per_byte(text, *request["predict"][split])
        print(f"{split}: {bpb:.5f} bits per byte over {text.size} bytes")
        result["metrics" if split == "validation" else split] = {"val_bpb": bpb}
    size = prepare.STREAMS * prepare.LENGTH
    result["notes"] = corpus_notes() | {"bytes_per_split": size, "python": platform.python_version()}
    with os.fdopen(int(os.environ["AUTORESEARCH_RESULT_FD"]), "w", encoding="utf-8") as channel:
        json.dump(result, channel)


if __name__ == "__main__":
    try:
        main()
    except (Refused, ValueError) as problem:
        sys.exit(f"score.py: {problem}")
