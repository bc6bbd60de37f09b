"""Whether a run's data are still those that it began with."""

from __future__ import annotations

import json

from engine.runs import RunFolder


def changed(folder: RunFolder, sha256: str) -> str:
    """Say that data of this hash are not those of the run in `folder`; empty where they are."""
    try:
        facts = json.loads(folder.facts.read_bytes())
    except (OSError, ValueError):
        return ""
    then = facts.get("data_sha256") if isinstance(facts, dict) else None
    if not isinstance(then, str) or then == sha256:
        return ""
    return (
        f"The data have changed since this run began (SHA-256 {then[:8]}… then, {sha256[:8]}… now): figures "
        "before and after do not compare."
    )
