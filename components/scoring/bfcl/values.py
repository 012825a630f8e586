"""Types and values of one argument as BFCL's AST checker compares them, slips included.

Values are JSON's; `answers` are a parameter's accepted values, where "" stands for "may be left out". Verdicts
must equal the official ones, so these of its ways are kept:

- Texts are equal without case, spaces and any of `,./-_*^`, with ' as ": "1.5" is "15", "3/4" is "34".
- Texts in a list are compared so at its first level only, those in a dictionary as its values only.
- "" in the accepted values of a list accepts the empty list, and lets items of any type pass the type check.
- 1 is accepted for 1.0 where a float is declared, but not in a list; True equals 1 within a list or dictionary.
- An answer of another type than the declared one is a variable's name: a value of that type is compared exactly.

Where the official checker fails with an exception (items that are no dictionaries in a list of them, say), the
value is wrong here.
"""

from collections.abc import Collection, Sequence
from typing import Any

from components.scoring.bfcl.faults import Fault
from components.scoring.calls import WRONG_CONTENT

OPTIONAL = ""
_IGNORED = str.maketrans({**dict.fromkeys(" ,./-_*^"), "'": '"'})


def standardized(value: Any) -> Any:
    """A text as it is compared; anything else as it is."""
    return value.translate(_IGNORED).lower() if type(value) is str else value


def check_type(
    name: str, value: Any, answers: Sequence[Any], expected: type, items: type | None
) -> tuple[Fault | None, bool]:
    """The fault of a value's type, if any, and whether the value counts as a variable's name.

    expected: the declared type. items: that of a list's items; None where they are not checked.
    """
    answered = _answered_type(answers)
    if type(value) is expected:
        variable = answered is not None and answered is not expected
        if items is None or any(_items_fit(value, answer, items) for answer in answers):
            return None, variable
        if answered is expected:
            text = f"{name}: expected a list of {items.__name__}, got {value!r}"
            return Fault("type_error:nested", WRONG_CONTENT, text), False
    elif answered is not None and type(value) is answered:
        return None, True
    text = f"{name}: expected {expected.__name__}, got {type(value).__name__} {value!r}"
    return Fault("type_error:simple", WRONG_CONTENT, text), False


def check_text(name: str, value: str, answers: Sequence[Any]) -> Fault | None:
    """The fault of a text that equals no accepted one."""
    if value in answers:
        return None
    wanted = standardized(value)
    for answer in answers:
        if type(answer) is str and standardized(answer) == wanted:
            return None
    return _wrong("value_error:string", name, value, answers)


def check_list(name: str, value: Sequence[Any], answers: Sequence[Any]) -> Fault | None:
    """The fault of a list that equals no accepted one."""
    if value in answers:
        return None
    wanted = [standardized(item) for item in value]
    if any(wanted == [standardized(item) for item in _items(answer)] for answer in answers):
        return None
    return _wrong("value_error:list/tuple", name, value, answers)


def check_dictionary(name: str, value: Any, answers: Sequence[Any]) -> Fault | None:
    """The fault of a dictionary that no accepted one takes; each holds the accepted values of every key."""
    found: Fault | None = Fault("dict_checker:unclear", WRONG_CONTENT, f"{name}: no dictionary is accepted")
    for answer in answers:
        if answer != OPTIONAL:
            found = _against_dictionary(name, value, answer)
            if found is None:
                return None
    return found


def check_dictionaries(name: str, value: Sequence[Any], answers: Sequence[Any]) -> Fault | None:
    """The fault of a list of dictionaries that no accepted one takes, item by item in order."""
    found: Fault | None = Fault("list_dict_checker:unclear", WRONG_CONTENT, f"{name}: no list is accepted")
    for answer in answers:
        if not isinstance(answer, list | str) or len(answer) != len(value):
            text = f"{name}: expected a list of another length, got {len(value)} dictionaries"
            found = Fault("value_error:list_dict_count", WRONG_CONTENT, text)
            continue
        faults = (check_dictionary(name, item, [one]) for item, one in zip(value, answer, strict=True))
        found = next((fault for fault in faults if fault is not None), None)
        if found is None:
            return None
    return found


def check_plain(name: str, value: Any, answers: Sequence[Any]) -> Fault | None:
    """The fault of a number, truth value or variable's name that is not among the accepted ones."""
    return None if value in answers else _wrong("value_error:others", name, value, answers)


def _answered_type(answers: Sequence[Any]) -> type | None:
    for answer in answers:
        if answer != OPTIONAL:
            return type(answer)
    return None


def _items_fit(value: Any, answer: Any, items: type) -> bool:
    if type(answer) is not list:
        return True
    answered = _answered_type(answer)
    return all(type(item) is items or type(item) is answered for item in value)


def _items(answer: Any) -> Collection[Any]:
    return answer if isinstance(answer, list | str) else (object(),)


def _against_dictionary(name: str, value: Any, answer: Any) -> Fault | None:
    if type(value) is not dict or type(answer) is not dict:
        return _wrong("value_error:dict_value", name, value, [answer])
    fault = None
    for key, item in value.items():
        if key not in answer:
            fault = Fault("value_error:dict_key", WRONG_CONTENT, f"{name}: unexpected key {key!r}")
            break
        if standardized(item) not in [standardized(one) for one in _items(answer[key])]:
            fault = _wrong("value_error:dict_value", f"{name}.{key}", item, answer[key])
            break
    for key, accepted in answer.items():
        if key not in value and OPTIONAL not in _items(accepted):
            return Fault("value_error:dict_key", WRONG_CONTENT, f"{name}: no key {key!r}")
    return fault


def _wrong(kind: str, name: str, value: Any, answers: Sequence[Any]) -> Fault:
    return Fault(kind, WRONG_CONTENT, f"{name}: {value!r} is none of {answers!r}")
