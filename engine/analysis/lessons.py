"""Why a problem matters, in a sentence or two, with its source: what the one who asks "so what?" is told."""

from __future__ import annotations

from msgspec.structs import replace

from engine.findings import Problem

_BROADCASTING = "docs.pytorch.org, “Broadcasting semantics”"

#: Code -> lesson, for problems that bring none of their own.
LESSONS: dict[str, str] = {
    "rank": "Layers fix how many dimensions they read: a convolution a picture per channel, a linear layer a row of "
    "features (torch.nn, “Shape” of each layer).",
    "dtype": "Layers compute with fractions (float32); only tables such as Embedding take whole numbers (int64).",
    "window-fits": "Out = (in + 2·padding − dilation·(kernel − 1) − 1)/stride + 1, which must be at least 1 "
    "(torch.nn.Conv2d, “Shape”).",
    "groups-divide": "Each group gets an equal share of the input's channels and makes an equal share of the output's "
    "(torch.nn.Conv2d, `groups`).",
    "broadcast": "Two tensors combine element by element where their sizes are equal, or one is 1 and is stretched "
    f"({_BROADCASTING}).",
    "concat-fits": "Tensors are laid side by side along one dimension; all others must agree (torch.cat).",
    "stack-fits": "Only tensors of one shape can be stacked (torch.stack).",
    "matrices-fit": "A row of the left matrix meets a column of the right one: both must be as long (torch.matmul).",
    "heads-divide": "The features are dealt out to the heads evenly (Vaswani et al. 2017, §3.2.2).",
    "output-padding-small": "It settles which of several inputs of a strided convolution is meant, of which there are "
    "only as many as the stride (torch.nn.ConvTranspose2d).",
    "half-padding": "A window with more than half in the border would see nothing at all (torch.nn.MaxPool2d).",
    "cycle": "A layer needs its input before it can run; a loop has no first one. Recurrent layers unroll theirs in "
    "time (torch.nn.LSTM).",
    "unconnected": "A layer computes from what arrives; without a wire nothing does.",
    "two-wires": "An input takes one tensor; which of two it should take, only you can say.",
    "dangling-edge": "A wire carries a tensor from one node to another; one end is missing.",
    "data-shape": "The first layers are built for the shape of an example; examples of another would not fit them.",
    "data-classes": "The loss compares one score per class with the number of the right one "
    "(torch.nn.CrossEntropyLoss, “Shape”).",
    "init-misfit": "Schemes read fan-in and fan-out off a matrix; a bias has neither (torch.nn.init).",
    "missing-field": "torch has no default for this, so only you can say it.",
    "wrong-field": "torch would raise an error here, or do what nobody means.",
    "unknown-type": "Only layers of the catalogue run: nothing in a file is ever run as code.",
    "too-large": "A float32 takes four bytes; training keeps each output, and for each weight its gradient and what the "
    "optimizer remembers.",
    "recursive-block": "A block that holds itself would never end.",
    "bad-expression": "Expressions reckon with numbers, the block's arguments and index, by + − * / // % ** and "
    "parentheses.",
    "shares": "Tied weights are one tensor under two names, as in Press and Wolf 2017 (arXiv 1608.05859).",
    "unused": "What no output needs gets no gradient and learns nothing.",
    "unused-part": "A part that is cut off and not read is computed for nothing.",
    "equal-weights": "Units that begin alike get equal gradients and stay alike (Goodfellow et al. 2016, §8.4).",
    "batch-place": "Losses and metrics go over the examples along dimension 0.",
}


def with_lesson(problem: Problem) -> Problem:
    """`problem` with the lesson of its code, where it brings none."""
    if problem.lesson or problem.code not in LESSONS:
        return problem
    return replace(problem, lesson=LESSONS[problem.code])
