"""What may happen to a file: flipped bits, lost, doubled, exchanged and zeroed pieces, a cut end.

Everything is drawn from the generator that is passed, so a case can be repeated by its number.
"""

TELLING = (0x00, 0x01, 0x7F, 0x80, 0xFF)
CHARACTERS = b'\t\n\r",;=+-@.0123456789eEnNaA{}[]:/\\ #\x00\xef'
N_HEAD = 4096  # metadata stand at the beginning of most formats


def mutate(data, chance):
    """Return damaged bytes; most often by one kind of damage, sometimes by several."""
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        chance.choice(DAMAGE)(damaged, chance)
    return bytes(damaged)


def place(data, chance):
    """Draw a position, half of the time near the beginning or the very end, where formats keep their keys."""
    stop = chance.choice((len(data), len(data), min(len(data), N_HEAD), min(len(data), 64)))
    position = chance.randrange(max(stop, 1))
    return position if chance.random() < 0.8 else max(len(data) - 1 - position, 0)


def flip_bits(data, chance):
    for _ in range(chance.choice((1, 1, 2, 8))):
        if data:
            data[place(data, chance)] ^= 1 << chance.randrange(8)


def set_bytes(data, chance):
    for _ in range(chance.choice((1, 4))):
        if data:
            data[place(data, chance)] = chance.choice((*TELLING, chance.randrange(256)))


def set_characters(data, chance):
    for _ in range(chance.choice((1, 3))):
        if data:
            data[place(data, chance)] = chance.choice(CHARACTERS)


def set_integer(data, chance):
    """Put an extreme number where one may stand."""
    width = chance.choice((2, 4, 8))
    start = place(data, chance)
    number = chance.choice((0, 1, 2**31 - 1, 2**63 - 1, 2**64 - 1, len(data), chance.randrange(2**20)))
    data[start : start + width] = (number % 2 ** (8 * width)).to_bytes(width, "little")


def cut(data, chance):
    del data[place(data, chance) :]


def lose(data, chance):
    start = place(data, chance)
    del data[start : start + chance.choice((1, 8, 512))]


def double(data, chance):
    start, length = place(data, chance), chance.choice((1, 8, 512))
    data[start:start] = data[start : start + length]


def exchange(data, chance):
    length, start, target = chance.choice((1, 8, 64, 512)), place(data, chance), place(data, chance)
    data[target : target + length] = data[start : start + length]


def zero(data, chance):
    """Leave a hole, as a copy that stopped does."""
    start, length = place(data, chance), chance.choice((8, 512, 4096))
    length = min(length, len(data) - start)
    data[start : start + length] = bytes(length)


def append(data, chance):
    data += chance.randbytes(chance.choice((1, 16, 512)))


DAMAGE = (
    flip_bits,
    flip_bits,
    set_bytes,
    set_characters,
    set_integer,
    cut,
    lose,
    double,
    exchange,
    zero,
    append,
)
