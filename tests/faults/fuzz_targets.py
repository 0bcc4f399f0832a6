"""What the fuzzer damages, how it is then read, and how the answer is judged.

A target is a folder of sound files, the names of those that are damaged in turn, and a function that
reads the folder and says

``refused``   one of our errors, which names the file;
``equal``     the very values that were written;
``altered``   other values that are truly in the damaged file, by another reader: the format has no checksum;
``wrong: why``  anything else.

Whatever exception leaves the function is a foreign one.
"""

import json

import fuzz_bags
import fuzz_text
import torch
from fuzz_kit import Target

from sksurv_tta import load_model
from sksurv_tta.estimators import TTASurvivalEstimator
from sksurv_tta.exceptions import CheckpointMismatchError, ModelFileError
from sksurv_tta.training.checkpoints import Checkpoints
from sksurv_tta.training.tensor_files import open_file, pack

torch.set_num_threads(1)
TINY = {
    "token_dim": 8, "prototype_dim": 8, "n_prototypes": 3, "n_heads": 2, "max_epochs": 3, "random_state": 0,
}  # fmt: skip


def estimator_of(cohort, **changes):
    return TTASurvivalEstimator(**TINY | changes, pathways=cohort.pathways)


# Models and checkpoints: a digest inside


def models(folder, **changes):
    cohort = fuzz_text.small_cohort()
    path = folder / "model.safetensors"
    estimator_of(cohort, **changes).fit(cohort.X, cohort.y).save(path)
    good, again = path.read_bytes(), folder / "again"

    def look():
        try:
            loaded = load_model(path)
        except ModelFileError as error:
            return "refused" if path.name in str(error) else f"wrong: {error} does not name the file"
        loaded.save(again)
        return "equal" if again.read_bytes() == good else "wrong: another model"

    return [Target(folder, (path.name,), look)]


def checkpoints(folder, **changes):
    cohort = fuzz_text.small_cohort()
    estimator_of(cohort, checkpoint_dir=folder, **changes).fit(cohort.X, cohort.y)
    (run,) = (path for path in folder.iterdir() if path.is_dir())
    before, last = sorted(run.glob("epoch-*"))
    identity = json.loads(json.dumps(open_file(last).content["identity"]))
    good = (before.read_bytes(), last.read_bytes())

    def look():
        store = Checkpoints(folder, identity, 0)
        try:
            with store:
                found = pack(*store._found)
        except (ModelFileError, CheckpointMismatchError) as error:
            return "refused" if run.name in str(error) else f"wrong: {error} does not name the folder"
        if found == good[1]:
            return "equal"
        # The one before is gone on from: that is a refusal of the last.
        return "refused" if found == good[0] else "wrong: another checkpoint"

    return [Target(run, (last.name, last.name, before.name), look)]


KINDS = {
    "bags": fuzz_bags.plain,
    "sealed": fuzz_bags.sealed,
    "packed": fuzz_bags.packed,
    "lists": fuzz_bags.lists,
    "models": models,
    "checkpoints": checkpoints,
    "pathways": fuzz_text.pathways,
    "tables": fuzz_text.tables,
}
