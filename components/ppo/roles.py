"""Actor, critic and reference: three adapters on one base model, or three whole models.

- actor: what came in, trained; the only one that is shipped.
- reference: what came in, frozen. With LoRA it is a second, frozen copy of the incoming adapter; the
  base model with its adapters switched off is the reference only when no adapter came in.
- critic: what came in with a value head, trained.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from components.policy.load import Policy, holds_whole_model, load_policy
from components.policy.new_adapter import add_new_adapter
from components.policy.save import save_weights
from components.policy.settings import ModelSettings
from components.policy.value_head import ValueHead
from components.ppo.settings import PPOSettings

ACTOR, REFERENCE, CRITIC = "default", "reference", "critic"  # the names under which peft knows them
Parameters = dict[str, nn.Parameter]


class Roles:
    """Hands out the model of a role; `actor_parameters` and `critic_parameters` are what is trained.

    policy: its model is the actor, so that what samples from it follows the training. No role ever has
    dropout: it would make the ratio differ from 1 where nothing has changed.
    """

    def __init__(self, policy: Policy, *, whole: bool, adapter_came_in: bool) -> None:
        self.policy = policy
        self._adapters = not whole
        self._has_reference = adapter_came_in
        model = policy.model
        size = int(model.config.get_text_config().hidden_size)
        self.head = ValueHead(size).to(policy.device)
        if self._adapters:
            for name in (CRITIC, *([REFERENCE] if adapter_came_in else ())):
                _copy_adapter(model, name)
            self._critic = self._reference = model.eval()  # new layers begin in training mode
            self._activate(ACTOR)
            self.actor_parameters = _adapter_parameters(model, ACTOR)
            self.critic_parameters = _adapter_parameters(model, CRITIC)
        else:
            self._reference, self._critic = copy.deepcopy(model.eval()), copy.deepcopy(model)
            self._reference.requires_grad_(False)
            for each in (model, self._critic):
                each.requires_grad_(True)
            self.actor_parameters = dict(model.named_parameters())
            self.critic_parameters = dict(self._critic.named_parameters())
        head = {f"value_head.{name}": weight for name, weight in self.head.named_parameters()}
        self.critic_parameters |= head

    @contextmanager
    def actor(self) -> Iterator[Any]:
        """The causal language model that is trained."""
        yield _causal(self.policy.model)

    @contextmanager
    def critic(self) -> Iterator[Any]:
        """The causal language model below the value head; its own output layer is not used."""
        with self._active(CRITIC):
            yield _causal(self._critic)

    @contextmanager
    def reference(self) -> Iterator[Any]:
        """The frozen causal language model that the actor is held near."""
        if self._adapters and not self._has_reference:
            with self._reference.disable_adapter():
                yield _causal(self._reference)
            self._activate(ACTOR)
            return
        with self._active(REFERENCE):
            yield _causal(self._reference)

    @contextmanager
    def _active(self, name: str) -> Iterator[None]:
        """Adapter `name` on the shared base inside the block, the actor's outside."""
        if not self._adapters:
            yield
            return
        self._activate(name)
        try:
            yield
        finally:
            self._activate(ACTOR)

    def _activate(self, name: str) -> None:
        """Switch adapters; peft freezes all others then, which gradients on their way must not see."""
        model = self.policy.model
        model.set_adapter(name)
        model.set_requires_grad([ACTOR, CRITIC])
        if self._has_reference:
            model.set_requires_grad(REFERENCE, requires_grad=False)


def load_roles(
    base_model: str, settings: PPOSettings, call_format: str, initial: Path | None = None
) -> Roles:
    """Load the policy that PPO begins with.

    lora: the `initial` adapter, or a new one when there is none or `initial` holds a whole model. full:
    every weight in float32, an initial adapter merged in.

    Raises:
        InputError: what `load_policy` refuses; lora_targets that the model does not have.
    """
    full = settings.method == "full"
    policy = load_policy(
        base_model,
        adapter=initial,
        settings=ModelSettings(dtype="float32" if full else settings.dtype),
        call_format=call_format,
        trainable=not full,
        merge=full,
    )
    came_in = initial is not None and not holds_whole_model(initial)
    if not full and not came_in:
        policy.model = _with_new_adapter(policy.model, settings)
    return Roles(policy, whole=full, adapter_came_in=came_in)


def save_actor(
    roles: Roles, settings: PPOSettings, folder: Path, base_model: str, initial: Path | None
) -> None:
    """Write the actor as the files of an `adapter/1`: an adapter, or a whole model if one was trained or came in.

    An adapter on a whole model is merged in float32, as bfloat16 would swallow small steps.
    """
    policy = roles.policy
    if settings.method == "full" or initial is None or not holds_whole_model(initial):
        save_weights(policy.model, policy.tokenizer, folder, base_model)
        return
    exact = load_policy(
        base_model, adapter=initial, settings=ModelSettings(dtype="float32", device="cpu")
    ).model
    exact = _with_new_adapter(exact, settings)
    own = _adapter_parameters(exact, ACTOR)
    for name, weight in roles.actor_parameters.items():
        own[name].data.copy_(weight.data)
    save_weights(exact.merge_and_unload(), policy.tokenizer, folder, base_model)


def _with_new_adapter(model: Any, settings: PPOSettings) -> Any:
    return add_new_adapter(
        model,
        rank=settings.lora_rank,
        alpha=settings.lora_alpha,
        dropout=0.0,
        targets=settings.lora_targets,
        seed=settings.seed,
        parameter="ppo_settings",
    )


def _copy_adapter(model: Any, name: str) -> None:
    """Add an adapter of the same shape and values as the actor's."""
    model.add_adapter(name, copy.deepcopy(model.peft_config[ACTOR]))
    copies = _adapter_parameters(model, name)
    for place, weight in _adapter_parameters(model, ACTOR).items():
        copies[place.replace(f".{ACTOR}", f".{name}")].data.copy_(weight.data)


def _adapter_parameters(model: Any, name: str) -> Parameters:
    """The weights of one adapter, by their full names."""
    marked = f".{name}."
    return {
        place: weight
        for place, weight in model.named_parameters()
        if marked in place or place.endswith(marked[:-1])
    }


def _causal(model: Any) -> Any:
    """The transformers model inside peft's wrapper, whose layers hold the adapters."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model
