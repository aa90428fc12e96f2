# SPDX-License-Identifier: MIT
"""The schema and the parser say the same of a policy file.

policy_schema.py DSPCTL    for test_policy_schema.sh

A document with every key there is, is changed in one place at a time: keys that are missing or
unknown, values of other types, at the ends of their range and beyond. The schema's verdict on each
is compared with that of `dspctl policy check`.
"""

import copy
import itertools
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import jsonschema

SCHEMA = "policy/schema/dspbroker-policy.schema.json"
COMPLETE = "tests/fuzz/corpus/policy/shown.json"

# What no schema can say, by the broker's words for it. Each must occur, or it is no exception.
BEYOND_SCHEMAS = {
    "whether an account exists": r"there is no (user|group) ",
    "whether a domain exists": r"there is no domain ",
    "names that are taken": r"is already that of ",
    "rules that share a domain and want another": r"cannot share this with rule ",
    "a directory in two lists": r"this directory has been given already",
    "a directory that lies beneath another": r"lies beneath ",
    "1.0, a whole number to schemas": r"not a number with a fraction or an exponent",
    "a size as a string, beyond its range": r"or a string like \"64M\"",
    "a range of methods, its numbers": r"a range of methods must be like ",
    "a range of methods, its order": r"ends before it begins",
    "bytes, where schemas count characters": r"must have at most \d+ bytes",
}

# Of every type, and what is special in texts, numbers and lists.
VALUES = [
    None, True, False, 0, 1, -1, 2, 1.0, 0.5, 1e300, 10**30, -(10**30), 2**32 - 2, 2**32 - 1, 2**32,
    "", "a", "A", "a b", "a/b", "a//b", "/", "/a", "/a/", "/a//b", "/a/../b", "/.", "/a*", "*", "?",
    "*/*", "a/*", "x.service", ".service", "x.slice", "x.mount", "a.b-c_d", "a:b", "a\\x2db",
    "\x07", "a\u0000b", "\u00e4", "\u0085", "0-1", "5-2", "01-2", "0-4294967296", "1-", "64M", "0K",
    "64m", "99999G", "12", "true", "\u00e4" * 200, "root", "no-such-account",
    [], {}, [None], [1], ["a"], ["*"], ["d/s"], ["/a"], ["/a", "/a"], [["a"]], [{}],
    {"a": 1}, {"a b": 1}, {"a": "b"}, {"name": "a"},
]


def objects(schema):
    """Every part of a schema that lists keys of its own."""
    if isinstance(schema, dict):
        if schema.get("additionalProperties") is False:
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


def parser_keys():
    """The keys of each table of fields, as the parser's sources have them."""
    for path in sorted(pathlib.Path("policy").glob("policy_parse*.c")):
        text = path.read_text()
        for table in re.findall(r"struct field fields\[\] = \{\n(.*?)\n\t\};\n", text, re.S):
            names = re.findall(r'\.name = "([^"]+)"|\b[A-Z]+\("?([a-z_]+)"?,', table)
            yield frozenset(first or second for first, second in names)


def places(value, path=()):
    """The path of every value in a document."""
    yield path
    if isinstance(value, dict):
        for key, child in value.items():
            yield from places(child, path + (key,))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from places(child, path + (index,))


def keys(path):
    """The same place in another entry of a list has the same keys."""
    return tuple(step if isinstance(step, str) else "" for step in path)


def kinds_of_places(document):
    """One place of each kind, that is of those with the same keys and type."""
    known = set()
    for path in places(document):
        kind = (keys(path), type(at(document, path)))
        if kind not in known:
            known.add(kind)
            yield path


def at(document, path):
    for step in path:
        document = document[step]
    return document


def changed(document, path, value):
    if not path:
        return copy.deepcopy(value)
    document = copy.deepcopy(document)
    at(document, path[:-1])[path[-1]] = copy.deepcopy(value)
    return document


def without(document, path):
    document = copy.deepcopy(document)
    del at(document, path[:-1])[path[-1]]
    return document


def limits(schema, part):
    """The ends of each range, what lies beyond them, and each word and what is almost one."""
    if not isinstance(part, dict):
        return
    if "$ref" in part:
        yield from limits(schema, schema["definitions"][part["$ref"].rpartition("/")[2]])
    for key in ("minimum", "maximum"):
        if key in part:
            yield from (part[key] - 1, part[key], part[key] + 1)
    for word in part.get("enum", []):
        if isinstance(word, str):
            yield from (word, word.upper(), word[:-1])
    if longest := part.get("maxLength"):
        for size in (longest, longest + 1):
            yield from ("a" * size, "/" + "s" * (size - 1), "d/" + "s" * (size - 2))
            yield "u" * (size - 8) + ".service"
    for branch in part.get("anyOf", []) + [part.get("items")]:
        yield from limits(schema, branch)


def limits_by_key(schema):
    found = {}
    for part in objects(schema):
        for key, value in part["properties"].items():
            found.setdefault(key, []).extend(limits(schema, value))
    return found


def distinct(values):
    seen = set()
    for value in values:
        text = json.dumps(value)
        if text not in seen:
            seen.add(text)
            yield value


def one_change(complete, schema):
    """Changes of one place of the complete document."""
    special = limits_by_key(schema)
    for path in kinds_of_places(complete):
        value = at(complete, path)
        if path:
            yield without(complete, path)
        if isinstance(value, dict):
            yield changed(complete, path + ("x",), 1)
        if isinstance(value, list) and value:
            for count in (2, 16, 17, 64, 65, 1024, 1025):
                yield changed(complete, path, [value[0]] * count)
        key = next((step for step in reversed(path) if isinstance(step, str)), "")
        for other in VALUES + special.get(key, []):
            yield changed(complete, path, other)


def combinations(complete):
    """Each key with each kind of rule, device and domain; what depends on each other is here."""
    kinds = {
        "rules": [
            ("action", ["allow", "deny"]),
            ("verbs", [None, ["open"], ["list"], ["open", "kick"], ["kick", "stop"]]),
        ],
        "devices": [
            ("transport", [None, "fastrpc", "qda", "rpmsg", "soft"]),
            ("lifecycle", [None, "external", "on-demand", "always"]),
            ("remoteproc", [None, "m4"]),
        ],
        "domains": [
            ("kind", [None, "user", "root", "audio", "sensors"]),
            ("signed", [None, False, True]),
        ],
    }
    for section, axes in kinds.items():
        known = {key: value for item in complete[section] for key, value in item.items()}
        required = {
            "rules": {"name": "x", "match": {"users": ["*"]}, "channels": ["d/s"]},
            "devices": {"name": "x"},
            "domains": {"name": "x"},
        }[section]
        for values in itertools.product(*(values for _, values in axes)):
            base = dict(required)
            for (key, _), value in zip(axes, values):
                if value is not None:
                    base[key] = value
            for key, value in known.items():
                document = {"version": 1, "rules": [], "domains": []}
                if key == "domain":
                    document["domains"] = [{"name": value}]
                document[section] = document.get(section, []) + [{**base, key: value}]
                yield document


def beyond(complete):
    """One of each that no schema can refuse."""
    rule = {"name": "x", "action": "allow", "match": {"users": ["*"]}, "channels": ["d/s"]}
    yield {"version": 1, "rules": [rule, rule]}
    yield {"version": 1, "rules": [{**rule, "domain": "gone"}]}
    yield {"version": 1, "rules": [], "domains": [{"name": "x", "read": ["/a"], "write": ["/a"]}]}
    yield {"version": 1, "rules": [], "domains": [{"name": "x", "read": ["/a/b"], "write": ["/a"]}]}
    yield {
        "version": 1,
        "rules": [
            {**rule, "share_domain": "s"},
            {**rule, "name": "y", "share_domain": "s", "domain": "d"},
        ],
        "domains": [{"name": "d"}],
    }
    yield {**complete, "$schema": SCHEMA}


class Check:
    """What the broker says of a document."""

    def __init__(self, dspctl, folder):
        self.command = [dspctl, "policy", "check", folder]
        self.path = pathlib.Path(folder) / "t.json"

    def __call__(self, text):
        self.path.write_text(text)
        done = subprocess.run(self.command, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            sys.exit(f"dspctl: exit code {done.returncode}: {done.stderr}")
        return done.returncode == 0, done.stderr


def compare(documents, validator, check):
    """Returns (accepted, refused, beyond schemas, differences)."""
    accepted, refused, seen, differences = 0, 0, set(), []
    for document in documents:
        text = json.dumps(document)
        schema_says = validator.is_valid(document)
        broker_says, why = check(text)
        accepted += broker_says
        refused += not broker_says
        if schema_says == broker_says:
            continue
        excuse = [name for name, words in BEYOND_SCHEMAS.items() if re.search(words, why)]
        if schema_says and excuse:
            seen.update(excuse)
        else:
            differences.append((text, f"schema: {schema_says}, broker: {broker_says} {why}"))
    return accepted, refused, seen, differences


def main():
    schema = json.loads(pathlib.Path(SCHEMA).read_text())
    complete = json.loads(pathlib.Path(COMPLETE).read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    problems = []

    said = {frozenset(part["properties"]) for part in objects(schema)}
    known = set(parser_keys())
    if said != known:
        problems.append(f"keys of the schema alone: {said - known}")
        problems.append(f"keys of the parser alone: {known - said}")
    used = {step for path in places(complete) for step in path}
    if missing := set().union(*said) - used - {"$schema"}:
        problems.append(f"{COMPLETE} does not use {missing}")

    documents = itertools.chain(one_change(complete, schema), combinations(complete), beyond(complete))
    with tempfile.TemporaryDirectory() as folder:
        check = Check(sys.argv[1], folder)
        accepted, refused, seen, differences = compare(
            distinct(documents), jsonschema.Draft7Validator(schema), check)
    for text, why in differences[:20]:
        problems.append(f"{why.strip()}: {text}")
    for name in BEYOND_SCHEMAS.keys() - seen:
        problems.append(f"did not occur: {name}")
    print(f"{accepted} documents accepted, {refused} refused, {len(differences)} differences")
    if problems or not accepted or not refused:
        sys.exit("\n".join(problems) or "one verdict alone")


main()
