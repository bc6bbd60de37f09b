"""Sums of which a part is not known, in words: never shown as if they were the whole."""

from __future__ import annotations

import re


def at_least(text: str, unknown: int) -> str:
    """A sum that `text` says and that leaves out `unknown` layers: at least as much, or nobody knows."""
    if not unknown:
        return text
    return f"≥ {text}" if re.search("[1-9]", text) else "unknown"


def left_out(unknown: int) -> str:
    """What such a sum leaves out, as a sentence behind another; empty: nothing."""
    if not unknown:
        return ""
    return f" Without {'one layer' if unknown == 1 else f'{unknown:,} layers'} of which nothing is known yet."
