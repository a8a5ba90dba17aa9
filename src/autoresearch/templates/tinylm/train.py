"""A byte-level language model in NumPy, trained until its budget is used. This is the one file to edit.

The model is the neural language model of Bengio et al. (2003): the last CONTEXT bytes are looked up in a table of
embeddings, one hidden layer reads them side by side, and a softmax gives the next byte's distribution. Everything may
change (architecture, optimiser, schedule, data order, numerics) except what the other files rely on:

- run as a program, it trains within AUTORESEARCH_BUDGET and leaves its weights in AUTORESEARCH_OUT;
- imported by predict.py, it offers `load`, `start` and `advance` (end of the file), which answer byte by byte.

By hand: `python train.py` trains for 20 CPU-seconds and writes ./out.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import TextIO

import numpy as np
import prepare

# ---- constants --------------------------------------------------------------------------------------------------

CONTEXT = 8  # bytes the model sees
EMBED = 32  # numbers that stand for one byte
HIDDEN = 128  # width of the hidden layer
ACTIVATION = "tanh"  # "tanh" | "relu"
SKIP = False  # also connect the embeddings straight to the output, as Bengio's model may
INIT_SCALE = 0.5  # weights start at this times 1/sqrt(inputs of the layer)

BATCH = 128  # positions per step
LEARNING_RATE = 1e-3  # Adam's step size at its highest
WARMUP = 0.0  # share of the budget over which the learning rate rises from 0
WARMDOWN = 0.0  # share of the budget, at its end, over which the learning rate falls to 0
BETA1 = 0.9  # Adam's memory of the gradient
BETA2 = 0.999  # Adam's memory of the gradient's square
EPSILON = 1e-8  # keeps Adam's division finite
WEIGHT_DECAY = 0.0  # pull of the weights towards 0, decoupled from the gradient (AdamW), times the learning rate
CLIP = 1.0  # the gradient's norm is cut to this; 0 switches it off

# ---- the model --------------------------------------------------------------------------------------------------

BYTES = 256
Weights = dict[str, np.ndarray]


def shapes() -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every weight; the first number of a shape is the layer's inputs."""
    table = {
        "embed": (BYTES, EMBED),
        "w1": (CONTEXT * EMBED, HIDDEN),
        "b1": (HIDDEN,),
        "w2": (HIDDEN, BYTES),
        "b2": (BYTES,),
    }
    return table | ({"skip": (CONTEXT * EMBED, BYTES)} if SKIP else {})


def split(flat: np.ndarray) -> Weights:
    """Return named views into one flat vector, so that the optimiser can treat all weights as one array."""
    views, start = {}, 0
    for name, shape in shapes().items():
        size = int(np.prod(shape))
        views[name] = flat[start : start + size].reshape(shape)
        start += size
    return views


def initial_weights(rng: np.random.Generator) -> np.ndarray:
    """Return the flat vector of starting weights: Gaussian, narrower the more inputs a layer has, biases 0."""
    flat = np.zeros(sum(int(np.prod(shape)) for shape in shapes().values()), dtype=np.float32)
    for name, weight in split(flat).items():
        if name == "embed":
            weight[:] = rng.standard_normal(weight.shape)
        elif weight.ndim == 2:
            weight[:] = rng.standard_normal(weight.shape) * INIT_SCALE / np.sqrt(weight.shape[0])
    return flat


def forward(w: Weights, context: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Map contexts (n, CONTEXT) to inputs (n, CONTEXT * EMBED), hidden (n, HIDDEN), log-probabilities (n, 256)."""
    x = w["embed"][context].reshape(len(context), -1)
    h = x @ w["w1"] + w["b1"]
    h = np.tanh(h, out=h) if ACTIVATION == "tanh" else np.maximum(h, 0, out=h)
    logits = h @ w["w2"] + w["b2"]
    if SKIP:
        logits += x @ w["skip"]
    logits -= logits.max(axis=1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return x, h, logits


def backward(w: Weights, g: Weights, context: np.ndarray, target: np.ndarray) -> float:
    """Write the gradient of the mean loss into the views `g`; return the loss in nats per byte."""
    n = len(target)
    x, h, logp = forward(w, context)
    rows = np.arange(n)
    loss = -float(logp[rows, target].mean())
    d_logits = np.exp(logp, out=logp)  # d loss / d logits = (probabilities - one-hot target) / n
    d_logits[rows, target] -= 1.0
    d_logits /= n
    g["w2"][:] = h.T @ d_logits
    g["b2"][:] = d_logits.sum(axis=0)
    d_h = d_logits @ w["w2"].T
    d_h *= (1.0 - h * h) if ACTIVATION == "tanh" else (h > 0)
    g["w1"][:] = x.T @ d_h
    g["b1"][:] = d_h.sum(axis=0)
    d_x = d_h @ w["w1"].T
    if SKIP:
        g["skip"][:] = x.T @ d_logits
        d_x += d_logits @ w["skip"].T
    one_hot = np.eye(BYTES, dtype=np.float32)[context.ravel()]
    g["embed"][:] = one_hot.T @ d_x.reshape(-1, EMBED)  # sums the gradients of equal bytes
    return loss


# ---- training ---------------------------------------------------------------------------------------------------


class Adam:
    """Adam (Kingma & Ba 2015) with decoupled weight decay (Loshchilov & Hutter 2019) on one flat vector."""

    def __init__(self, size: int) -> None:
        """Start with empty memories for `size` weights."""
        self.mean = np.zeros(size, dtype=np.float32)
        self.square = np.zeros(size, dtype=np.float32)
        self.steps = 0

    def update(self, weights: np.ndarray, gradient: np.ndarray, rate: float) -> None:
        """Take one step against the gradient, in place."""
        self.steps += 1
        if CLIP:
            gradient *= min(1.0, CLIP / (float(np.linalg.norm(gradient)) + 1e-12))
        self.mean += (1.0 - BETA1) * (gradient - self.mean)
        self.square += (1.0 - BETA2) * (gradient * gradient - self.square)
        unbiased_rate = rate / (1.0 - BETA1**self.steps)
        root = np.sqrt(self.square / (1.0 - BETA2**self.steps)) + EPSILON
        weights -= unbiased_rate * self.mean / root
        if WEIGHT_DECAY:
            weights *= 1.0 - rate * WEIGHT_DECAY


class Budget:
    """The run's time: `seconds` of the CPU or of the wall clock, of which a little is kept back to save the weights."""

    RESERVE = 0.1  # seconds for saving and for what the operating system charges around us

    def __init__(self, text: str) -> None:
        """Read a budget such as `20 cpu` or `60 wall`."""
        seconds, clock = text.split()
        self.seconds = max(float(seconds) - self.RESERVE, 0.1)
        self.now = time.process_time if clock == "cpu" else time.monotonic
        self.start = 0.0 if clock == "cpu" else time.monotonic()  # CPU time counts from the start of the process

    def used(self) -> float:
        """Return the share of the budget used, 1 or more when it is time to stop."""
        return (self.now() - self.start) / self.seconds


def learning_rate(used: float) -> float:
    """Return the step size at a share of the budget: up linearly, flat, down linearly."""
    rise = used / WARMUP if used < WARMUP else 1.0
    fall = (1.0 - used) / WARMDOWN if used > 1.0 - WARMDOWN else 1.0
    return LEARNING_RATE * min(rise, fall)


def train(text: np.ndarray, budget: Budget, rng: np.random.Generator, metrics: TextIO) -> np.ndarray:
    """Train until the budget is used; return the flat weights. Exits with a message if the loss is no longer finite."""
    flat = initial_weights(rng)
    gradient = np.zeros_like(flat)
    w, g, adam = split(flat), split(gradient), Adam(flat.size)
    window = np.arange(CONTEXT + 1)
    smooth, step = np.log(BYTES), 0
    while (used := budget.used()) < 1.0:
        first = rng.integers(0, len(text) - CONTEXT, size=BATCH)
        batch = text[first[:, None] + window]
        loss = backward(w, g, batch[:, :-1], batch[:, -1])
        if not np.isfinite(loss):
            sys.exit(f"diverged: the loss is {loss} at step {step}; a lower LEARNING_RATE may help")
        adam.update(flat, gradient, learning_rate(used))
        step += 1
        smooth += (loss - smooth) * max(0.02, 1.0 / step)
        if step % 50 == 0:
            metrics.write(
                json.dumps({"step": step, "name": "train_loss", "value": round(smooth / np.log(2), 5)}) + "\n"
            )
    print(
        f"{step} steps of {BATCH} positions, {flat.size:,} weights; train loss {smooth / np.log(2):.3f} bits per byte"
    )
    return flat


def main() -> None:
    """Train and save; the surroundings come from the environment, with defaults for a run by hand."""
    budget = Budget(os.environ.get("AUTORESEARCH_BUDGET", "20 cpu"))
    rng = np.random.default_rng(int(os.environ.get("AUTORESEARCH_SEED", "0")))
    out = Path(os.environ.get("AUTORESEARCH_OUT", "out"))
    out.mkdir(parents=True, exist_ok=True)
    stream = Path(os.environ.get("AUTORESEARCH_METRICS", os.devnull))
    with stream.open("a", buffering=1, encoding="utf-8") as metrics:
        flat = train(prepare.training_text(), budget, rng, metrics)
    np.savez(out / "weights.npz", **split(flat))
    print(f"wrote {out / 'weights.npz'} after {time.process_time():.2f} CPU-seconds")


# ---- scoring: what predict.py imports -----------------------------------------------------------------------------


def load(folder: Path) -> Weights:
    """Return the model that a run left in `folder`."""
    with np.load(folder / "weights.npz", allow_pickle=False) as saved:
        return {name: saved[name] for name in saved.files}


def start(model: Weights, streams: int) -> np.ndarray:
    """Return the state before the first byte of `streams` separate texts: contexts full of newlines."""
    return np.full((streams, CONTEXT), prepare.NEWLINE, dtype=np.uint8)


def advance(model: Weights, state: np.ndarray, tokens: np.ndarray | None) -> np.ndarray:
    """Read one more byte per stream (None before the first) and return log-probabilities (streams, 256) of the next.

    `state` is changed in place. Every row must sum to one: the scorer refuses anything else.
    """
    if tokens is not None:
        state[:, :-1] = state[:, 1:]
        state[:, -1] = tokens
    return forward(model, state)[2]


if __name__ == "__main__":
    main()
