"""What the judges of our codec share: orders, and numbers told exactly.

An order has a value and our CDR of it; the answer is the judge's CDR of the value, what it reads in ours, and its hash of the type. A
float is told by its bits in hexadecimal, as wide as it is, because JSON has no NaN and no infinity; every NaN is told as `nan`.
"""

import math
import struct

from lines import commands, say

# A float's format for `struct`, and hexadecimal digits.
FORMATS = {"float32": ("<f", "<I", 8), "float64": ("<d", "<Q", 16)}


def float_of(kind, told):
    """A float from what is told of it."""
    if told == "nan":
        return math.nan
    of_float, of_bits, _ = FORMATS[kind]
    return struct.unpack(of_float, struct.pack(of_bits, int(told, 16)))[0]


def tell_float(kind, value):
    """What is told of a float."""
    if math.isnan(value):
        return "nan"
    of_float, of_bits, digits = FORMATS[kind]
    return format(struct.unpack(of_bits, struct.pack(of_float, value))[0], f"0{digits}x")


def judge(hash_of, write, read):
    """Answers orders until the test hangs up. `write(type, value)` gives CDR, `read(type, cdr)` a value."""
    say(event="ready")
    for order in commands():
        name = order["type"]
        if order["do"] == "write":
            say(event="wrote", cdr=bytes(write(name, order["value"])).hex(), hash=hash_of(name))
        elif order["do"] == "read":
            say(event="read", value=read(name, bytes.fromhex(order["cdr"])))
