"""How services, libraries and agent frameworks word their errors, and what successful calls return: data only.

A wording module holds three names, and nothing but data:

- `FAILURES`: for every category the whole replies of services that report such a failure, in words.
- `REPLIES`: whole replies of calls that succeeded; none may be taken for a failure.
- `ARTICLES`: (title, text) about errors and the like, found by search; none may be taken for a failure.

In a wording `<tool>` stands for the called tool's name, `<parameter>` for the name of its first argument and `<value>` for that
argument's value; nothing else is replaced. The calls are valid ones, so that the text alone decides.

There are development sets by several authors, from which rules may be made: `by_manner` (joined from `web`, `agents`, `chatty`,
`short` and `terse`), `plain`, `home_made` and `frameworks`. `held_out`, where it is there, judges: it was written without sight of
the classifier and of the development sets, and may not be looked at when rules are made.
"""
