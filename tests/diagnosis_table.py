"""``python -m tests.diagnosis_table [--looks KIND] [--json]``: the doctor's rules against networks that are ill, and well.

Every network of :mod:`tests.sick_networks` and every template that trains on built-in data is trained;
of each illness: how many were found, how often it was seen where it is not, and how many the first
repair heals, trained again.

What is seen of a run depends on the clock. So that the table does not, it is made with looks at
every other step, or with the fewest that any run gets on any machine (``--looks fewest``);
``--looks program`` is what a user of this machine sees.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import engine
from engine import diff, templates
from engine.diagnosis import ILLNESSES, Finding, Record, diagnose
from engine.network import Network
from tests.sick_networks import Patient, healthy, sick


@contextmanager
def every_other_step() -> Iterator[None]:
    """Probes that look at every second step, whatever it costs: what they see is no matter of the clock."""
    from engine.training import pace, probes

    with patch.multiple(pace, APART=0.0, CREDIT=math.inf), patch.object(probes, "_ACTIVATIONS", math.inf):
        yield


@contextmanager
def fewest(*, dear: bool = False) -> Iterator[None]:
    """Probes that look at no more steps than those that are looked at whatever the time.

    `dear`: and at those alone that are looked at whatever it costs.
    """
    from engine.training import pace

    with patch.multiple(pace, APART=math.inf, **({"UNTIMED": 1e6} if dear else {"CREDIT": math.inf})):
        yield


#: How often a run is looked at.
LOOKS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "often": every_other_step,
    "fewest": fewest,
    "program": nullcontext,
}


def trained(network: Network, looks: str = "often") -> tuple[Record, dict[str, Any]]:
    """The record of a run of `network`, and its result."""
    events: list[object] = []
    with tempfile.TemporaryDirectory() as folder, LOOKS[looks]():
        result = engine.train(network, device="cpu", run_dir=folder, emit=events.append)
    return Record.of(network, events), result


def figure(result: dict[str, Any], name: str) -> float:
    """A figure of a run's best validation."""
    return float((result.get("validation") or {}).get(name, float("nan")))


def heals(
    patient: Patient,
    record: Record,
    findings: tuple[Finding, ...],
    result: dict[str, Any],
    looks: str = "often",
) -> tuple[bool, str]:
    """Whether the first repair of the patient's illness heals it, and which it is.

    Healed: trained again, the illness is not found, and at least four of five validation examples
    are right; of overfitting, the last validation loss is lower by a fifth.
    """
    found = next(f for f in findings if f.code == patient.code)
    if not found.repairs:
        return False, ""
    repair = found.repairs[0]
    healed, after = trained(diff.apply(patient.network, repair.changes), looks)
    gone = all(f.code != patient.code for f in diagnose(healed))
    before, now = figure(result, "accuracy"), figure(after, "accuracy")
    if patient.code == "overfitting":  # what fell ill is the loss on examples not seen
        well = healed.curve("validation", "loss")[-1][1] < 0.8 * record.curve("validation", "loss")[-1][1]
    else:
        well = now >= max(before - 0.01, 0.8)
    return gone and after["state"] == "finished" and well, repair.text


def templates_that_train() -> list[Patient]:
    """The templates on data that come with scikit-learn, as they are."""
    return [
        Patient(f"template {template.id}", template.network)
        for template in templates.templates()
        if template.network.recipe.data.source == "digits"
    ]


def measure(patients: list[Patient], *, repair: bool = True, looks: str = "often") -> dict[str, Any]:
    """The table's figures over `patients`."""
    rows = {
        code: {"ill": 0, "found": 0, "well": 0, "alarms": 0, "repaired": 0, "healed": 0} for code in ILLNESSES
    }
    notes = []
    for patient in patients:
        record, result = trained(patient.network, looks)
        findings = diagnose(record)
        seen = {finding.code for finding in findings}
        for code, row in rows.items():
            if code == patient.code:
                row["ill"] += 1
                row["found"] += code in seen
            elif code not in patient.ills:
                row["well"] += 1
                row["alarms"] += code in seen
        missed = [patient.code] if patient.code and patient.code not in seen else []
        alarms = sorted(seen - patient.ills)
        line = (
            f"{patient.name}: {', '.join(sorted(seen)) or 'well'}; accuracy {figure(result, 'accuracy'):.3f}"
        )
        if missed or alarms:
            line += f"  (missed {missed}, false {alarms})"
        if repair and patient.code in seen:
            healed, text = heals(patient, record, findings, result, looks)
            rows[patient.code]["repaired"] += 1
            rows[patient.code]["healed"] += healed
            line += f"; '{text}' {'heals' if healed else 'does not heal'}"
        notes.append(line)
        print(line, file=sys.stderr, flush=True)
    sums = {key: sum(row[key] for row in rows.values()) for key in next(iter(rows.values()))}
    return {"rules": rows, "all": sums, "notes": notes}


def table(figures: dict[str, Any]) -> str:
    """The figures for people."""
    lines = [f"{'illness':<22} {'found':>8} {'false alarms':>14} {'healed':>8}"]
    for code, row in [*figures["rules"].items(), ("all", figures["all"])]:
        lines.append(
            f"{code:<22} {row['found']:>3} of {row['ill']:<2} {row['alarms']:>6} of {row['well']:<5}"
            f" {row['healed']:>2} of {row['repaired']:<2}"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", default="", help="only networks whose illness or name has this in it")
    parser.add_argument("--looks", choices=LOOKS, default="often", help="how often runs are looked at")
    parser.add_argument("--no-repair", action="store_true", help="do not train what has been repaired")
    chosen = parser.parse_args()
    patients = [*sick(), *healthy(), *templates_that_train()]
    patients = [p for p in patients if chosen.only in f"{p.code} {p.name}"]
    figures = measure(patients, repair=not chosen.no_repair, looks=chosen.looks)
    print(json.dumps(figures, indent=2) if chosen.json else table(figures))


if __name__ == "__main__":
    main()
