"""The command ``keyfilters evaluate``."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

from . import REPLACING_HELP, WEIGHTS_HELP, check_target, check_weights, weights_given

DESCRIPTION = "Top-1 and top-5 accuracy of a network, alone or beside another or beside itself with replaced filters."
EXAMPLES = """examples:
  keyfilters evaluate efficientnet_lite0 --data imagenet-samples
  keyfilters evaluate efficientnet_lite0 --data imagenet-samples --replace affine --method B --recalibrate photographs
  keyfilters evaluate convnextv2_tiny --weights ideal.safetensors --data IMAGENET --against convnextv2_tiny --json
  keyfilters evaluate small_convnext --weights run/weights.safetensors --data fashion-mnist -o images.csv"""
SUFFIXES = (".json", ".csv")
PHOTOGRAPHS, CALIBRATION = "photographs", 128
METHOD, SPLIT = "B", "val"
CLASSES_OF_DATA = {"fashion-mnist": 10, "imagenet-samples": 1000}
"""Number of classes of the data that have a name."""


def add_arguments(parser: ArgumentParser) -> None:
    """Give a parser the options of ``keyfilters evaluate``."""
    parser.add_argument("model", metavar="MODEL", help="efficientnet_lite0, small_convnext or a name of timm")
    parser.add_argument("--weights", metavar="FILE", help=WEIGHTS_HELP)
    parser.add_argument(
        "--data", metavar="DATA", default="imagenet-samples",
        help="imagenet-samples (20 images, the default), fashion-mnist, a folder with one folder of images per class, or "
        "imagenet:FOLDER, which has to hold train and val with such folders",
    )  # fmt: skip
    parser.add_argument("--split", metavar="SPLIT", help="train, val or test, only where the data have them (default: val)")
    parser.add_argument(
        "--classes", metavar="FILE",
        help="which class each folder is: the names of the folders, one a line, that of class 0 first; or JSON, names with numbers",
    )  # fmt: skip
    parser.add_argument("--against", metavar="MODEL2", help="compare with this network (with --against-weights: MODEL)")
    parser.add_argument("--against-weights", metavar="FILE", help="its weights (default: the published ones)")
    parser.add_argument(
        "--replace", metavar="MODE",
        help="replace the depthwise filters and compare with the network as it was; modes as in keyfilters replace",
    )  # fmt: skip
    parser.add_argument("--method", metavar="M", help=f"of the replacement: {REPLACING_HELP} (default: B)")
    parser.add_argument("--seed", metavar="N", help="of the replacement modes that draw (default: 0)")
    parser.add_argument(
        "--recalibrate", metavar="DATA",
        help=f"after replacing, estimate the batch norms anew on {CALIBRATION} images of DATA's train split, or of photographs",
    )  # fmt: skip
    parser.add_argument("--batch-size", metavar="N", default="64", help="default: 64")
    parser.add_argument("--workers", metavar="N", default="0", help="processes that read images (default: 0)")
    parser.add_argument("--device", metavar="DEVICE", help="cpu, cuda, cuda:1, ... or mps (default: cpu)")
    parser.add_argument("--amp", metavar="TYPE", help="bf16 or fp16: reduced precision (default: full)")
    parser.add_argument("-o", "--output", metavar="FILE", help="write everything (.json) or each image's result (.csv)")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")


def _transform(spec: str, loaded):
    """What shows an image of the data to the network; None for Fashion-MNIST as the tensors that small networks learn from."""
    from ..data.datasets import evaluation_transform

    return None if spec == "fashion-mnist" and tuple(loaded.input_size) == (1, 28, 28) else evaluation_transform(loaded)


def _data(spec: str, split: str, loaded, classes=None):
    """The data as the network takes them, the labels of folders the classes that it knows."""
    from ..data.datasets import dataset

    data = dataset(spec, split, _transform(spec, loaded))
    _check_classes(spec, loaded)
    if hasattr(data, "take_classes"):
        data.take_classes(loaded.num_classes, classes)
    return data


def _first_images(spec: str, loaded, count: int):
    """So many images of the train split as the network takes them; their labels do not matter."""
    import torch

    from ..data.datasets import dataset

    data = dataset(spec, "train", _transform(spec, loaded))
    # Spread over the whole, and mixed: a folder holds its classes one after the other, and a batch should not hold one of them.
    places = torch.linspace(0, len(data) - 1, min(count, len(data))).long()
    return torch.utils.data.Subset(
        data, places[torch.randperm(len(places), generator=torch.Generator().manual_seed(0))].tolist()
    )


def _check_classes(spec: str, loaded) -> None:
    """Data of a name have as many classes as they have; those of a folder are matched by the folders' names."""
    if spec in CLASSES_OF_DATA and loaded.num_classes != CLASSES_OF_DATA[spec]:
        raise ValueError(
            f"--data {spec} has {CLASSES_OF_DATA[spec]} classes and {loaded.name} knows {loaded.num_classes}: "
            "expected data with the classes of the network"
        )


def _recalibrate(model, spec: str, loaded, options, numbers) -> str:
    """Estimate the norms anew; returns what was done."""
    from ..data.datasets import crops, photographs, preprocess
    from ..evaluation.finetuning import recalibrate

    if spec == PHOTOGRAPHS:
        side = loaded.input_size[-1]
        large = {name: image for name, image in photographs().items() if min(image.shape[:2]) >= side}
        images = preprocess(crops(large, side, CALIBRATION), loaded, resize=False)
        batches = images.split(numbers["batch_size"])
    else:
        from torch.utils.data import DataLoader

        images = _first_images(spec, loaded, CALIBRATION)
        batches = DataLoader(images, batch_size=numbers["batch_size"], num_workers=numbers["workers"])
    done = recalibrate(model, batches, options.device)
    if not done:
        return "the network has no batch norms: nothing was recalibrated"
    return f"{done} batch norms were estimated anew on {spec}"


def _checked(options) -> dict[str, int]:
    """Cheap mistakes first: a network may take a while to load."""
    from ...checks import integer_text

    seed = "0" if options.seed is None else options.seed
    numbers = {"seed": integer_text(seed, "--seed", 0), "workers": integer_text(options.workers, "--workers", 0)}
    numbers["batch_size"] = integer_text(options.batch_size, "--batch-size", 1)
    if options.replace is not None and (options.against or options.against_weights):
        raise ValueError("both --replace and --against are given: expected one network to compare with")
    if options.replace is None:
        if options.recalibrate is not None:
            raise ValueError("--recalibrate is given without --replace: it mends replaced filters")
        for option in ("method", "seed"):
            if getattr(options, option) is not None:
                raise ValueError(f"--{option} is given without --replace: it says how filters are replaced")
    if options.output is not None:
        if Path(options.output).suffix.lower() not in SUFFIXES:
            raise ValueError(f"{options.output}: expected a name that ends in {' or '.join(SUFFIXES)}")
        check_target(options.output, options.force)
    return numbers


def _split(options) -> str:
    """The split asked for; ``ValueError`` where one is asked for that the data do not have."""
    from ...checks import choice
    from ..data.datasets import SPLITS, has_splits

    if options.split is None:
        return SPLIT
    choice(options.split, tuple(SPLITS), "split")
    if not has_splits(options.data):
        raise ValueError(f"--split is given, and {options.data} has no splits: leave it out")
    return options.split


def _networks(options, numbers, loaded, notes):
    """The network to be judged, and the one beside it or None, each with a label."""
    from ..surgery.branches import merged
    from ..surgery.replacing import replace
    from ..zoo.loading import load_model

    if options.replace is not None:
        # Both with their branches merged, so that layers have their counterparts.
        loaded.model, merging = merged(loaded.model)
        done = replace(loaded.model, options.method or METHOD, options.replace, seed=numbers["seed"])
        notes += [*merging, done.summary()]
        if options.recalibrate is not None:
            notes.append(_recalibrate(done.model, options.recalibrate, loaded, options, numbers))
        return (done.model, f"replaced: {options.replace}, {options.method or METHOD}"), (loaded.model, "as it was")
    if options.against is None and options.against_weights is None:
        return (loaded.model, options.model), (None, None)
    name = options.against or options.model
    other = load_model(name, **weights_given(options.against_weights))
    notes += [f"{name}: {note}" for note in other.notes]
    if tuple(other.input_size) != tuple(loaded.input_size) or (other.mean, other.std) != (loaded.mean, loaded.std):
        notes.append(f"{name} is shown the images as {options.model} takes them, not as itself")
    return (loaded.model, options.model), (other.model, f"{name} ({other.source})")


def run(options: Namespace) -> int:
    """Load, replace or load another, evaluate, compare, write; prints a table."""
    numbers = _checked(options)
    for weights in (options.weights, options.against_weights):
        check_weights(weights)
    from torch.utils.data import DataLoader
    from tqdm import tqdm

    from ...checks import choice
    from ..data.datasets import classes_of_file
    from ..evaluation.judging import AMP, check_device, compare, evaluate
    from ..surgery.depthwise import key_filters
    from ..surgery.replacing import MODES
    from ..zoo.loading import load_model

    if options.replace is not None:
        choice(options.replace, MODES, "mode")
        key_filters(options.method or METHOD)
    if options.device is not None:
        check_device(options.device)
    split = _split(options)
    if options.classes is not None:
        if options.data in CLASSES_OF_DATA:
            raise ValueError(f"--classes is given, and {options.data} has no folders of classes: leave it out")
        classes_of_file(options.classes)
    if options.amp is not None:
        choice(options.amp, AMP, "amp")
    loaded = load_model(options.model, **weights_given(options.weights))
    data = _data(options.data, split, loaded, options.classes)
    loader = DataLoader(data, batch_size=numbers["batch_size"], num_workers=numbers["workers"])
    notes = [*loaded.notes, *getattr(data, "notes", ())]
    (model, label), (reference, other_label) = _networks(options, numbers, loaded, notes)
    batches = tqdm(loader, desc="batches", disable=None, leave=False)
    comparison, other = None, None
    if reference is None:
        own = evaluate(model, batches, options.device, amp=options.amp)
    else:
        comparison = compare(model, reference, batches, options.device, amp=options.amp)
        own, other = comparison.evaluation, comparison.reference_evaluation
    notes += [own.note] if own.note else []
    rows = [{"network": label} | own.record()] + ([{"network": other_label} | other.record()] if other else [])
    document = {
        "model": loaded.name, "weights": loaded.source, "data": options.data, "split": split, "amp": options.amp,
        "networks": rows, "comparison": comparison.record() if comparison else None, "notes": notes,
    }  # fmt: skip
    if options.output is not None:
        _write(options, document, own, comparison, getattr(data, "files", None))
    if options.json:
        print(json.dumps(document, indent=1, allow_nan=False))
    else:
        _print(rows, comparison, notes)
    return 0


def _write(options, document, own, comparison, files) -> None:
    from ...output import written

    with written(options.output, options.force) as temporary:
        if Path(options.output).suffix.lower() == ".json":
            temporary.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
            return
        import pandas as pd

        columns = {"image": range(own.n)}
        columns |= {} if files is None else {"file": files}
        columns |= {"label": own.labels, "predicted": own.predictions, "top1": own.correct, "top5": own.correct5}
        if comparison is not None:
            columns |= {"predicted_beside": comparison.reference_evaluation.predictions, "agrees": comparison.agrees}
            columns["kl_nats"] = comparison.kl_each
        pd.DataFrame(columns).to_csv(temporary, index=False, lineterminator="\n", errors="surrogateescape")


def _print(rows, comparison, notes) -> None:
    width = max(len(r["network"]) for r in rows)
    for r in rows:
        print(
            f"{r['network']:<{width}}  n {r['n']}  top-1 {r['top1']:.2%} ({r['top1_low']:.2%} to {r['top1_high']:.2%})  "
            f"top-5 {r['top5']:.2%} ({r['top5_low']:.2%} to {r['top5_high']:.2%})"
        )
    if comparison is not None:
        low, high = comparison.interval
        print(
            f"agreement {comparison.agreement:.2%} ({low:.2%} to {high:.2%})  KL {comparison.kl:.4g} nats  "
            f"top-5 overlap {comparison.overlap5:.2%}"
        )
        m = comparison.mcnemar
        print(f"only the first right {m.only_a}, only the second {m.only_b}, McNemar's p {m.p:.3g}")
    print("In brackets: Wilson's intervals at 95 %.")
    for note in notes:
        print(f"note: {note}")
