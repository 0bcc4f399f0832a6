"""Bags in every format as targets of the fuzzer; see ``fuzz_targets.py`` for what the answers mean."""

import h5py
import numpy as np
import torch
from fuzz_kit import Target

from sksurv_tta.bags import Bag, BagArray, open_store, read_bag, read_packed, write_checksums, write_store
from sksurv_tta.exceptions import BagFileError

RNG = np.random.default_rng(0)
FEATURES = (RNG.normal(size=(24, 8)) + 3).astype(np.float16).astype(np.float32)
GRID = np.array([(256 * (i % 4), 256 * (i // 4)) for i in range(24)], dtype=np.int64)


def _hdf5(path, features=FEATURES, **storage):
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=features, **storage).attrs["encoder"] = "some encoder"
        coords = file.create_dataset("coords", data=GRID)
        coords.attrs.update({"patch_size_level0": 256, "target_magnification": "20"})


def _tensor(path, content, **options):
    torch.save(content, path, **options)  # noqa: TID251 - users have such files


WRITERS = {
    "plain.h5": _hdf5,
    "leading.h5": lambda path: _hdf5(path, FEATURES[None]),
    "half.h5": lambda path: _hdf5(path, FEATURES.astype(np.float16)),
    "chunked.h5": lambda path: _hdf5(path, chunks=(8, 8)),
    "packed.h5": lambda path: _hdf5(
        path, chunks=(8, 4), compression="gzip", shuffle=True, fletcher32=True, maxshape=(None, 8)
    ),
    "lzf.h5": lambda path: _hdf5(path, chunks=(24, 8), compression="lzf"),
    "array.npy": lambda path: np.save(path, FEATURES),
    "fortran.npy": lambda path: np.save(path, np.asfortranarray(FEATURES.astype(np.float64))),
    "stored.npz": lambda path: np.savez(path, features=FEATURES, coords=GRID),
    "deflated.npz": lambda path: np.savez_compressed(path, features=FEATURES, coords=GRID),
    "tensor.pt": lambda path: _tensor(path, torch.from_numpy(FEATURES)),
    "brain.pt": lambda path: _tensor(path, torch.from_numpy(FEATURES).to(torch.bfloat16)),
    "both.pt": lambda path: _tensor(
        path, {"features": torch.from_numpy(FEATURES), "coords": torch.from_numpy(GRID)}
    ),
    "old.pt": lambda path: _tensor(path, torch.from_numpy(FEATURES), _use_new_zipfile_serialization=False),
}


def other_reader(path):
    """Features of a file, by the library of its format alone."""
    if path.suffix == ".h5":
        with h5py.File(path, "r") as file:
            return file["features" if "features" in file else _only(file)][()]
    if path.suffix == ".npy":
        return np.load(path, allow_pickle=False)  # noqa: TID251 - the other reader
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:  # noqa: TID251 - the other reader
            return file["features" if "features" in file else _only(file)]
    loaded = torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251 - the other reader
    if isinstance(loaded, dict):
        loaded = loaded["features" if "features" in loaded else _only(loaded)]
    return loaded.float().numpy() if isinstance(loaded, torch.Tensor) else loaded


def _only(arrays):
    (name,) = (name for name in arrays if name not in {"coords", "coordinates"})
    return name


def _read(bag):
    """Everything that a bag can tell."""
    return bag.read(), bag.coordinates, bag.patch_size_level0, bag.slide_names


def _same(first, second):
    pairs = zip(first[:2], second[:2], strict=True)
    arrays = all(a is b if a is None or b is None else np.array_equal(a, b, equal_nan=True) for a, b in pairs)
    return arrays and first[2:] == second[2:]


def plain(folder):
    """One target for each format, read without a list of checksums."""
    targets = []
    for name, write in WRITERS.items():
        write(folder / name)
        targets.append(_target(folder, name, _plain_look(folder / name), may_alter=True))
    return targets


def _target(folder, name, look, **options):
    return Target(folder, (name,), look, **options)


def _plain_look(path):
    good = _read(read_bag(path))

    def look():
        try:
            found = _read(read_bag(path))
        except BagFileError as error:
            return "refused" if path.name in str(error) else f"wrong: {error} does not name the file"
        if _same(found, good):
            return "equal"
        if not np.isfinite(found[0]).all():
            return "wrong: values that are not finite"
        if np.array_equal(found[0], good[0]):
            return "altered"  # coordinates or attributes only
        truth = other_reader(path).astype(np.float32)
        same = np.array_equal(found[0].ravel(), truth.ravel())
        return "altered" if same else "wrong: another reader finds other values"

    return look


def sealed(folder):
    """The same files with a list of checksums: nothing may come out but what was put in."""
    for name, write in WRITERS.items():
        write(folder / name)
    write_checksums(folder)
    return [_target(folder, name, _sealed_look(folder / name)) for name in WRITERS]


def _sealed_look(path):
    def read():
        return _read(BagArray.from_files([path], ids=["P1"], verify="sha256")[0])

    good = read()

    def look():
        try:
            found = read()
        except BagFileError as error:
            named = path.name in str(error) and "P1" in str(error)
            return "refused" if named else f"wrong: {error} does not name file and patient"
        return "equal" if _same(found, good) else "wrong: other values"

    return look


def lists(folder):
    """A damaged list of checksums beside sound files."""
    (folder / "plain.h5").parent.mkdir(exist_ok=True)
    names = ("plain.h5", "array.npy", "deflated.npz")
    for name in names:
        WRITERS[name](folder / name)
    write_checksums(folder)
    looks = [_sealed_look(folder / name) for name in names]
    return [_target(folder, "SHA256SUMS", _list_look(folder, look)) for look in looks]


def _list_look(folder, look):
    def judged():
        answer = look()
        return "refused" if "SHA256SUMS" in answer and answer.startswith("wrong") else answer

    return judged


def packed(folder):
    """Packed stores and packed files, verified by their checksums."""
    bags = [Bag(FEATURES[:10], GRID[:10]), None, Bag(FEATURES[10:])]
    write_store(folder / "store", ["P1", "P2", "P3"], bags)
    content = {
        "X": FEATURES, "case_id": np.array(["P1", "P2"]), "case_ptr": np.array([0, 10, 24]), "coords": GRID,
    }  # fmt: skip
    files = folder / "files"
    files.mkdir()
    np.savez(files / "stored.npz", **content)
    np.savez_compressed(files / "deflated.npz", **content)
    write_checksums(files)
    victims = ("features.npy", "coordinates.npy", "store.json", "store.json")
    store = folder / "store"
    targets = [
        Target(store, victims, _packed_look(lambda: open_store(store, verify="sha256"), store.name)),
    ]
    for name in ("stored.npz", "deflated.npz"):
        path = files / name
        look = _packed_look(lambda path=path: read_packed(path, verify="sha256"), name)
        targets.append(Target(files, (name,), look))
    return targets


def _packed_look(open_both, name):
    def read():
        ids, bags = open_both()
        return ids, [None if bag is None else _read(bag) for bag in bags]

    good = read()

    def look():
        try:
            found = read()
        except BagFileError as error:
            return "refused" if name in str(error) else f"wrong: {error} does not name the file"
        same = found[0] == good[0] and all(
            a is b or (a is not None and b is not None and _same(a, b))
            for a, b in zip(found[1], good[1], strict=True)
        )
        return "equal" if same else "wrong: other bags"

    return look
