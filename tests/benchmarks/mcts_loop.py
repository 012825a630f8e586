"""The straightforward expander: transformers' generate for each child and for each roll-out, from the full prompt."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from components.contracts.tool_calls import get_call_format
from components.contracts.tool_schemas import parse_tools
from components.mcts.expansion import turn_seed
from components.mcts.growing_turn import GrowingTurn, Siblings, TurnRules
from components.mcts.leaves import Failure, Leaf, Step
from components.mcts.self_evaluation import SelfEvaluation
from components.mcts.settings import MCTSSettings
from components.policy.load import Policy
from components.policy.noise_sampling import choose_by_noise


class GivenNumbers(LogitsProcessor):
    """Chooses by the same random numbers as the batched arm, and leaves nothing but the chosen token.

    place: of the first token in the turn that the seed is of.
    """

    def __init__(self, turn: GrowingTurn, settings: MCTSSettings, place: int) -> None:
        self._turn, self._settings, self._place = turn, settings, place
        self.going = True

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """scores: (1, vocabulary)."""
        chosen, logprobs = choose_by_noise(
            scores,
            [self._turn.seed],
            self._place,
            temperature=self._settings.temperature,
            top_p=self._settings.top_p,
        )
        self._place += 1
        self.going = self._turn.take(int(chosen), float(logprobs))
        return torch.full_like(scores, float("-inf")).scatter(1, chosen[:, None], 0.0)


class StepEnds(StoppingCriteria):
    """Stops once the step is known, or the turn is over."""

    def __init__(self, turn: GrowingTurn, numbers: GivenNumbers, *, rolls_out: bool) -> None:
        self._turn, self._numbers, self._rolls_out = turn, numbers, rolls_out

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        """(1,) boolean."""
        known = self._turn.step is not None and not self._rolls_out
        return torch.tensor([known or not self._numbers.going])


class LoopExpander:
    """`leaves.Expands`, one generate at a time; each judgement is a forward pass over its whole prompt."""

    def __init__(self, policy: Policy, settings: MCTSSettings) -> None:
        self.policy = policy
        self._settings = settings
        self._judge = SelfEvaluation(policy.chat)
        self._rules = TurnRules(
            chat=policy.chat,
            call_format=get_call_format(policy.chat.call_format),
            kind=settings.step,
            most_tokens=settings.max_new_tokens,
            most_step_tokens=settings.max_step_tokens,
            context=policy.model.config.max_position_embeddings,
        )

    @torch.inference_mode()
    def expand(self, leaves: Sequence[Leaf]) -> list[list[Step] | Failure]:
        """See `Expands`; equal steps are rolled out and judged once here, too."""
        return [self._expand(leaf) for leaf in leaves]

    def _expand(self, leaf: Leaf) -> list[Step]:
        prompt = tuple(
            self.policy.chat.encode(leaf.prompt.messages, leaf.prompt.tools, generation_prompt=True).ids
        )
        steps: dict[tuple[int, ...], Step] = {}
        for number in range(leaf.width):
            seed = turn_seed(leaf.seed, number)
            turn = self._generate(leaf, prompt, leaf.path, seed)
            ids = tuple(turn.sampled[: turn.step])
            if ids in steps:
                continue
            complete = turn.outcome in ("stop", "complete")
            over = complete and turn.step == len(turn.sampled)
            rest: tuple[int, ...] = ()
            if len(turn.sampled) > len(ids) and turn.outcome != "step":
                rolled = self._generate(leaf, prompt, leaf.path + ids, seed, after=len(ids))
                rest, complete = tuple(rolled.sampled), rolled.outcome in ("stop", "complete")
            steps[ids] = Step(
                token_ids=ids,
                logprobs=tuple(turn.logprobs[: turn.step]),
                terminal=over,
                text=self.policy.chat.decode(ids),
                rollout_ids=rest,
                rollout_complete=complete,
                self_evaluation=self._evaluate(leaf, ids),
            )
        return list(steps.values())

    def _generate(
        self,
        leaf: Leaf,
        prompt: tuple[int, ...],
        path: tuple[int, ...],
        seed: int,
        *,
        after: int = 0,
    ) -> GrowingTurn:
        """after: tokens of the step that a roll-out is to go on from, the last of `path`; 0 samples a step."""
        turn = GrowingTurn(
            self._rules,
            prompt,
            path,
            seed,
            number=0,
            siblings=Siblings(),
            last=bool(after) or leaf.room == 1,
            tools=parse_tools(leaf.question.offered),
        )
        numbers = GivenNumbers(turn, self._settings, after)
        ids = torch.tensor([[*prompt, *path]])
        self.policy.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=self._settings.max_new_tokens - len(path),
            do_sample=False,
            logits_processor=LogitsProcessorList([numbers]),
            stopping_criteria=StoppingCriteriaList([StepEnds(turn, numbers, rolls_out=bool(after))]),
        )
        return turn

    def _evaluate(self, leaf: Leaf, ids: tuple[int, ...]) -> float | None:
        if not self._settings.self_evaluation:
            return None
        text = self.policy.chat.decode((*leaf.path, *ids))
        ((shared, rest),) = self._judge.prompts(leaf.question, parse_tools(leaf.question.offered), [text])
        logits = self.policy.model(input_ids=torch.tensor([[*shared, *rest]]), logits_to_keep=1).logits[0, -1]
        return float(logits.float().softmax(-1)[self._judge.answer_id])
