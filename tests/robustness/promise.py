"""One line of the promise's table: what was done to the program, how often, and how often it broke."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Row:
    """One line."""

    what: str
    tried: int = 0
    #: Each breach in words; the promise holds where there is none.
    breaches: list[str] = field(default_factory=list)
    #: A further figure.
    note: str = ""

    def check(self, holds: bool, breach: str) -> None:
        """Count one trial."""
        self.tried += 1
        if not holds:
            self.breaches.append(breach)
