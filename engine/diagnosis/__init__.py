"""Why a network learns, or does not: illnesses declared like layers, found in what a run told. No torch."""

from engine.diagnosis.record import Curves, Record
from engine.diagnosis.rule import Finding, Illness
from engine.diagnosis.rules import ILLNESSES, diagnose

__all__ = ["ILLNESSES", "Curves", "Finding", "Illness", "Record", "diagnose"]
