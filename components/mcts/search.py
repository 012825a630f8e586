"""Many trees that grow together: each round, the leaves of all of them are one batch to the expander.

What a tree comes to depends on its question, the settings and the policy alone: every sampling seed is made of the
question's id and the place in the tree, and virtual loss stays inside a tree. The checker judges turns that are over,
those of roll-outs as well; the expander never sees an outcome.

Where tools are executed, a step that ends a turn with calls has them executed, and its state is the beginning of the
next turn: prompt, calls and replies are the state's own, so that siblings never see each other's replies. A roll-out
goes on through as many turns as the conversation takes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from components.contracts.records import Question, ToolCall, ToolReply
from components.contracts.search_records import SearchTree
from components.contracts.tool_schemas import ToolSchema
from components.mcts.finished import record_of
from components.mcts.leaves import Expands, Failure, Leaf, Step
from components.mcts.settings import MCTSSettings
from components.mcts.states import Asked, Language, State, Turn, is_lost
from components.mcts.tree import FAILED, TERMINAL, TRUNCATED, Child, Node, Tree, prior_of
from components.rollout.prefill import sample_seed
from components.rollout.tool_retrieval import offer_tools
from components.rollout.tools_client import ToolsClient
from components.rollout.turn import Attempt

NO_STEP = "no step"
LOST = "the tools service lost a call"
# Of log-probabilities and self-evaluations, which the tree works with as well: in a batch of other leaves their last
# bits differ, and beyond these digits nothing would be decided by anything else.
DIGITS = 4


@dataclass(eq=False)
class Growth:
    """One tree while it grows."""

    asked: Asked
    tree: Tree


@dataclass(eq=False)
class _Draft:
    """A child while its outcome is being found out."""

    growth: Growth
    place: tuple[int, ...]
    state: State
    outcome: int | None = None
    ahead: int | None = None
    ending: str = ""

    def child(self) -> Child:
        step = self.state.step
        assert step is not None
        evaluation = step.self_evaluation or 0.0
        return Child(prior_of(step.logprobs), evaluation, self.outcome, self.ahead, self.ending, self.state)


@dataclass(eq=False)
class _Waiting:
    """A turn whose calls are to be executed. is_state: the draft is the state behind the replies, no roll-out."""

    draft: _Draft
    turn: Turn
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    attempts: tuple[Attempt, ...]
    is_state: bool = False


@dataclass
class Search:
    """Grows trees. client: None where nothing is executed. available: the service's tools, for questions that bring none.

    advanced: called with the number of simulations that came to an end.
    """

    expander: Expands
    language: Language
    settings: MCTSSettings
    client: ToolsClient | None = None
    available: tuple[ToolSchema, ...] = ()
    advanced: Callable[[int], None] = lambda simulations: None
    rollout_failures: Counter[str] = field(default_factory=Counter)

    def run(self, questions: Iterable[Question]) -> Iterator[SearchTree]:
        """A finished tree of each question, each as soon as it is finished; `settings.concurrent` grow together.

        Raises:
            InputError: a question names a tool that the service lacks.
        """
        waiting = iter(questions)
        growing: list[Growth] = []
        while True:
            growing += [self._plant(one) for one in islice(waiting, self.settings.concurrent - len(growing))]
            if not growing:
                return
            before = [growth.tree.finished for growth in growing]
            self._advance(growing)
            for growth, finished in zip(growing, before, strict=True):
                budget = growth.tree.simulations if growth.tree.done else growth.tree.finished
                self.advanced(budget - finished)
                if growth.tree.done:
                    yield record_of(growth.tree, growth.asked)
            growing = [growth for growth in growing if not growth.tree.done]

    def ask(self, question: Question) -> Asked:
        """The question with the tools that it is offered.

        Raises:
            InputError: it names a tool that the service lacks.
        """
        unavailable = self.client.unavailable if self.client is not None else {}
        tools = offer_tools(question, self.available, self.settings, unavailable)
        return Asked(question, tools, self.language, self.settings)

    def _plant(self, question: Question) -> Growth:
        settings, asked = self.settings, self.ask(question)
        tree = Tree(
            depth=settings.depth,
            simulations=settings.simulations,
            c=settings.c,
            gamma=settings.gamma,
            virtual_loss=settings.virtual_loss,
            payload=State(asked.begin()),
        )
        return Growth(asked, tree)

    def _advance(self, growing: Sequence[Growth]) -> None:
        """One round: select in every tree, expand all leaves together, judge, back up."""
        chosen = [(growth, node) for growth in growing for node in self._select(growth.tree)]
        if not chosen:
            return
        answers = self.expander.expand([self._leaf(growth, node) for growth, node in chosen])
        drafts = [
            [] if isinstance(answer, Failure) else self._draft(growth, node, answer)
            for (growth, node), answer in zip(chosen, answers, strict=True)
        ]
        self._judge([draft for siblings in drafts for draft in siblings])
        for (growth, node), answer, siblings in zip(chosen, answers, drafts, strict=True):
            if siblings:
                growth.tree.expand(node, [draft.child() for draft in siblings])
            else:
                growth.tree.fail(node, answer.reason if isinstance(answer, Failure) else NO_STEP)

    def _select(self, tree: Tree) -> list[Node]:
        nodes: list[Node] = []
        while len(nodes) < self.settings.leaves and (node := tree.select()) is not None:
            nodes.append(node)
        return nodes

    def _leaf(self, growth: Growth, node: Node) -> Leaf:
        state: State = node.payload
        question = growth.asked.question
        return Leaf(
            question=question,
            prompt=state.turn.conversation,
            path=state.path,
            seed=self._seed(question, node.path, "step"),
            width=self.settings.width,
            room=self.settings.depth - node.depth,
        )

    def _seed(self, question: Question, place: Sequence[int], purpose: str) -> int:
        return sample_seed(self.settings.seed, question.id, 0, f"{purpose} {'.'.join(map(str, place))}")

    def _draft(self, growth: Growth, node: Node, steps: Sequence[Step]) -> list[_Draft]:
        state: State = node.payload
        drafts = []
        for number, step in enumerate(map(_rounded, steps[: self.settings.width])):
            after = State(
                turn=state.turn,
                path=state.path + step.token_ids,
                logprobs=state.logprobs + step.logprobs,
                step=step,
                rollout=growth.asked.language.decode(step.rollout_ids) if step.rollout_ids else "",
            )
            drafts.append(_Draft(growth, (*node.path, number), after))
        return drafts

    def _judge(self, drafts: Sequence[_Draft]) -> None:
        """Find out the drafts' outcomes; calls are executed, and roll-outs go on, in batches over all trees."""
        waiting: list[_Waiting] = []
        for draft in drafts:
            asked, state, step = draft.growth.asked, draft.state, draft.state.step
            assert step is not None
            if step.truncated:
                draft.outcome, draft.ending = -1, TRUNCATED
                continue
            whole = state.path + step.rollout_ids
            verdict = asked.judge(state.turn, whole, complete=step.terminal or step.rollout_complete)
            if verdict.attempts:
                logprobs = state.logprobs + (0.0,) * len(step.rollout_ids)
                waiting.append(
                    _Waiting(draft, state.turn, whole, logprobs, verdict.attempts, is_state=step.terminal)
                )
            elif step.terminal:
                draft.outcome, draft.ending = verdict.outcome, TERMINAL
            else:
                draft.ahead = verdict.outcome
        while waiting:
            waiting = self._roll_on(self._execute(waiting))

    def _execute(self, waiting: Sequence[_Waiting]) -> list[tuple[_Draft, Turn]]:
        """Execute all calls in one batch; returns the turns that are to be written next."""
        replies = self._reply([attempt for one in waiting for attempt in one.attempts])
        following: list[tuple[_Draft, Turn]] = []
        for one in waiting:
            got = list(islice(replies, len(one.attempts)))
            draft = one.draft
            if is_lost(got):
                self.rollout_failures[LOST] += 1
                if one.is_state:
                    draft.ending = f"{FAILED}: {LOST}"
                continue
            turn = draft.growth.asked.go_on(one.turn, one.token_ids, one.logprobs, one.attempts, got)
            if one.is_state:
                draft.state = State(turn, step=draft.state.step)
            following.append((draft, turn))
        return following

    def _reply(self, attempts: Sequence[Attempt]) -> Iterator[ToolReply]:
        calls: list[ToolCall] = [one.call for one in attempts if one.reply is None and one.call is not None]
        if calls and self.client is None:
            raise ValueError("calls are to be executed, so the search needs a tools client")
        remote = iter(self.client.call_batch(calls) if self.client is not None and calls else ())
        return (one.reply if one.reply is not None else next(remote) for one in attempts)

    def _roll_on(self, following: Sequence[tuple[_Draft, Turn]]) -> list[_Waiting]:
        """Sample one whole turn for each; returns those that call tools again."""
        if not following:
            return []
        leaves = []
        for draft, turn in following:
            question, purpose = draft.growth.asked.question, f"roll-out {len(turn.turns)}"
            seed = self._seed(question, draft.place, purpose)
            leaves.append(Leaf(question, turn.conversation, (), seed, width=1, room=1, judged=False))
        again: list[_Waiting] = []
        for (draft, turn), answer in zip(following, self.expander.expand(leaves), strict=True):
            if isinstance(answer, Failure) or not answer:
                self.rollout_failures[answer.reason if isinstance(answer, Failure) else NO_STEP] += 1
                continue
            step = answer[0]
            ids = step.token_ids + step.rollout_ids
            verdict = draft.growth.asked.judge(turn, ids, complete=step.terminal or step.rollout_complete)
            if verdict.attempts:
                again.append(_Waiting(draft, turn, ids, (0.0,) * len(ids), verdict.attempts))
            else:
                draft.ahead = verdict.outcome
        return again


def _rounded(step: Step) -> Step:
    """The step with its probabilities as the tree and its record hold them."""
    evaluation = step.self_evaluation
    return replace(
        step,
        logprobs=tuple(round(one, DIGITS) for one in step.logprobs),
        self_evaluation=None if evaluation is None else round(evaluation, DIGITS),
    )
