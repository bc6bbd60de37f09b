"""Training: the loop, what it tells, and what it keeps."""

from engine.training.api import train
from engine.training.control import Control

__all__ = ["Control", "train"]
