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
    #: Further figures by what they count; those of `longest` are seconds, of which the longest counts.
    counts: dict[str, int] = field(default_factory=dict)
    longest: dict[str, float] = field(default_factory=dict)
    #: Figures of which the highest counts.
    highest: dict[str, int] = field(default_factory=dict)

    def check(self, holds: bool, breach: str) -> None:
        """Count one trial."""
        self.tried += 1
        if not holds:
            self.breaches.append(breach)

    def count(self, what: str, number: int = 1) -> None:
        """Count something further."""
        self.counts[what] = self.counts.get(what, 0) + number

    def took(self, what: str, seconds: float) -> None:
        """Keep the longest time."""
        self.longest[what] = max(seconds, self.longest.get(what, 0.0))

    def reached(self, what: str, number: int) -> None:
        """Keep the highest number."""
        self.highest[what] = max(number, self.highest.get(what, 0))

    def add(self, other: Row) -> None:
        """Take in the trials of another call."""
        self.tried += other.tried
        self.breaches += other.breaches
        for what, number in other.counts.items():
            self.count(what, number)
        for what, seconds in other.longest.items():
            self.took(what, seconds)
        for what, number in other.highest.items():
            self.reached(what, number)

    @property
    def note(self) -> str:
        """The further figures, in words."""
        parts = [f"{number:,} {what}" for what, number in (self.counts | self.highest).items()]
        return ", ".join([*parts, *(f"{what} {seconds:.2g} s" for what, seconds in self.longest.items())])
