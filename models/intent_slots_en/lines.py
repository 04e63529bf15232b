"""Lines `utterance TAB meaning` (vehicle-functions.toml) as numbers: tokens, segments, and the target of each head.

Tokens come from the product itself (`words`, an example of the crate troika-voice), so training and driving cut words alike.
"""

import math
import re
import shlex
import subprocess
import tomllib

import numpy as np

# Most tokens of an utterance: longer ones are conversations, and the matcher gives up at 48.
MOST = 40
# Words that may begin another command.
JOINS = {"and", "then", "also", "plus", "but"}
OTHER = ["dialogue", "reject", "ask"]


class Schema:
    """The heads, made from the catalogue: intents, categorical slots, numeric slots with their constants, free slots."""

    def __init__(self, catalogue):
        functions = tomllib.load(open(catalogue, "rb"))["function"]
        self.functions = {f["name"]: f["slots"] for f in functions}
        # `several`: more than one command; each of its segments is looked at by itself.
        self.intents = list(self.functions) + OTHER + ["several"]
        self.choices, self.numbers, self.spans = {}, {}, {}
        for name, slots in self.functions.items():
            for slot, values in slots.items():
                key = f"{name}.{slot}"
                if isinstance(values, list):
                    self.choices[key] = values
                elif ".." in values:
                    low, high = values.split()[0].split("..")
                    self.numbers[key] = (float(low), float(high))
                else:
                    self.spans[key] = None
        # What stands for a number without being one: "halfway", "full", "medium".
        self.constants = [0, 1, 2, 3, 5, 10, 20, 25, 33, 50, 66, 75, 100]


def tokens(program, utterances):
    """Of each utterance: its tokens (norm, is it a number, first and last spoken word, after a pause) and its spoken words."""
    done = subprocess.run([program], input="\n".join(utterances) + "\n", capture_output=True, text=True, check=True)
    out = []
    for line in done.stdout.split("\n")[: len(utterances)]:
        left, right = line.split("\x1d")
        words = [w.split("\x1f") for w in left.split("\x1e")] if left else []
        out.append(([(w[0], w[1] == "1", int(w[2]), int(w[3]), w[4] == "1") for w in words],
                    right.split("\x1e") if right else []))
    return out


def meaning(text):
    """A meaning as a list of (function, {slot: value}), or one word of OTHER."""
    if text in OTHER:
        return text
    calls = []
    for call in text.split(" ; "):
        words = shlex.split(call)
        calls.append((words[0], dict(word.split("=", 1) for word in words[1:])))
    return calls


def bare(text):
    """Free text as it is compared: lower case, no punctuation, no leading article."""
    words = re.sub(r"[^a-z0-9à-ÿ ]", "", text.lower().replace("-", " ").replace("’", "'").replace("'", "")).split()
    return " ".join(words[1:] if len(words) > 1 and words[0] in ("the", "a", "an") else words)


class Example:
    """One utterance, or one segment of it (`focus`), with what it means."""

    __slots__ = ("toks", "spoken", "focus", "intent", "slots", "cuts", "source")

    def __init__(self, toks, spoken, focus, intent, slots, cuts=(), source=""):
        self.toks, self.spoken, self.focus = toks, spoken, focus
        self.intent, self.slots, self.cuts, self.source = intent, slots, cuts, source


def span_of(example, value, low=0, high=None):
    """First and last token of a free text value, or None."""
    wanted = bare(value).split()
    high = len(example.toks) if high is None else high
    spoken = [re.sub(r"[^a-z0-9à-ÿ]", "", w) for w in example.spoken]
    for i in range(len(spoken)):
        j, k = i, 0
        while j < len(spoken) and k < len(wanted) and spoken[j] == wanted[k]:
            j, k = j + 1, k + 1
        if k == len(wanted) and k:
            first = [t for t, w in enumerate(example.toks) if w[2] <= i < w[3]]
            last = [t for t, w in enumerate(example.toks) if w[2] <= j - 1 < w[3]]
            if first and last and first[0] >= low and last[-1] < high:
                return first[0], last[-1]
    return None


def targets(schema, example):
    """Of an example: {head: target}; for numbers a token's index or MOST + the constant's; None when it cannot be said."""
    out = {}
    for slot, value in example.slots.items():
        key = f"{example.intent}.{slot}"
        if key in schema.choices:
            out[key] = schema.choices[key].index(value)
        elif key in schema.numbers:
            number = float(value)
            at = [i for i, w in enumerate(example.toks) if w[1] and float(w[0]) == number and example.focus[i]]
            if at:
                # The last one said: what comes before is corrected by it.
                out[key] = at[-1]
            elif number in schema.constants:
                out[key] = MOST + schema.constants.index(number)
            else:
                return None
        else:
            span = span_of(example, value)
            if span is None:
                return None
            out[key + ".first"], out[key + ".last"] = span
    return out


class Cutter:
    """Where the commands of one utterance part: the cuts under which each segment's words fit its function best."""

    def __init__(self, singles):
        self.seen, self.total = {}, {}
        for example in singles:
            for word in {w[0] for w in example.toks}:
                self.seen[(example.intent, word)] = self.seen.get((example.intent, word), 0) + 1
                self.total[word] = self.total.get(word, 0) + 1

    def fit(self, words, function):
        return sum(math.log((self.seen.get((function, w), 0) + 0.1) / (self.total.get(w, 0) + 2.0)) for w in words)

    def cut(self, toks, calls):
        """Segments [(first, end)] of the calls, or None."""
        places = [i for i in range(1, len(toks)) if toks[i][0] in JOINS or (toks[i][4] and toks[i - 1][0] not in JOINS)]

        def best(start, calls):
            if len(calls) == 1:
                segment = (start, len(toks))
                return self.fit([w[0] for w in toks[start:]], calls[0][0]), [segment]
            found = None
            for place in places:
                if place <= start:
                    continue
                after = place
                while after < len(toks) and toks[after][0] in JOINS:
                    after += 1
                rest = best(after, calls[1:]) if after < len(toks) else None
                if rest is None:
                    continue
                score = self.fit([w[0] for w in toks[start:place]], calls[0][0]) + rest[0]
                if found is None or score > found[0]:
                    found = score, [(start, place)] + rest[1]
            return found

        found = best(0, calls)
        return found and found[1]


def read(files, program, schema):
    """All lines of the files as examples: (singles and others, wholes of several with their segments)."""
    rows = []
    for file in files:
        for line in open(file, encoding="utf8"):
            line = line.rstrip("\n")
            if line and not line.startswith("#"):
                rows.append((*line.split("\t")[:2], file))
    cut = tokens(program, [row[0] for row in rows])
    one, many = [], []
    for (utterance, text, file), (toks, spoken) in zip(rows, cut):
        if not toks or len(toks) > MOST:
            continue
        means = meaning(text)
        if isinstance(means, str):
            one.append(Example(toks, spoken, [1] * len(toks), means, {}, source=file))
        elif len(means) == 1:
            one.append(Example(toks, spoken, [1] * len(toks), means[0][0], means[0][1], source=file))
        else:
            many.append((toks, spoken, means, file))
    cutter = Cutter([e for e in one if e.intent in schema.functions])
    several = []
    for toks, spoken, means, file in many:
        segments = cutter.cut(toks, means)
        if segments is None:
            continue
        whole = Example(toks, spoken, [1] * len(toks), "several", {}, [s[0] for s in segments[1:]], file)
        parts = [Example(toks, spoken, [int(a <= i < b) for i in range(len(toks))], name, slots, source=file)
                 for (a, b), (name, slots) in zip(segments, means)]
        several.append((whole, parts))
    return one, several
