"""Answers the scorer: asks the trained model for the distribution of the next byte, many streams at once, in lock step.

The rule: a distribution leaves before the byte it foretells arrives. This program runs in a sandbox of its own, with
the weights but without the text, and talks over its standard input and output:

    scorer  ->  b"LOCKSTEP", then the number of streams as uint32
    predict ->  log-probabilities of the first byte, float32 (streams, 256), natural logarithm
    scorer  ->  the true byte of every stream, uint8 (streams,)
    predict ->  log-probabilities of the next byte ... and so on, until the scorer closes the pipe

All numbers are little-endian. By hand there is nothing to run: score.py needs both ends of the pipes.
"""

import os
import struct
import sys
from pathlib import Path
from typing import BinaryIO

import numpy as np

MAGIC = b"LOCKSTEP"


def private_channel() -> tuple[BinaryIO, BinaryIO]:
    """Return the pipes from and to the scorer, moved away from descriptors 0 and 1.

    What the model prints from here on goes to standard error, and what it reads from standard input is empty, so that
    it cannot disturb the exchange by accident.
    """
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return questions, answers


def main() -> None:
    """Answer until the scorer has no more bytes."""
    questions, answers = private_channel()
    import train  # not before: it is the code under trial, and may print

    header = questions.read(len(MAGIC) + 4)
    if header[: len(MAGIC)] != MAGIC:
        sys.exit("predict.py speaks with score.py over pipes; it is not run by hand")
    (streams,) = struct.unpack("<I", header[len(MAGIC) :])
    model = train.load(Path(os.environ["AUTORESEARCH_ARTIFACTS"]))
    state, tokens = train.start(model, streams), None
    while True:
        answer = np.ascontiguousarray(train.advance(model, state, tokens), dtype="<f4")
        if answer.shape != (streams, 256):
            sys.exit(f"train.advance returned shape {answer.shape}, not {(streams, 256)}")
        answers.write(answer.data)
        answers.flush()
        received = questions.read(streams)
        if len(received) < streams:
            return
        tokens = np.frombuffer(received, dtype=np.uint8)


if __name__ == "__main__":
    main()
