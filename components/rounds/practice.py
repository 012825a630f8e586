"""How varied and how sure what a policy sampled was, read once, as a stream.

Only traces that the policy itself sampled count: labeled traces hold users' and teachers' too, every round.

- distinct_texts: traces whose sampled text (all assistant turns) no earlier trace has / traces.
- distinct_bigrams: distinct pairs of adjacent words / pairs, within assistant turns (distinct-2: Li et al.
  2016, "A Diversity-Promoting Objective Function for Neural Conversation Models", Section 5). It falls
  with the amount of text: rounds are comparable when they sample alike.
- distinct_answers, distinct_first_actions: how many different ones a question has, on average; no answer
  and no call count as one; an action is a tool with its arguments, of traces that were offered tools.
- sampled_nats: the mean of -log p over sampled tokens, prefilled ones left out, in nats. The engines' log p is the
  policy's at temperature 1 over its whole vocabulary, so this estimates its entropy when practice samples
  at temperature 1 and top-p 1; below that it is the cross-entropy of what was sampled, which is lower.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise

from components.contracts.records import LabeledTrace, Trace
from components.rollout.prompts import offers_tools
from components.rounds.records import Practice
from components.scoring.answers import normalize_text


def measure_practice(traces: Iterable[LabeledTrace], model: str, adapter: str) -> Practice:
    """The figures of the traces that a policy sampled; shares and means are None where there is nothing to take.

    model, adapter: the policy by the base model's URI and the adapter's digest, empty for the base model itself.
    """
    count = trained = pairs = tokens = 0
    surprise = 0.0
    texts: set[tuple[str, ...]] = set()
    words: dict[str, int] = {}
    seen: set[tuple[int, int]] = set()
    answers: dict[str, set[str]] = defaultdict(set)
    actions: dict[str, set[str]] = defaultdict(set)
    for trace in traces:
        if (trace.model, trace.adapter) != (model, adapter):
            continue
        count += 1
        trained += any(label.trained for label in trace.labels)
        said = tuple(trace.messages[turn.message].content for turn in trace.turns)
        texts.add(said)
        for text in said:
            places = [words.setdefault(word, len(words)) for word in text.split()]
            seen.update(pairwise(places))
            pairs += max(0, len(places) - 1)
        answers[trace.question.id].add(normalize_text(trace.outcome.answer or ""))
        if offers_tools(trace.prompt):
            actions[trace.question.id].add(first_action(trace))
        sampled = list(sampled_logprobs(trace))
        tokens += len(sampled)
        surprise -= math.fsum(sampled)
    return Practice(
        traces=count,
        questions=len(answers),
        trained_traces=trained,
        trained_share=_share(trained, count),
        distinct_texts=_share(len(texts), count),
        distinct_bigrams=_share(len(seen), pairs),
        distinct_answers=_share(sum(map(len, answers.values())), len(answers)),
        distinct_first_actions=_share(sum(map(len, actions.values())), len(actions)),
        sampled_nats=_share(surprise, tokens),
        sampled_tokens=tokens,
    )


def first_action(trace: Trace) -> str:
    """The first attempted call as text, arguments in a fixed order; empty without a call."""
    if not trace.calls:
        return ""
    first = trace.calls[0]
    if first.call is None:
        return first.text
    return f"{first.call.name} {json.dumps(first.call.arguments, sort_keys=True)}"


def sampled_logprobs(trace: Trace) -> Iterator[float]:
    """log p of the tokens that were sampled, in nats; turns of engines that return only text have none."""
    for turn in trace.turns:
        if not turn.retokenized:
            yield from turn.logprobs[turn.prefilled :]


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None
