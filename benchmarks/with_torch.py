"""PyTorch on one thread: its own LSTM where that has the arm, else a cell in Python, eager or compiled."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from peer import serve
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

torch.set_num_threads(1)
_BATCH, _RATE = 32, 0.3


def run(work: str, arm: str, *, compiled: bool = False) -> dict[str, Any]:
    """Train one model from the study's weights in the study's order, evaluating all parts after every epoch.

    Args:
        work: File with data, first weights and the order of batches.
        arm: Name of the regularizer.
        compiled: Whether `torch.compile` compiles the cell.
    """
    given = np.load(work, allow_pickle=False)
    torch.manual_seed(1)
    model = _Model(given, arm, _compiled(arm) if compiled else _CELLS.get(arm))
    if compiled:  # the first calls compile
        for training in (True, False):
            model.train(training)
            outputs = model(torch.from_numpy(given["x_train"][:_BATCH]))
            if training:
                outputs.sum().backward()
    optimizer = torch.optim.Adam(model.parameters(), 0.003, eps=1e-7, fused=True)
    data = {key: torch.from_numpy(given[key]) for key in given.files if key[:2] in ("x_", "y_")}
    labels = int(given["classes"]) > 0
    if labels:
        data |= {key: value.long() for key, value in data.items() if key.startswith("y_")}
    loss_of = functional.cross_entropy if labels else functional.mse_loss
    everything = torch.cat([data[f"x_{part}"] for part in ("train", "validation", "test")])
    sizes = [len(data[f"y_{part}"]) for part in ("train", "validation", "test")]
    losses: dict[str, list[float]] = {"train": [], "validation": [], "test": []}
    began = time.perf_counter()
    for order in given["orders"]:
        model.train()
        for rows in torch.from_numpy(order).split(_BATCH):
            optimizer.zero_grad()
            loss_of(model(data["x_train"][rows]), data["y_train"][rows]).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            outputs = model(everything).split(sizes)
            for part, output in zip(losses, outputs, strict=True):
                losses[part].append(float(loss_of(output, data[f"y_{part}"])))
    seconds = time.perf_counter() - began
    root = (lambda value: value) if labels else np.sqrt
    return {
        "seconds": seconds,
        "loss": float(root(losses["train"][-1])),
        "test": float(root(min(losses["test"]))),
    }


class _Model(nn.Module):
    """Two LSTM layers and a head, with the study's weights; of PyTorch's two biases one stays 0."""

    def __init__(self, given: Any, arm: str, cell: Callable[..., Any] | None) -> None:
        super().__init__()
        self.arm, self.cell = arm, cell
        width = given["lstm_1/recurrent_kernel"].shape[0]
        self.layers = nn.ModuleList(
            nn.LSTM(given[f"{name}/kernel"].shape[0], width, batch_first=True)
            for name in ("lstm_1", "lstm_2")
        )
        self.head = nn.Linear(width, given["head/bias"].shape[0])
        self.norm = nn.LayerNorm(width, eps=1e-3) if arm == "layer norm" else None
        self.norms = nn.ModuleList(
            nn.ModuleList([nn.LayerNorm(size, eps=1e-3) for size in (4 * width, 4 * width, width)])
            for _ in range(2 if arm == "cell layer norm" else 0)
        )
        with torch.no_grad():
            for layer, name in zip(self.layers, ("lstm_1", "lstm_2"), strict=True):
                layer.weight_ih_l0.copy_(torch.from_numpy(given[f"{name}/kernel"].T))
                layer.weight_hh_l0.copy_(torch.from_numpy(given[f"{name}/recurrent_kernel"].T))
                layer.bias_ih_l0.copy_(torch.from_numpy(given[f"{name}/bias"]))
                layer.bias_hh_l0.zero_().requires_grad_(requires_grad=False)
            self.head.weight.copy_(torch.from_numpy(given["head/kernel"].T))
            self.head.bias.copy_(torch.from_numpy(given["head/bias"]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for number, layer in enumerate(self.layers):
            if self.arm == "dropout" and self.training:
                x = x * functional.dropout(torch.ones_like(x[:, :1]), _RATE)
            if self.cell is None:
                x = layer(x)[0]
            else:
                x = _by_steps(
                    self.cell, layer, x, self.norms[number] if self.norms else None, training=self.training
                )
            if self.norm is not None and number == 0:
                x = self.norm(x)
        return self.head(x[:, -1])


def _by_steps(
    cell: Callable[..., Any], layer: nn.LSTM, x: torch.Tensor, norms: Any, *, training: bool
) -> torch.Tensor:
    """Run a cell over time; the input products of all steps are one product, where nothing normalizes them."""
    projected = x @ layer.weight_ih_l0.T
    if norms is not None:
        projected = norms[0](projected)
    projected = projected + layer.bias_ih_l0
    h = c = x.new_zeros(len(x), layer.hidden_size)
    recurrent, mask = layer.weight_hh_l0.T, None
    if training and norms is None:
        mask = functional.dropout(torch.ones_like(h), _RATE)
    hidden = []
    for t in range(x.shape[1]):
        h, c = cell(projected[:, t], h, c, recurrent, mask, norms, training)
        hidden.append(h)
    return torch.stack(hidden, 1)


def _gated(summed: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    i, f, g, o = summed.chunk(4, 1)
    return torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g), torch.sigmoid(o)


def _recurrent_dropout(x: Any, h: Any, c: Any, u: Any, mask: Any, norms: Any, training: bool) -> Any:
    c, o = _gated(x + (h if mask is None else h * mask) @ u, c)
    return o * torch.tanh(c), c


def _zoneout(x: Any, h: Any, c: Any, u: Any, mask: Any, norms: Any, training: bool) -> Any:
    new_c, o = _gated(x + h @ u, c)
    new_h = o * torch.tanh(new_c)
    if training:
        return (
            torch.where(torch.rand_like(h) < 0.05, h, new_h),
            torch.where(torch.rand_like(c) < 0.1, c, new_c),
        )
    return 0.05 * h + 0.95 * new_h, 0.1 * c + 0.9 * new_c


def _cell_layer_norm(x: Any, h: Any, c: Any, u: Any, mask: Any, norms: Any, training: bool) -> Any:
    c, o = _gated(x + norms[1](h @ u), c)
    return o * torch.tanh(norms[2](c)), c


_CELLS = {
    "recurrent dropout": _recurrent_dropout,
    "zoneout": _zoneout,
    "cell layer norm": _cell_layer_norm,
}
_KEPT: dict[str, Callable[..., Any]] = {}


def _compiled(arm: str) -> Callable[..., Any]:
    """Return the cell of an arm, compiled once in this process."""
    if arm not in _KEPT:
        _KEPT[arm] = torch.compile(_CELLS[arm])
    return _KEPT[arm]


if __name__ == "__main__":
    serve(run=run)
