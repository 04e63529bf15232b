"""Trains the network that understands what the templates do not: `python train.py --help`.

Lines of `data/` (written by language models, a writer a file; split by writer: what a file's name begins with), and as other talk the
openly licensed sets of `--data` (CLINC150, HWU64, SNIPS). The word table is SmolLM2-135M's own embedding, reduced to 96 numbers.
Needs: numpy, jax, optax, gguf, onnx. `--snips` trains and measures the same network on SNIPS's split instead and writes nothing.
"""

import argparse
import json
import pathlib
import random as standard
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

import lines
import network
from augment import Augmenter
from lines import MOST, Example

HERE = pathlib.Path(__file__).parent

# Intents of CLINC150 that are, or may be, vehicle functions or no talk at all; the others are dialogue.
NOT_DIALOGUE = set("""cancel repeat change_volume next_song play_music directions gas tire_pressure make_call text yes no maybe
what_can_i_ask_you smart_home distance mpg current_location thank_you goodbye greeting oil_change_how whisper_mode change_speed
reset_settings sync_device traffic find_phone what_song gas_type travel_suggestion""".split())
# Of HWU64, the scenarios that are dialogue.
TALK = ("alarm", "calendar", "cooking", "datetime", "email_query", "general_joke", "general_quirky", "lists", "news", "qa", "recommendation",
        "social", "takeaway", "weather")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", required=True, help="the program `words` (cargo build --workspace --example words)")
    parser.add_argument("--smollm", required=True, help="SmolLM2-135M-Instruct as GGUF (troika models pull smollm2_135m)")
    parser.add_argument("--data", required=True, help="folder with clinc150/, hwu64/ and snips/")
    parser.add_argument("--catalogue", default=HERE.parents[1] / "nodes/voice/vehicle-functions.toml")
    parser.add_argument("--lines", default=HERE / "data")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", default=HERE / "intent_slots_en.onnx")
    parser.add_argument("--errors", help="write the dev lines that went wrong here")
    parser.add_argument("--snips", action="store_true")
    return parser.parse_args()


def word_table(gguf, also):
    """Vocabulary {word: row} and its table: the embedding's whole words, and `also` words as the mean of their pieces."""
    from gguf import GGUFReader
    from gguf.quants import dequantize

    reader = GGUFReader(gguf)
    field = reader.fields["tokenizer.ggml.tokens"]
    pieces = [bytes(field.parts[i]).decode("utf8", "replace") for i in field.data]
    tensor = next(t for t in reader.tensors if t.name == "token_embd.weight")
    all_rows = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
    of = {piece: i for i, piece in enumerate(pieces)}
    found = {}
    for i, piece in enumerate(pieces):
        if piece.startswith("Ġ") and piece[1:].isalpha() and piece[1:].isascii():
            word = piece[1:].lower()
            if piece[1:].islower() or word not in found:
                found[word] = [i]
    for word in also:
        if word in found or not word.replace("'", "").isalpha():
            continue
        # The longest pieces first, as a reader would cut.
        cut, rest = [], "Ġ" + word
        while rest:
            size = next((n for n in range(len(rest), 0, -1) if rest[:n] in of), 0)
            if not size:
                break
            cut.append(of[rest[:size]])
            rest = rest[size:]
        if cut and not rest:
            found[word] = cut
    words = list(found)
    rows = np.stack([all_rows[found[w]].mean(0) for w in words])
    rows -= rows.mean(0)
    _, spread, axes = np.linalg.svd(rows, full_matrices=False)
    rows = rows @ axes[: network.WORD].T / (spread[: network.WORD] / np.sqrt(len(words))) ** 0.5
    # Rows 0 and 1 are the unknown word and the number.
    return {w: i + 2 for i, w in enumerate(words)}, (rows / rows.std()).astype(np.float32)


def talk(data, random):
    """Other talk, as dialogue: utterances."""
    data = pathlib.Path(data)
    out = []
    clinc = json.loads((data / "clinc150/train_val.json").read_text(encoding="utf8"))
    out += [t for t, intent in clinc["train"] if intent not in NOT_DIALOGUE]
    for row in (data / "hwu64/train.tsv").read_text(encoding="utf8").splitlines()[1:]:
        intent, text = row.split("\t")[:2]
        if intent.startswith(TALK):
            out.append(text)
    for kind in ("GetWeather", "BookRestaurant", "SearchScreeningEvent", "RateBook", "AddToPlaylist", "SearchCreativeWork"):
        out += [said for said, _ in snips(data, "train", kind)]
    return [out[i] for i in random.permutation(len(out))]


def snips(data, split, kind):
    """Utterances of an intent with their slots: [(text, [(slot or None, text)])]."""
    name = f"{split}_{kind}{'_full' if split == 'train' else ''}.json"
    rows = json.loads((pathlib.Path(data) / "snips" / name).read_text(encoding="latin-1"))[kind]
    out = []
    for row in rows:
        parts = [(part.get("entity"), part["text"]) for part in row["data"]]
        out.append(("".join(text for _, text in parts), parts))
    return out


def names(data, singles):
    """Free text by slot, to put in the place of another."""
    out = {}
    for e in singles:
        for slot, value in e.slots.items():
            if slot in ("contact", "destination", "query", "text"):
                out.setdefault(slot, set()).add(lines.bare(value))
    for _, parts in snips(data, "train", "PlayMusic"):
        for slot, text in parts:
            if slot in ("artist", "track", "album"):
                out["query"].add(lines.bare(text))
    for _, parts in snips(data, "train", "GetWeather"):
        for slot, text in parts:
            if slot in ("city", "geographic_poi"):
                out["destination"].add(lines.bare(text))
    return {slot: sorted(n for n in found if n and n.isascii() and not any(c.isdigit() for c in n)) for slot, found in out.items()}


# Batches are as long as they must be: most utterances are short.
LENGTHS = (12, 18, MOST)


def batch(schema, vocabulary, examples):
    """Inputs and targets of a batch; a head that an example does not have is -1."""
    longest = max(len(e.toks) for e in examples)
    length = next(n for n in LENGTHS if n >= longest)
    inputs = [np.stack(x)[:, :length] for x in zip(*(network.encode(vocabulary, e.toks, e.focus) for e in examples))]
    n = len(examples)
    goal = {"intent": np.array([schema.intents.index(e.intent) for e in examples]),
            "choices": np.full((n, len(schema.choices)), -1), "numbers": np.full((n, len(schema.numbers)), -1),
            "spans": np.full((n, 2 * len(schema.spans)), -1), "cuts": np.zeros((n, length), np.float32),
            "whole": np.array([float(all(e.focus)) for e in examples], np.float32)}
    for i, e in enumerate(examples):
        for at in e.cuts:
            goal["cuts"][i, at] = 1
        said = lines.targets(schema, e)
        for key, value in (said or {}).items():
            if key in schema.choices:
                goal["choices"][i, list(schema.choices).index(key)] = value
            elif key in schema.numbers:
                goal["numbers"][i, list(schema.numbers).index(key)] = value
            else:
                slot, end = key.rsplit(".", 1)
                goal["spans"][i, 2 * list(schema.spans).index(slot) + (end == "last")] = value
    return inputs, goal


def loss_of(schema):
    sizes = [len(values) for values in schema.choices.values()]
    edges = np.cumsum([0] + sizes)

    def cross(logits, target, smoothing=0.0):
        logp = jax.nn.log_softmax(logits, -1)
        picked = jnp.take_along_axis(logp, jnp.maximum(target, 0)[..., None], -1)[..., 0]
        lost = -(1 - smoothing) * picked - smoothing * logp.mean(-1)
        return jnp.where(target >= 0, lost, 0.0).sum() / target.shape[0]

    def loss(p, table, inputs, goal, key):
        out = network.apply(p, table, *inputs, schema, key, drop=0.15)
        total = cross(out["intent"], goal["intent"], 0.03)
        for i, (a, b) in enumerate(zip(edges, edges[1:])):
            total += cross(out["choices"][:, a:b], goal["choices"][:, i], 0.02)
        total += cross(out["numbers"], goal["numbers"]) + 0.7 * cross(out["spans"], goal["spans"])
        mask = inputs[3] * goal["whole"][:, None]
        z = out["cuts"]
        cuts = jnp.maximum(z, 0) - z * goal["cuts"] + jnp.log1p(jnp.exp(-jnp.abs(z)))
        return total + 2.0 * (cuts * mask).sum() / mask.sum()

    return loss


class Reader:
    """The network's answers as meanings, as the product reads them (nodes/voice/src/intent)."""

    def __init__(self, schema, vocabulary, table, weights):
        self.schema, self.vocabulary = schema, vocabulary
        self.run = jax.jit(lambda *x: network.apply(weights, table, *x, schema))
        self.edges = np.cumsum([0] + [len(v) for v in schema.choices.values()])

    def look(self, examples):
        out = []
        for i in range(0, len(examples), 64):
            part = examples[i:i + 64]
            full = part + [part[0]] * (64 - len(part))
            inputs = [np.stack(x) for x in zip(*(network.encode(self.vocabulary, e.toks, e.focus) for e in full))]
            made = {k: np.asarray(v) for k, v in self.run(*inputs).items()}
            out += [{k: v[j] for k, v in made.items()} for j in range(len(part))]
        return out

    def one(self, example, made):
        """(meaning, probability) of one segment."""
        s = self.schema
        p = softmax(made["intent"])
        allowed = p.copy()
        if not all(example.focus):
            allowed[s.intents.index("several")] = 0
        intent = s.intents[int(allowed.argmax())]
        sure = float(p[s.intents.index(intent)])
        if intent not in s.functions:
            return intent, sure
        slots = {}
        for slot in s.functions[intent]:
            key = f"{intent}.{slot}"
            if key in s.choices:
                i = list(s.choices).index(key)
                q = softmax(made["choices"][self.edges[i]:self.edges[i + 1]])
                slots[slot] = s.choices[key][int(q.argmax())]
                sure *= float(q.max())
            elif key in s.numbers:
                if intent == "media.volume" and slots.get("action") != "set":
                    continue
                q = softmax(made["numbers"][list(s.numbers).index(key)])
                at = int(q.argmax())
                slots[slot] = float(example.toks[at][0]) if at < MOST else float(s.constants[at - MOST])
                sure *= float(q.max())
            else:
                i = 2 * list(s.spans).index(key)
                first = softmax(made["spans"][i])
                a = int(first.argmax())
                last = softmax(np.where(np.arange(MOST) >= a, made["spans"][i + 1], -1e4))
                b = int(last.argmax())
                sure *= float(first[a] * last[b])
                toks = example.toks
                slots[slot] = lines.bare(" ".join(example.spoken[toks[a][2]:toks[b][3]])) if b < len(toks) else ""
        return (intent, slots), sure

    def understand(self, wholes):
        """[(meaning, probability)] of whole utterances: a word of OTHER, or a list of calls."""
        first = self.look(wholes)
        out = []
        for e, made in zip(wholes, first):
            means, sure = self.one(e, made)
            if means != "several":
                out.append(([means] if isinstance(means, tuple) else means, sure))
                continue
            cuts = [i for i in range(1, len(e.toks)) if made["cuts"][i] > 0] or [1 + int(made["cuts"][1:len(e.toks)].argmax())]
            edges, parts = [0] + cuts + [len(e.toks)], []
            for a, b in zip(edges, edges[1:]):
                while b > a + 1 and e.toks[b - 1][0] in lines.JOINS:
                    b -= 1
                parts.append(Example(e.toks, e.spoken, [int(a <= i < b) for i in range(len(e.toks))], "", {}))
            calls = []
            for part, made in zip(parts, self.look(parts)):
                means, p = self.one(part, made)
                sure *= p
                if isinstance(means, tuple):
                    calls.append(means)
                else:
                    sure *= 0.1
            out.append((calls or "reject", sure))
        return out


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


def taken(schema, got):
    """As the catalogue takes it: what has a number out of its slot's range is asked for."""
    if not isinstance(got, str):
        for name, slots in got:
            for slot, value in slots.items():
                if f"{name}.{slot}" not in schema.numbers:
                    continue
                low, high = schema.numbers[f"{name}.{slot}"]
                if not low <= value <= high:
                    return "ask"
    return got


def same(schema, got, wanted):
    if isinstance(got, str) or isinstance(wanted, str):
        return got == wanted

    def canonical(name, slots):
        out = []
        for slot, value in slots.items():
            key = f"{name}.{slot}"
            out.append((slot, float(value) if key in schema.numbers else lines.bare(str(value)) if key in schema.spans else value))
        return name, sorted(out)

    return [canonical(*c) for c in got] == [canonical(*c) for c in wanted]


def measure(schema, reader, rows, program):
    """Exact share over lines [(utterance, meaning text)], and each line's (right, sure, got)."""
    cut = lines.tokens(program, [u for u, _ in rows])
    wholes = [Example(t or [("nothing", False, 0, 0, False)], s, [1] * max(len(t), 1), "", {}) for t, s in cut]
    for e in wholes:
        e.toks, e.focus = e.toks[:MOST], e.focus[:MOST]
    answers = reader.understand(wholes)
    return [(same(schema, taken(schema, got), lines.meaning(text)), sure, got) for (got, sure), (_, text) in zip(answers, rows)]


def rows_of(file):
    return [tuple(line.rstrip("\n").split("\t")[:2]) for line in open(file, encoding="utf8") if line.strip() and line[0] != "#"]


def main():
    args = arguments()
    if args.snips:
        import snips as on_snips
        return on_snips.main(args, word_table)
    random = np.random.default_rng(args.seed)
    standard.seed(args.seed)
    schema = lines.Schema(args.catalogue)
    files = sorted(pathlib.Path(args.lines).glob("train-*.tsv"))
    singles, several = lines.read(files, args.words, schema)
    # "Set the fan to fifteen" is a command with a number that its slot does not take: the catalogue says so, and asks. What the
    # network is to learn of it is the function, which the line does not tell.
    pointing = {"it", "that", "this", "them", "thing"}
    singles = [e for e in singles if not (e.intent == "ask" and any(w[1] for w in e.toks) and not pointing & {w[0] for w in e.toks})]
    other = talk(args.data, random)
    pools = names(args.data, singles)
    other = [Example(t, s, [1] * len(t), "dialogue", {}) for t, s in lines.tokens(args.words, other) if 0 < len(t) <= MOST]
    whole = [w for w, _ in several]
    parts = [p for _, ps in several for p in ps]
    unsaid = [e for e in singles + parts if e.slots and lines.targets(schema, e) is None]
    print(f"{len(singles)} lines of one meaning, {len(several)} of several, {len(other)} of other talk; {len(unsaid)} with a slot not said")
    for e in unsaid[:10]:
        print("  ", " ".join(e.spoken), e.intent, e.slots)
    vocabulary, table = word_table(args.smollm, sorted({w[0] for e in singles + whole for w in e.toks}))
    print(f"{len(vocabulary)} words")
    weights = network.start(schema, table, args.seed)
    print(f"{sum(x.size for x in jax.tree.leaves(weights)) / 1e6:.2f} M weights beside the table's {table.size / 1e6:.2f} M")
    makes = Augmenter(schema, singles, several, pools, random)
    size, a_batch = int(len(singles) * 1.4), 64
    steps = args.epochs * (size // a_batch)
    optimiser = optax.chain(optax.clip_by_global_norm(1.0),
                            optax.adamw(optax.warmup_cosine_decay_schedule(0.0, 1.5e-3, steps // 20, steps, 1e-5), weight_decay=0.02))
    state = optimiser.init(weights)
    loss, table_ = loss_of(schema), jnp.asarray(table)

    @jax.jit
    def step(weights, state, average, inputs, goal, key):
        lost, grads = jax.value_and_grad(loss)(weights, table_, inputs, goal, key)
        updates, state = optimiser.update(grads, state, weights)
        weights = optax.apply_updates(weights, updates)
        return weights, state, jax.tree.map(lambda a, w: 0.995 * a + 0.005 * w, average, weights), lost

    dev = [row for file in sorted(pathlib.Path(args.lines).glob("dev-*.tsv")) for row in rows_of(file)]
    key, began, mean = jax.random.PRNGKey(args.seed), time.time(), None
    # The mean of the weights along the way is steadier than the last ones.
    average = weights
    for epoch in range(args.epochs):
        order, total = random.permutation(size), 0.0
        for at in range(0, size - 4 * a_batch + 1, 4 * a_batch):
            picked = []
            for i in order[at:at + 4 * a_batch]:
                dice = random.random()
                if dice < 0.74:
                    picked.append(makes.vary(singles[i % len(singles)]))
                elif dice < 0.80:
                    picked.append(other[random.integers(len(other))])
                elif dice < 0.83:
                    picked.append(makes.not_ours())
                elif dice < 0.91:
                    w, ps = several[random.integers(len(several))]
                    picked += [w, ps[random.integers(len(ps))]]
                else:
                    picked += makes.two() or [singles[i % len(singles)]]
            picked = sorted(picked[:4 * a_batch], key=lambda e: len(e.toks))
            for part in random.permutation(4):
                inputs, goal = batch(schema, vocabulary, picked[part * a_batch:(part + 1) * a_batch])
                key, sub = jax.random.split(key)
                weights, state, average, lost = step(weights, state, average, inputs, goal, sub)
                total += float(lost)
        if epoch % 3 == 2 or epoch + 1 == args.epochs:
            found = measure(schema, Reader(schema, vocabulary, table_, average), dev, args.words)
            right = np.mean([r for r, _, _ in found])
            print(f"epoch {epoch + 1}: loss {total / (size // a_batch):.3f}, dev exact {right:.4f}, {time.time() - began:.0f} s", flush=True)
    reader = Reader(schema, vocabulary, table_, average)
    found = measure(schema, reader, dev, args.words)
    for floor in (0.0, 0.5, 0.7, 0.8, 0.9, 0.95):
        kept = [r for r, sure, _ in found if sure >= floor]
        print(f"sure from {floor}: {len(kept)} of {len(found)}, right {np.mean(kept):.4f}")
    if args.errors:
        with open(args.errors, "w") as file:
            for (said, means), (right, sure, got) in zip(dev, found):
                if not right:
                    print(f"{sure:.2f}\t{said}\t{means}\t{got}", file=file)
    network.save(args.out, jax.tree.map(np.asarray, average), table, vocabulary, schema, 1.0)
    print(f"{args.out}: {pathlib.Path(args.out).stat().st_size} bytes")


if __name__ == "__main__":
    main()
