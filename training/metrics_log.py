"""Figures of a run: JSON lines for programs, TensorBoard for eyes."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from training.durable_files import write_file


class Window:
    """Means over the updates since the latest line."""

    def __init__(self) -> None:
        self._loss: Tensor | float = 0.0
        self._norm: Tensor | float = 0.0
        self._seconds = 0.0
        self._updates = self._tokens = 0

    def add(self, loss: Tensor, norm: Tensor, tokens: int, seconds: float) -> None:
        """One update: loss per target token (nats), gradient norm, target tokens, seconds.

        The device is not waited for until the figures are asked for.
        """
        self._loss += loss * tokens
        self._norm += norm
        self._tokens += tokens
        self._seconds += seconds
        self._updates += 1

    def figures(self) -> dict[str, float]:
        """Loss (nats per target token), target tokens per second, gradient norm."""
        return {
            "loss": float(self._loss) / self._tokens,
            "tokens_per_s": self._tokens / self._seconds,
            "gradient_norm": float(self._norm) / self._updates,
        }

    def text(self) -> str:
        """The same in a few words."""
        figures = self.figures()
        return f"loss {figures['loss']:.2f}, {figures['tokens_per_s']:,.0f} tokens/s"


class MetricsLog:
    """Appends to `metrics.jsonl` and `tensorboard/`; lines after `update` are forgotten first."""

    def __init__(self, run: Path, update: int) -> None:
        self._path = run / "metrics.jsonl"
        _forget_after(self._path, update)
        self._lines = self._path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(run / "tensorboard"), purge_step=update + 1)

    def write(self, kind: str, update: int, figures: Mapping[str, float]) -> None:
        """One line of figures (`kind`: training or validation); what is not finite is left out."""
        finite = {name: value for name, value in figures.items() if math.isfinite(value)}
        rounded = {name: float(f"{value:.6g}") for name, value in finite.items()}
        self._lines.write(json.dumps({"kind": kind, "update": update, **rounded}) + "\n")
        self._lines.flush()
        for name, value in finite.items():
            self._board.add_scalar(f"{kind}/{name}", value, update)

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._lines.close()
        self._board.close()


def _forget_after(path: Path, update: int) -> None:
    """Drop lines that a run continued from `update` will write again, and half a last line."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            if json.loads(line)["update"] <= update:
                kept.append(line + "\n")
        except (ValueError, KeyError, TypeError):
            continue
    write_file(path, "".join(kept).encode())
