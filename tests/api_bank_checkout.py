"""A small checkout in the layout of API-Bank's: classes of our own with databases and tokens, some that misbehave."""

import json
from pathlib import Path
from typing import Any

from components.contracts.records import ToolCall

BASE = """
class API:
    pass
"""
INIT = 'raise RuntimeError("the package itself is not to be run")\n'
TOKENS = """
from apis.api import API


class CheckToken(API):
    input_parameters = {"token": {"type": "str"}}
    database_name = "Users"

    def __init__(self, init_database=None):
        self.database = init_database

    def check(self, token):
        for name, user in self.database.items():
            if user["token"] == token:
                return name
        raise ValueError("invalid token")
"""
NOTES = '''
import itertools
import random
import socket
import time

from apis import API


class Notes(API):
    """What the others share: a database of notes, and the check of the token."""

    database_name = "Notes"
    input_parameters = {"token": {"type": "str"}, "text": {"type": "str"}, "stars": {"type": "int"}}

    def __init__(self, init_database=None, token_checker=None):
        self.database = init_database
        self.token_checker = token_checker

    def check_api_call_correctness(self, response, groundtruth):
        same = response.pop("input")["text"] == groundtruth.pop("input")["text"]
        return same and response == groundtruth

    def call(self, token, text, stars=1):
        print("noise on the standard output")
        try:
            output, exception = self.do(self.token_checker.check(token), text, stars), None
        except Exception as error:
            output, exception = None, str(error)
        return {"input": {"token": token, "text": text, "stars": stars}, "output": output, "exception": exception}


class AddNote(Notes):
    def do(self, user, text, stars):
        self.database[text] = [user, stars]
        return {"id": random.random(), "notes": len(self.database), "stars": stars}


class CountStars(Notes):
    def do(self, user, text, stars):
        return self.database[text][1] + stars


class Ask(Notes):
    def do(self, user, text, stars):
        return socket.create_connection(("localhost", 9))


class Read(Notes):
    def do(self, user, text, stars):
        return open(text).read()


class Search(Notes):
    def do(self, user, text, stars):
        while text == "forever":
            pass
        if text == "hours":
            time.sleep(3600)
        return 0

    def call(self, token, text, stars=1):
        if text == "everything":
            bytearray(1 << 40)
        return super().call(token, text, stars)


class Never(Notes):
    """Does not take even its own response for right."""

    def check_api_call_correctness(self, response, groundtruth):
        return response["input"]["time"] == groundtruth["input"]["time"]

    def do(self, user, text, stars):
        return 0


class Unmakeable(Notes):
    def __init__(self, *given):
        raise KeyError("model")
'''
MISSING = """
import a_package_that_nobody_has
from apis.api import API


class ToolSearcher(API):
    pass
"""
DATABASES: dict[str, dict[str, Any]] = {
    "Users": {"ann": {"token": "t-ann"}, "bo": {"token": "t-bo"}},
    "Notes": {"milk": ["ann", 3]},
}


def write_checkout(folder: Path) -> Path:
    """The folder `api-bank` under `folder`."""
    checkout = folder / "api-bank"
    (checkout / "apis").mkdir(parents=True)
    (checkout / "init_database").mkdir()
    files = {"__init__": INIT, "api": BASE, "check_token": TOKENS, "notes": NOTES, "tool_search": MISSING}
    for name, text in files.items():
        (checkout / "apis" / f"{name}.py").write_text(text, encoding="utf-8")
    for name, database in DATABASES.items():
        (checkout / "init_database" / f"{name}.json").write_text(json.dumps(database), encoding="utf-8")
    return checkout


def note_call(name: str, text: str = "milk", **arguments: Any) -> ToolCall:
    """A call with a valid token."""
    return ToolCall(name=name, arguments={"token": "t-ann", "text": text, **arguments})
