"""The same step with less Python around it.

For a small network a third of a step is spent around the arithmetic: ``backward`` and
``Optimizer.step`` check and gather at every call what does not change between two of them. Here it
is gathered once; what is computed, and every bit of it, stays torch's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.variable import Variable
from torch.optim import SGD, Adam, AdamW, Optimizer


def backward(loss: Tensor) -> None:
    """``loss.backward()`` of one number on the processor, without its checks."""
    Variable._execution_engine.run_backward(
        (loss,), (torch.ones_like(loss),), False, False, (), allow_unreachable=True, accumulate_grad=True
    )


class _Bound(NamedTuple):
    """One group of parameters, with what its step needs of the optimizer's state."""

    group: dict[str, Any]
    parameters: list[Tensor]
    state: tuple[list[Tensor], ...]
    #: The number of steps behind it: one tensor for all of the group, of which the state's are told.
    step: Tensor | None


class DirectStep:
    """A fused optimizer's step; call it in the place of ``optimizer.step``.

    Steps of SGD, Adam and AdamW in their fused form, of parameters that all have a gradient, call torch's
    kernel at once. All other steps are the optimizer's own. ``state_dict`` and ``load_state_dict`` of the
    optimizer work as always.

    Parameters
    ----------
    optimizer
        Whose steps are made.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self._bound: list[_Bound] | None = None
        self._fits = type(optimizer) in _STEPS and all(map(_fits, optimizer.param_groups))
        self._step = _STEPS.get(type(optimizer))
        optimizer.register_state_dict_pre_hook(lambda _: self._tell())
        optimizer.register_load_state_dict_post_hook(lambda _: self._forget())

    def __call__(self) -> None:
        """Make a step."""
        if self._bound is None or not self._made():
            self._tell()
            self._forget()
            self._optimizer.step()
            if self._fits:
                self._bind()

    def _made(self) -> bool:
        assert self._bound is not None
        assert self._step is not None
        ready = []
        for bound in self._bound:
            gradients = [parameter.grad for parameter in bound.parameters]
            for gradient in gradients:
                if gradient is None:
                    return False
            ready.append((bound, gradients))
        with torch.no_grad():
            for bound, gradients in ready:
                self._step(bound, gradients)
        return True

    def _bind(self) -> None:
        """Gather what steps need; a parameter that has no state yet leaves them to the optimizer."""
        found = []
        for group in self._optimizer.param_groups:
            parameters = group["params"]
            states = [self._optimizer.state.get(parameter, {}) for parameter in parameters]
            names = _state_names(group)
            if any(state.get(name) is None for state in states for name in names):
                return
            step = states[0].get("step")
            if step is not None:
                if any(not torch.equal(state["step"], step) for state in states):
                    return
                step = step.clone()
            columns = tuple([state[name] for state in states] for name in names if name != "step")
            found.append(_Bound(group, parameters, columns, step))
        self._bound = found

    def _tell(self) -> None:
        """Let the optimizer's state know how many steps there have been."""
        for bound in self._bound or ():
            if bound.step is not None:
                for parameter in bound.parameters:
                    self._optimizer.state[parameter]["step"].copy_(bound.step)

    def _forget(self) -> None:
        self._bound = None


def _fits(group: dict[str, Any]) -> bool:
    """Whether one call of the kernel does for a whole group."""
    kinds = {(p.device.type, p.dtype) for p in group["params"]}
    return bool(
        group.get("fused")
        and not group.get("differentiable")
        and not isinstance(group["lr"], Tensor)
        and len(kinds) == 1
        and kinds <= {(device, kind) for device in ("cpu", "cuda") for kind in (torch.float32, torch.float64)}
    )


def _state_names(group: dict[str, Any]) -> tuple[str, ...]:
    """What the optimizer keeps of each parameter of a group."""
    if "betas" in group:
        return ("step", "exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if group["amsgrad"] else ()))
    return ("momentum_buffer",) if group["momentum"] else ()


def _adam(bound: _Bound, gradients: list[Any]) -> None:
    group, (means, squares, *largest) = bound.group, bound.state
    assert bound.step is not None
    bound.step.add_(1)
    beta1, beta2 = group["betas"]
    kernel = torch._fused_adamw_ if group["decoupled_weight_decay"] else torch._fused_adam_
    kernel(
        bound.parameters,
        gradients,
        means,
        squares,
        largest[0] if largest else [],
        [bound.step] * len(gradients),
        amsgrad=group["amsgrad"],
        lr=group["lr"],
        beta1=beta1,
        beta2=beta2,
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        maximize=group["maximize"],
        grad_scale=None,
        found_inf=None,
    )


def _sgd(bound: _Bound, gradients: list[Any]) -> None:
    group = bound.group
    torch._fused_sgd_(
        bound.parameters,
        gradients,
        bound.state[0] if bound.state else [],
        weight_decay=group["weight_decay"],
        momentum=group["momentum"],
        lr=group["lr"],
        dampening=group["dampening"],
        nesterov=group["nesterov"],
        maximize=group["maximize"],
        is_first_step=False,
        grad_scale=None,
        found_inf=None,
    )


_STEPS: dict[type[Optimizer], Callable[[_Bound, list[Any]], None]] = {Adam: _adam, AdamW: _adam, SGD: _sgd}
