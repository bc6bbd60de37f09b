"""Options of training: further keys of a file's ``recipe``, each a field of one of these sections."""

from __future__ import annotations

from engine.catalog.entry import RecipeOptions
from engine.catalog.fields import Bool, Float, Int, Option

STEPS = RecipeOptions(
    id="steps",
    title="Steps and gradients",
    doc="What becomes of gradients before weights follow them: `accumulate`, `clip_norm`, `clip_value`, `decay`.",
    source="layerlab",
    fields=(
        Int(
            "accumulate",
            1,
            lo=1,
            hi=1 << 20,
            unit="batches",
            doc="Batches whose mean gradient makes one step: a larger batch in the memory of a small one.",
        ),
        Float(
            "clip_norm",
            None,
            lo=0,
            hi=1e9,
            open_lo=True,
            optional=True,
            doc="Longest that all gradients together may be (torch.nn.utils.clip_grad_norm_).",
        ),
        Float(
            "clip_value",
            None,
            lo=0,
            hi=1e9,
            open_lo=True,
            optional=True,
            doc="Largest single gradient (torch.nn.utils.clip_grad_value_).",
            advanced=True,
        ),
        Option(
            "decay",
            "weights",
            options=("weights", "all"),
            doc="What the optimizer's weight_decay pulls on: weights alone (not biases, norms, or latent binary weights), "
            "or everything, as torch does.",
        ),
    ),
)
AVERAGING = RecipeOptions(
    id="averaging",
    title="Average of weights",
    doc="Validate and keep a running mean of the weights: `ema_decay`.",
    source="layerlab; Polyak and Juditsky 1992; torch.optim.swa_utils",
    fields=(
        Float(
            "ema_decay",
            None,
            lo=0,
            hi=1,
            open_hi=True,
            optional=True,
            doc="Share of the mean that stays at each step (0.999): validation, best and last weights are then the mean's. "
            "At first less, (1 + steps) / (10 + steps), so that the start is soon forgotten.",
        ),
    ),
)
VALIDATION = RecipeOptions(
    id="validation",
    title="Validation and stopping",
    doc="When to validate, what counts as better, and when to give up: `validate_every`, `validate_unit`, `monitor`, `patience`, `min_delta`.",
    source="layerlab",
    fields=(
        Int(
            "validate_every",
            1,
            lo=1,
            hi=1 << 40,
            doc="How many epochs (or steps) lie between two validations.",
        ),
        Option("validate_unit", "epochs", options=("epochs", "steps"), doc="What validate_every counts."),
        Option(
            "monitor",
            "auto",
            options=("auto", "loss", "accuracy", "top5", "f1", "mae", "r2"),
            doc="The validation figure that decides what is best; auto: accuracy where there is one, else the loss.",
        ),
        Int(
            "patience",
            None,
            lo=1,
            hi=1 << 30,
            optional=True,
            unit="validations",
            doc="Stop early after so many validations without a better one; empty: never.",
        ),
        Float("min_delta", 0.0, lo=0, hi=1e9, doc="By how much better counts.", advanced=True),
    ),
)
NUMERICS = RecipeOptions(
    id="numerics",
    title="Numbers and speed",
    doc="How numbers are held and work is done: `precision`, `deterministic`, `threads`, `channels_last`, `compile`, `cuda_graphs`, `fastest`, "
    "`observe_budget`.",
    source="layerlab; torch.amp, torch.compile, torch.cuda.CUDAGraph",
    fields=(
        Option(
            "precision",
            "float32",
            options=("float32", "tf32", "bfloat16", "float16"),
            doc="Numbers of forward and backward; weights stay float32. tf32 and float16 (with a loss scaler) are for GPUs; float32 "
            "is as torch has it, whose convolutions on GPUs may use tf32.",
        ),
        Bool(
            "deterministic",
            False,
            doc="Use deterministic algorithms alone, so that a GPU gives the same curve twice. Slower.",
        ),
        Int(
            "threads",
            None,
            lo=1,
            hi=1024,
            optional=True,
            doc="Threads that the processor computes with; empty: torch's choice. Another number adds in another order.",
            advanced=True,
        ),
        Option(
            "channels_last",
            "auto",
            options=("auto", "on", "off"),
            doc="Keep images with their channels innermost; auto: on processors, and on GPUs in half precision.",
            advanced=True,
        ),
        Bool(
            "compile",
            False,
            doc="Compile the network with torch.compile: slow to start, often faster then.",
            advanced=True,
        ),
        Bool(
            "cuda_graphs",
            False,
            doc="Record a step once and replay it (GPUs; batches of one size).",
            advanced=True,
        ),
        Bool(
            "fastest",
            False,
            doc="Try threads, channels_last, compile and CUDA graphs on some batches first, and keep what was fastest; the run says "
            "what was measured.",
        ),
        Float(
            "observe_budget",
            0.02,
            lo=0.0005,
            hi=0.5,
            doc="Share of the run's work that looking at weights, gradients and activations may take.",
            advanced=True,
        ),
    ),
)
