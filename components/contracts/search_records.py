"""Records of a search: one finished tree each, and the pool that its question was taken from."""

from pydantic import Field

from components.contracts.records import AssistantTurn, Difficulty, Message, PromptVariant, Question, Record


class SearchNode(Record):
    """One state of a tree, and the step that led to it.

    parent: index into the tree's nodes, -1 for the root, whose step is empty. path: the children's places from the
    root. token_ids, logprobs: of the step alone, aligned, in nats. prior: exp(sum of logprobs / length^1.25).

    reward: R of this state less R of the parent's, R = outcome + self_evaluation. outcome: +1 or -1, of terminal
    states only. rollout_outcome: that of the state which the roll-out from here ended in. q = reward + gamma * value.
    value: of the states behind: of the children, weighted by max(1, visits); without children the roll-out's outcome.

    terminal: the step ends its turn. ending: why the state gets no children: "terminal", "truncated", "depth" or
    "failed: ..."; empty where it has some, or was never reached again. rollout: text of the rest of the turn that was
    sampled behind the step. turn: index into the tree's turns of the one that is being written; a child with another
    turn than its parent's begins it, and its step ended the one before.

    pair: of a state with children, what became of its best and worst child: "pair", or why there is none. role:
    "chosen" or "rejected" in the parent's pair, else empty.
    """

    parent: int
    path: tuple[int, ...]
    turn: int
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    text: str = ""
    prior: float = 1.0
    visits: int = 0
    value: float = 0.0
    q: float = 0.0
    reward: float = 0.0
    self_evaluation: float | None = None
    outcome: int | None = None
    rollout_outcome: int | None = None
    rollout: str = ""
    terminal: bool = False
    ending: str = ""
    pair: str = ""
    role: str = ""


class SearchTurn(Record):
    """The conversation that an assistant turn of the tree is written behind; more than one with executed tools.

    messages: up to the turn. turns: token ids of the assistant messages among them that the search sampled.
    """

    messages: tuple[Message, ...]
    turns: tuple[AssistantTurn, ...] = ()


class SearchTree(Record):
    """One question, searched. `nodes[0]` is the root; a parent always comes before its children.

    tools: JSON array of the offered OpenAI tool schemas. settings: digest of what decided the search. failures: reason
    -> expansions that failed so.
    """

    question: Question
    seed: int
    settings: str
    tools: str
    turns: tuple[SearchTurn, ...]
    nodes: tuple[SearchNode, ...]
    simulations: int
    expansions: int
    failures: dict[str, int] = Field(default_factory=dict)
    model: str = ""
    adapter: str = ""
    template_hash: str = ""
    call_format: str = ""
    native_tools: bool = False
    variant: PromptVariant = "multi_step"


class BufferEntry(Record):
    """One question of the pool: how hard it is for the policy, and whether it was searched.

    perplexity: of the gold response's tokens, at least 1; None where it was not measured. calls: whether the gold
    calls a tool. rank: 0 is the hardest. difficulty: the third of the pool by what the request demands, which needs
    no policy to be seen.
    """

    question_id: str
    perplexity: float | None
    calls: bool
    rank: int
    taken: bool
    difficulty: Difficulty = ""
