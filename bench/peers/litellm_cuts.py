"""How long litellm's Router leaves a listener in silence when its upstream is cut, beside `hand_over` (nodes/dialogue/README.md).

    python3 -m venv V; V/bin/pip install litellm==1.110.2
    V/bin/python bench/peers/litellm_cuts.py --expert target/debug/troika-expert --turns 100

Two scripted stand-ins: the first is cut at a random token of each answer (half reset, half silent), the second is whole and is the Router's
fall-back: more than a vehicle without a link has. Silence is the gap in what can be spoken, at three words a second, once what came
before has been spoken; an answer fails when it ends in an error or is not whole. The text of both is the same, so a fall-back in
mid-stream can be held against it."""

import argparse
import asyncio
import json
import os
import random
import subprocess
import tempfile
import time

os.environ.setdefault("LITELLM_LOG", "CRITICAL")

QUESTION = "Why is the sky blue?"
WORDS_A_SECOND = 3.0
GIVES_UP_S = 30.0


def expert(program, *more):
    child = subprocess.Popen(
        [program, "--listen", "127.0.0.1:0", "--tokens-per-second", "11", *more],
        stdout=subprocess.PIPE, text=True)
    line = child.stdout.readline()
    return child, line.rsplit(" at ", 1)[1].strip()


def faults(turns, seed):
    chance = random.Random(seed)
    lines = []
    for request in range(1, 4 * turns):
        what = ("reset", "stall")[request % 2]
        lines.append(f'[[fault]]\nwhat = "{what}={chance.randrange(3, 35)}"\nrequests = [{request}]\n')
    return "".join(lines)


async def listen(router, model, messages):
    """Text, the longest silence (s), and the error that ended it."""
    text, spoken, silence, error = "", None, 0.0, None
    begin = time.monotonic()
    try:
        stream = await router.acompletion(model=model, messages=messages, stream=True)
        async for chunk in stream:
            now = time.monotonic()
            more = chunk.choices[0].delta.content or "" if chunk.choices else ""
            if not more:
                continue
            if spoken is not None:
                silence = max(silence, now - spoken)
            text += more
            spoken = max(spoken or now, now) + len(more.split()) / WORDS_A_SECOND
            if now - begin > GIVES_UP_S:
                error = "too long"
                break
    except Exception as why:  # noqa: BLE001 - whatever it raises is the listener's end
        error = type(why).__name__
        now = time.monotonic()
        if spoken is not None:
            silence = max(silence, now - spoken)
    return text, silence, error


async def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--expert", required=True)
    arguments.add_argument("--turns", type=int, default=40)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--timeout", type=float, default=2.5, help="of the stream, s: as the bridge's for a first token")
    arguments.add_argument("--json")
    given = arguments.parse_args()
    import litellm

    litellm.suppress_debug_info = True
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(faults(given.turns, given.seed))
        file.flush()
        first, first_url = expert(given.expert, "--faults", file.name)
        second, second_url = expert(given.expert)
        try:
            def model(name, url):
                return {"model_name": name, "litellm_params": {
                    "model": "openai/expert", "api_base": url, "api_key": "none", "stream_timeout": given.timeout}}

            router = litellm.Router(
                model_list=[model("cloud", first_url), model("second", second_url)],
                fallbacks=[{"cloud": ["second"]}], num_retries=1, timeout=10, disable_cooldowns=True)
            ask = [{"role": "user", "content": QUESTION}]
            whole, _, error = await listen(router, "second", ask)
            assert whole and not error, (whole, error)
            silences, failed, repeated, ends = [], 0, 0, {}
            for _ in range(given.turns):
                text, silence, error = await listen(router, "cloud", ask)
                silences.append(silence * 1000)
                bad = error is not None or not text.strip().endswith(whole.strip()[-12:])
                failed += bad
                repeated += text.count(whole.strip()[:25]) > 1
                ends[error or ("not whole" if bad else "whole")] = ends.get(error or ("not whole" if bad else "whole"), 0) + 1
        finally:
            first.terminate()
            second.terminate()
    silences.sort()
    at = lambda share: silences[round((len(silences) - 1) * share)]  # noqa: E731
    figures = {"litellm": litellm.__version__ if hasattr(litellm, "__version__") else "", "turns": given.turns, "failed": failed,
               "begun_again": repeated, "ends": ends,
               "silence_ms": {"p50": round(at(0.5)), "p99": round(at(0.99)), "max": round(at(1.0))}}
    print(json.dumps(figures))
    if given.json:
        with open(given.json, "w", encoding="utf-8") as out:
            json.dump(figures, out)


if __name__ == "__main__":
    asyncio.run(main())
