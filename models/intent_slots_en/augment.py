"""More lines from the lines there are: other numbers, other names, other sides, politeness, two in one breath, and what turns a
command into none. Every change keeps the meaning known."""

import copy

from lines import JOINS, MOST, OTHER, Example, span_of

FRONT = ["please", "hey", "ok", "okay", "um", "uh", "well", "so", "could you", "can you", "would you", "can you please",
         "could you please", "would you mind", "i would like you to", "i want you to", "hey troika", "troika", "hey car", "right",
         "go ahead and", "just", "alright", "yeah", "actually", "now", "quickly", "kindly", "hi", "do me a favour and"]
BACK = ["please", "thanks", "thank you", "now", "for me", "if you can", "would you", "will you", "right now", "mate", "quickly",
        "a bit please", "again", "today", "if possible", "cheers", "then", "when you can"]
# What makes of a command something that nobody asks of the car.
NOT_OURS = ["do not", "never", "please do not", "i told him to", "i told her to", "she said to", "he asked me to", "they said to",
            "you should not", "we should not", "he forgot to", "she forgot to", "why did you", "did you", "i told you to",
            "i never", "my brother always wants to", "he said", "she said", "yesterday he said", "mum said to", "dad told us to",
            "they always", "remind him to", "tell him to", "no need to", "there is no need to", "you do not have to",
            "i would not", "do not you dare", "if he had asked me to", "i was going to", "we used to"]
SIDES = {
    "position": {"front_left": ["driver's", "driver", "my", "front left", "left front", "driver side", "driver's side"],
                 "front_right": ["passenger", "passenger's", "front right", "right front", "passenger side", "front passenger"],
                 "rear_left": ["rear left", "back left", "left rear", "left back"],
                 "rear_right": ["rear right", "back right", "right rear", "right back"]},
    "seat": {"driver": ["driver's", "driver", "my"], "passenger": ["passenger", "passenger's", "front passenger"],
             "rear_left": ["rear left", "back left", "left rear"], "rear_right": ["rear right", "back right", "right rear"]},
}


def toks_of(phrase):
    return [(word, False, 0, 0, False) for word in phrase.split()]


class Augmenter:
    def __init__(self, schema, singles, several, names, random):
        self.schema, self.random = schema, random
        self.singles = [e for e in singles if e.intent in schema.functions]
        self.imperative = [e for e in self.singles if not e.toks[0][1] and e.toks[0][0] in VERBS]
        self.names = {slot: [n.split() for n in found] for slot, found in names.items()}

    def put(self, example, at, length, words):
        """`words` in the place of `length` tokens, with spoken words of their own."""
        e = copy.copy(example)
        if at < len(e.toks):
            spoken_at = e.toks[at][2]
        else:
            spoken_at = len(e.spoken)
        spoken_end = e.toks[at + length - 1][3] if length else spoken_at
        grown = len(words) - (spoken_end - spoken_at)
        new = [(w, False, spoken_at + i, spoken_at + i + 1, False) for i, w in enumerate(words)]
        after = [(n, f, a + grown, b + grown, p) for n, f, a, b, p in e.toks[at + length:]]
        inside = e.focus[min(at, len(e.focus) - 1)]
        e.toks = e.toks[:at] + new + after
        e.spoken = e.spoken[:spoken_at] + list(words) + e.spoken[spoken_end:]
        e.focus = list(e.focus[:at]) + [inside] * len(words) + list(e.focus[at + length:])
        e.cuts = [c if c <= at else c + len(words) - length for c in e.cuts]
        return e if len(e.toks) <= MOST else example

    def number(self, e):
        """Another number of the slot's range in the place of the one that is said."""
        for slot, value in e.slots.items():
            key = f"{e.intent}.{slot}"
            if key not in self.schema.numbers:
                continue
            at = [i for i, w in enumerate(e.toks) if w[1] and float(w[0]) == float(value)]
            if len(at) != 1:
                return e
            low, high = self.schema.numbers[key]
            new = int(self.random.integers(low, high + 1))
            if "celsius" in slot and self.random.random() < 0.25 and new < high:
                new += 0.5
            e = copy.copy(e)
            norm, _, a, b, pause = e.toks[at[0]]
            e.toks = list(e.toks)
            e.toks[at[0]] = (str(new), True, a, b, pause)
            e.slots = {**e.slots, slot: str(new)}
        return e

    def name(self, e):
        """Another name, place, song or text."""
        for slot, value in e.slots.items():
            if f"{e.intent}.{slot}" not in self.schema.spans or slot == "text" and self.random.random() < 0.5:
                continue
            span = span_of(e, value)
            pool = self.names.get(slot)
            if span is None or not pool:
                continue
            words = list(pool[self.random.integers(len(pool))])
            e = self.put(e, span[0], span[1] - span[0] + 1, words)
            if e.spoken[e.toks[span[0]][2]:e.toks[span[0]][2] + len(words)] == words:
                e.slots = {**e.slots, slot: " ".join(words)}
        return e

    def side(self, e):
        """The other side, where it is named by words that leave no doubt."""
        for slot, said in SIDES.items():
            value = e.slots.get(slot)
            if value not in said:
                continue
            norms = [w[0] for w in e.toks]
            for phrase in sorted(said[value], key=lambda p: -len(p)):
                words = phrase.split()
                found = [i for i in range(len(norms)) if norms[i:i + len(words)] == words]
                if len(found) == 1 and words != ["my"]:
                    other = list(said)[self.random.integers(len(said))]
                    new = said[other][self.random.integers(len(said[other]))].split()
                    e = self.put(e, found[0], len(words), new)
                    e.slots = {**e.slots, slot: other}
                    break
        return e

    def polite(self, e):
        if self.random.random() < 0.5:
            return self.put(e, 0, 0, FRONT[self.random.integers(len(FRONT))].split())
        return self.put(e, len(e.toks), 0, BACK[self.random.integers(len(BACK))].split())

    def drop(self, e):
        """A small word less, as recognisers lose them."""
        small = [i for i, w in enumerate(e.toks) if w[0] in {"the", "a", "to", "my", "please", "could", "you", "in", "of", "is"}
                 and not any(f"{e.intent}.{s}" in self.schema.spans for s in e.slots)]
        return self.put(e, small[self.random.integers(len(small))], 1, []) if small and len(e.toks) > 3 else e

    def not_ours(self):
        e = self.imperative[self.random.integers(len(self.imperative))]
        e = self.put(e, 0, 0, NOT_OURS[self.random.integers(len(NOT_OURS))].split())
        return Example(e.toks, e.spoken, [1] * len(e.toks), "reject", {})

    def two(self):
        """Two commands in one breath: the whole and its parts."""
        a, b = (self.vary(self.singles[self.random.integers(len(self.singles))]) for _ in range(2))
        if len(a.toks) + len(b.toks) + 2 > MOST or a.intent == "message.send":
            return []
        join = ["and", "and then", "then", "also", "and also", "plus", "", ""][self.random.integers(8)].split()
        shift = len(a.spoken) + len(join)
        toks = list(a.toks) + [(w, False, len(a.spoken) + i, len(a.spoken) + i + 1, False) for i, w in enumerate(join)]
        pause = not join or self.random.random() < 0.3
        toks += [(n, f, x + shift, y + shift, pause if i == 0 else p) for i, (n, f, x, y, p) in enumerate(b.toks)]
        spoken = a.spoken + join + b.spoken
        first, second = len(a.toks), len(a.toks) + len(join)
        whole = Example(toks, spoken, [1] * len(toks), "several", {}, [second])
        focus = lambda low, high: [int(low <= i < high) for i in range(len(toks))]
        parts = [Example(toks, spoken, focus(0, first), a.intent, a.slots),
                 Example(toks, spoken, focus(second, len(toks)), b.intent, b.slots)]
        return [whole, parts[self.random.integers(2)]]

    def vary(self, e):
        r = self.random
        if e.intent in OTHER or not all(e.focus):
            return self.drop(e) if e.intent != "several" and r.random() < 0.1 and all(e.focus) else e
        if r.random() < 0.5:
            e = self.number(e)
        if r.random() < 0.4:
            e = self.name(e)
        if r.random() < 0.3:
            e = self.side(e)
        if r.random() < 0.25:
            e = self.polite(e)
        if r.random() < 0.15:
            e = self.drop(e)
        return e


VERBS = {"open", "close", "turn", "switch", "set", "put", "make", "shut", "lower", "raise", "roll", "wind", "unlock", "lock", "pop", "play",
         "pause", "stop", "skip", "call", "phone", "ring", "send", "text", "navigate", "take", "drive", "find", "show", "cancel", "avoid", "mute",
         "answer", "decline", "reject", "hang", "start", "crank", "bump", "drop", "bring", "give", "get", "heat", "warm", "cool", "defrost", "demist",
         "clear", "activate", "enable", "disable", "deactivate", "change", "move", "tilt", "increase", "decrease", "reduce", "engage", "kill", "go"}
