"""What a checkpoint of PPO holds: all that the rest of the run depends on, bit by bit.

`state.safetensors`: weights of actor and critic, both optimizers' moments, torch's random generators.
`state.json`: the step and the log so far. Rollouts and order need no state: they follow from the seed.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from components.contracts.records import Record
from components.ppo.roles import Parameters, Roles

TENSORS = "state.safetensors"
PROGRESS = "state.json"


class LogRow(Record):
    """One step, a line of `training_log.jsonl`. Means are over the step's rollouts or response tokens.

    step: from 1. loss: the policy loss. value_loss: both of the last PPO epoch. learning_rate: the
    actor's. reward: before clipping, in [-2, 1]. kl: log pi_old - log pi_ref summed over a response, in
    nats, mean over responses. clipped: share of tokens whose ratio was outside the clip range in the
    last PPO epoch. explained_variance: of the returns by the critic's values, at most 1. gradient_norm,
    critic_gradient_norm: before clipping. tokens: of the responses. categories: how many responses were
    in each.
    """

    step: int
    loss: float
    value_loss: float
    learning_rate: float
    reward: float
    kl: float
    clipped: float
    explained_variance: float
    gradient_norm: float
    critic_gradient_norm: float
    tokens: int
    rollouts: int
    categories: dict[str, int]


class Progressed(Record):
    """`state.json`."""

    step: int
    log: tuple[LogRow, ...]


def save_state(
    folder: Path, roles: Roles, optimizers: Sequence[torch.optim.Optimizer], log: Sequence[LogRow]
) -> None:
    """Write both files into `folder`."""
    tensors = _weights(roles)
    for optimizer, named in zip(optimizers, _groups(roles), strict=True):
        for name, weight in named.items():
            for key, value in optimizer.state.get(weight, {}).items():
                tensors[f"optimizer/{key}/{name}"] = value
    tensors["generator/cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["generator/cuda"] = torch.cuda.get_rng_state()
    copies = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    save_file(copies, folder / TENSORS)
    progressed = Progressed(step=len(log), log=tuple(log))
    (folder / PROGRESS).write_text(progressed.model_dump_json(), encoding="utf-8")


def load_state(folder: Path, roles: Roles, optimizers: Sequence[torch.optim.Optimizer]) -> tuple[LogRow, ...]:
    """Put everything back in place; returns the log so far."""
    tensors = load_file(folder / TENSORS)
    with torch.no_grad():
        for name, weight in _weights(roles).items():
            weight.copy_(tensors[name])
    for optimizer, named in zip(optimizers, _groups(roles), strict=True):
        for name, weight in named.items():
            state = {
                key: tensors[f"optimizer/{key}/{name}"]
                for key in ("step", "exp_avg", "exp_avg_sq")
                if f"optimizer/{key}/{name}" in tensors
            }
            if state:
                # Adam keeps its count of steps on the processor.
                optimizer.state[weight] = {
                    key: value if key == "step" else value.to(weight.device) for key, value in state.items()
                }
    torch.set_rng_state(tensors["generator/cpu"])
    if torch.cuda.is_available() and "generator/cuda" in tensors:
        torch.cuda.set_rng_state(tensors["generator/cuda"])
    return Progressed.model_validate_json((folder / PROGRESS).read_text(encoding="utf-8")).log


def _groups(roles: Roles) -> tuple[Parameters, Parameters]:
    return (
        {f"actor/{name}": weight for name, weight in roles.actor_parameters.items()},
        {f"critic/{name}": weight for name, weight in roles.critic_parameters.items()},
    )


def _weights(roles: Roles) -> dict[str, Tensor]:
    actor, critic = _groups(roles)
    return {**actor, **critic}
