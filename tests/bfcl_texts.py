"""Java and JavaScript values as a model may write them, right, wrong and cut short. Not a test."""

import random
from collections.abc import Iterator

_PLAIN = (
    "1",
    "-20",
    "3.5",
    "1e3",
    "2.5f",
    "7L",
    "9n",
    "true",
    "false",
    "null",
    "nan",
    "1_0",
    "x",
    "a.b",
    "f(x)",
    "'c'",
    '"text"',
    '"two, words"',
    "'it'",
    '"}"',
    '"]"',
    "",
    " ",
    "key: 1",
    "[1, 2]",
    "{k: 2}",
)
_EDITS = (*"[](){}<>,:;\"' \n\t1aLfn", "}}", "{{", "new ", "add(", 'put("', "\\", "]]", "[[")
_JAVA_TYPES = (
    "integer",
    "long",
    "float",
    "double",
    "boolean",
    "char",
    "String",
    "any",
    "Array",
    "ArrayList",
    "HashMap",
)
_JS_TYPES = ("String", "integer", "float", "Bigint", "Boolean", "dict", "array", "any")
_JAVA_ITEMS = (None, "integer", "long", "float", "boolean", "char", "String", "any")
_JS_ITEMS = (None, "String", "integer", "float", "Boolean", "dict", "array", "any")


def written_values(language: str, source: random.Random, count: int) -> Iterator[tuple[str, str, str | None]]:
    """(text, declared type, type of a list's items). language: "java" or "js"."""
    types, items = (_JAVA_TYPES, _JAVA_ITEMS) if language == "java" else (_JS_TYPES, _JS_ITEMS)
    make = _java if language == "java" else _javascript
    lists = ("Array", "ArrayList", "HashMap", "array", "dict")
    for _ in range(count):
        declared = source.choice([*types, *[one for one in types if one in lists] * 3])
        text = make(source)
        for _ in range(source.choice((0, 0, 0, 1, 1, 2, 4))):
            place = source.randrange(len(text) + 1)
            text = text[:place] + source.choice(_EDITS) + text[place + source.randint(0, 2) :]
        yield text, declared, source.choice(items)


def _parts(source: random.Random) -> list[str]:
    return [source.choice(_PLAIN) for _ in range(source.randint(0, 4))]


def _space(source: random.Random) -> str:
    return source.choice(("", "", " ", "\n", "  "))


def _java(source: random.Random) -> str:
    space, parts = _space(source), _parts(source)
    joined = f",{space}".join(parts)
    kind = source.choice(("", "String", "Object", "Map<String, Integer>"))
    added = f";{space}".join(f"add({part})" for part in parts)
    put = f";{space}".join(f'put("{source.choice("kl")}",{space}{part})' for part in parts)
    return source.choice(
        (
            source.choice(_PLAIN),
            f"new ArrayList<{kind}>(Arrays.asList({joined}))",
            f"new ArrayList<{kind}>(){space}{{{{{space}{added};{space}}}}}",
            f"new ArrayList<{kind}>()",
            f"new {kind}[]{space}{{{joined}}}",
            f"new HashMap<{kind}>(){space}{{{space}{{{space}{put};{space}}}{space}}}",
            f"new HashMap<{kind}, {kind}>{space}() {{ {put} }}",
            f"new HashMap<{kind}>()",
        )
    )


def _javascript(source: random.Random) -> str:
    space, parts = _space(source), _parts(source)
    joined = f",{space}".join(parts)
    rows = f"{space},{space}".join(f"[{','.join(_parts(source))}]" for _ in range(source.randint(1, 3)))
    entries = f",{space}".join(
        f"{source.choice(('k', chr(34) + 'l' + chr(34)))}:{space}{part}" for part in parts
    )
    return source.choice(
        (
            source.choice(_PLAIN),
            f"[{joined}]",
            f"new Array({joined})",
            f"[{space}{rows}{space}]",
            f"new Array({rows})",
            f"{{{entries}}}",
            f"{{{entries}, m: {{{entries}}}}}",
            f"{space}{{}}",
        )
    )
