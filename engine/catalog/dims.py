"""Rules about dimensions, shared by layers that name them."""

from __future__ import annotations

from engine.catalog.entry import Fix, Inputs, Rule, Settings, Verdict


def exists(name: str = "dim", added: int = 0) -> Rule:
    """The field `name` (one dimension or several) must be dimensions of the input (`added` more of the result)."""

    def check(f: Settings, x: Inputs) -> Verdict | None:
        rank = len(x.shape) + added
        value = getattr(f, name)
        dims = value if isinstance(value, tuple) else (value,)
        for dim in dims:
            if not -rank <= dim < rank:
                fixed = [-1] if isinstance(value, tuple) else -1
                return Verdict(
                    name,
                    f"dimension {dim} does not exist: there are {rank} (the batch is 0).",
                    (Fix("Use the last dimension", {name: fixed}),),
                )
        if len({dim % rank for dim in dims}) < len(dims):
            return Verdict(name, f"{name} names a dimension twice: {list(dims)}.")
        return None

    return Rule("dim-exists", check)
