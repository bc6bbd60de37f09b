"""Training: the loop, what it tells, what it keeps, and what its outcome is worth."""

from engine.training.api import train
from engine.training.control import Control
from engine.training.fitting import find_batch
from engine.training.inference import evaluate, predict
from engine.training.rate_finder import find_rate
from engine.training.replay import replay
from engine.training.session import run
from engine.training.warm import warm

__all__ = ["Control", "evaluate", "find_batch", "find_rate", "predict", "replay", "run", "train", "warm"]
