"""torch.compile for the functions of a model that gain from it; the plain ones where it fails."""

from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

import torch

from training.console import say
from training.models.seq2seq import Seq2Seq

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def compile_for_training(model: Seq2Seq) -> None:
    """Compile what `model.compiled` names, for any shapes.

    Names of weights and modules stay as they are, and so does all that runs without gradients.
    """
    for name in model.compiled:
        setattr(model, name, Compiled(getattr(model, name)))


class Compiled(Generic[Arguments, Result]):
    """A function, compiled when it is first called for gradients.

    Where that fails (no compiler, say), one line tells so, and the function runs as it is written.
    """

    def __init__(self, function: Callable[Arguments, Result]) -> None:
        self._plain = function
        self._fast: Callable[Arguments, Result] | None = torch.compile(function, dynamic=True)

    def __call__(self, *arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
        """What the function returns."""
        if self._fast is None or not torch.is_grad_enabled():
            return self._plain(*arguments, **named)
        try:
            return self._fast(*arguments, **named)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            self._fast = None
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            say(f"warning: torch.compile failed ({reason}); training goes on without it")
            return self._plain(*arguments, **named)
