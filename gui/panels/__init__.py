"""The panels around the canvas. They take models and listen; no panel knows another."""

from gui.panels.activations import ActivationsPanel
from gui.panels.code import CodePanel
from gui.panels.curves import CurvesPanel
from gui.panels.data import DataPanel
from gui.panels.filters import FiltersPanel
from gui.panels.gradients import GradientsPanel
from gui.panels.health import HealthPanel
from gui.panels.history import HistoryPanel
from gui.panels.lab_init import InitLabPanel
from gui.panels.lab_ste import BinaryLabPanel
from gui.panels.predictions import PredictionsPanel
from gui.panels.problems import ProblemsPanel
from gui.panels.rate import RatePanel
from gui.panels.responses import ResponsesPanel
from gui.panels.weights import WeightsPanel

__all__ = [
    "ActivationsPanel",
    "BinaryLabPanel",
    "CodePanel",
    "CurvesPanel",
    "DataPanel",
    "FiltersPanel",
    "GradientsPanel",
    "HealthPanel",
    "HistoryPanel",
    "InitLabPanel",
    "PredictionsPanel",
    "ProblemsPanel",
    "RatePanel",
    "ResponsesPanel",
    "WeightsPanel",
]
