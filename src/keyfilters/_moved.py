"""Old names of modules that have moved, and of what they define: they work until release 0.2, with a DeprecationWarning.

The contract of imports in pyproject.toml does not bind this file: the library imports nothing of the chapters' package,
unless somebody asks for one of these names.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec, spec_from_loader
from pkgutil import resolve_name

CHAPTER_FIGURES = (
    "clusters",
    "digits",
    "networks",
    "objective",
    "profiles",
    "representations",
    "scales",
    "spreads",
    "training",
)
FIGURES_RENAMED = {
    "approximation": "atoms", "architecture": "diagrams", "images": "greyscale", "lenet": "lenet_pictures", "patches": "mosaics",
    "single_layer": "lines", "thresholding": "pursuits", "visualisation": "image_grids",
}  # fmt: skip
MOVED = {
    "keyfilters.benchmarks": "keyfilters_book.benchmarks",
    "keyfilters.book": "keyfilters_book",
    "keyfilters.exercises": "keyfilters_book.exercises",
    "keyfilters.networks.background": "keyfilters_book.background",
    "keyfilters.networks.experiments": "keyfilters_book.experiments",
    "keyfilters.networks.extraction.klines": "keyfilters.networks.klines",
    "keyfilters.networks.zoo.lenet": "keyfilters_book.background.lenet",
    "keyfilters.networks.zoo.lenet_codes": "keyfilters_book.background.lenet_codes",
    "keyfilters.published.experiments": "keyfilters_book.published_experiments",
    "keyfilters.representations": "keyfilters_book.representations",
    "keyfilters.architecture": "keyfilters_book.paper.architecture",
    "keyfilters.figures.curves": "keyfilters_book.figures.curves",
    "keyfilters.figures.molecules": "keyfilters_book.figures.molecules",
    "keyfilters.figures.panels": "keyfilters_book.figures.panels",
    "keyfilters.fitting.exclusion": "keyfilters_book.paper.exclusion",
    "keyfilters.statistics": "keyfilters.uncertainty",
    "keyfilters.fitting.l2": "keyfilters.fitting.search",
    "keyfilters.fitting.l1": "keyfilters.fitting.search",
    "keyfilters.fitting.maps": "keyfilters.fitting.methods",
    "keyfilters.fitting.ranking": "keyfilters.fitting.methods",
    "keyfilters.networks.evaluation.forward": "keyfilters.networks.evaluation.judging",
    "keyfilters.networks.extraction.route": "keyfilters.networks.extraction.extracting",
    "keyfilters.networks.inspection.inspecting_files": "keyfilters.networks.inspection.inspecting",
    "keyfilters.networks.layers.lines_and_volumes": "keyfilters.networks.layers.scale_space",
    "keyfilters.networks.layers.tabled": "keyfilters.networks.layers.scale_space",
    "keyfilters.fitting.noise": "keyfilters.fitting.result",
    "keyfilters.fitting.report": "keyfilters.fitting.intervals",
    "keyfilters.networks.data.class_numbers": "keyfilters.networks.data.datasets",
    "keyfilters.networks.extraction.clusterings": "keyfilters.networks.extraction.comparison",
    "keyfilters.networks.surgery.as_it_stands": "keyfilters.networks.surgery.depthwise",
    "keyfilters.networks.surgery.modes": "keyfilters.networks.surgery.replacing",
    "keyfilters.networks.training.run": "keyfilters.networks.training.loop",
    "keyfilters.fitting.parameters": "keyfilters.fitting.joint",
    "keyfilters.networks.evaluation.recalibration": "keyfilters.networks.evaluation.finetuning",
    "keyfilters.networks.inspection.rows": "keyfilters.networks.inspection.inspecting",
    "keyfilters.networks.layers.parametrised": "keyfilters.networks.layers.base",
    "keyfilters.networks.layers.weights": "keyfilters.networks.layers.base",
    "keyfilters.networks.zoo.response_norm": "keyfilters.networks.zoo.small",
    "keyfilters.fitting.compare": "keyfilters.fitting.methods",
    "keyfilters.fitting.landscape": "keyfilters_book.paper.landscape",
    "keyfilters.networks.surgery.shift_maps": "keyfilters_book.experiments.shift_maps",
    "keyfilters.networks.surgery.shifts": "keyfilters_book.experiments.shifts",
    "keyfilters.networks.survey": "keyfilters_book.experiments.survey",
    **{f"keyfilters.published.{name}": f"keyfilters_book.paper.{name}" for name in ("excess", "notes", "procedure")},
    **{f"keyfilters.{name}": f"keyfilters_book.paper.{name}" for name in ("sharpening", "spectrum", "structure", "tables")},
    "keyfilters.networks.inspection.files": "keyfilters.networks.inspection.inspecting",
    "keyfilters.networks.inspection.page": "keyfilters.networks.inspection.report_page",
    **{f"keyfilters.figures.{name}": f"keyfilters_book.figures.{name}" for name in CHAPTER_FIGURES},
    **{f"keyfilters.figures.{old}": f"keyfilters_book.figures.{now}" for old, now in FIGURES_RENAMED.items()},
}
"""Old name of a module -> its place now; with what lies in it."""
RENAMED: dict[str, dict[str, str]] = {
    "keyfilters": {"compare": "rank_keys"},
    "keyfilters.filter_files": {"SUFFIXES": "FILTER_SUFFIXES"},
    "keyfilters.fitting": {"compare": "rank_keys"},
    "keyfilters.fitting.methods": {"compare": "rank_keys"},
    "keyfilters.fitting.search": {"ROUNDING": "L1_ROUNDING"},
    "keyfilters.fitting.variance": {"match": "match_variance"},
    "keyfilters.gaussian": {"KINDS": "GAUSSIAN_KINDS"},
    "keyfilters.networks.commands.evaluate": {"CLASSES": "CLASSES_OF_DATA"},
    "keyfilters.networks.evaluation.judging": {"run": "outputs_of_batch"},
    "keyfilters.networks.extraction.autoencoder": {"BATCH": "CODES_AT_ONCE"},
    "keyfilters.networks.extraction.comparison": {"Comparison": "KeyComparison", "NULLS": "KEY_NULLS"},
    "keyfilters.networks.inspection.inspecting": {"clean": "keyfilters.output.as_json"},
    "keyfilters.networks.inspection.report_page": {"COLUMNS": "REPORT_COLUMNS"},
    "keyfilters.networks.surgery.branches": {"METHODS": "MERGE_METHODS"},
    "keyfilters.networks.surgery.nulls": {"Interval": "ExplainedInterval"},
    "keyfilters.networks.surgery.printing": {"table": "frame_text"},
    "keyfilters.networks.training.checkpointing": {"KEPT": "KEPT_CHECKPOINTS"},
    "keyfilters.networks.training.loop": {"fit": "train_network"},
    "keyfilters.networks.zoo.files": {"KINDS": "FOREIGN_FILES"},
    "keyfilters.networks.zoo.weight_formats": {"difference": "mismatch"},
    "keyfilters.uncertainty": {
        name: f"keyfilters_book.significance.{name}"
        for name in ("EXACT_SIGN_FLIPS", "PairedTest", "holm", "paired_test", "standard_errors", "t_interval")
    },
    "keyfilters_book.background.costs": {"KINDS": "LAYER_KINDS"},
    "keyfilters_book.background.crbm": {"reconstruction_error": "mean_image_error", "train": "train_crbm"},
    "keyfilters_book.background.factorisation": {"project": "project_on_bank"},
    "keyfilters_book.background.inversion": {"similarity": "pixel_correlation"},
    "keyfilters_book.background.lenet": {"layer_table": "lenet_table"},
    "keyfilters_book.background.random_networks": {
        "SETTINGS": "START_SETTINGS", "Setting": "StartSetting", "prepared": "standardised_rows",
    },
    "keyfilters_book.background.regularisers": {
        "PENALTIES": "REGULARISERS", "RECIPES": "IMAGE_RECIPES", "project": "shorten_colours",
    },
    "keyfilters_book.background.transfer": {"PENALTIES": "PROBE_PENALTIES"},
    "keyfilters_book.background.visualisation": {"objective": "unit_score"},
    "keyfilters_book.experiments.baselines": {
        "METHODS": "CLASSIFIERS", "PENALTIES": "CLASSIFIER_PENALTIES", "baseline": "linear_baseline",
    },
    "keyfilters_book.experiments.design": {"SPLITS": "SPLIT_SIZES"},
    "keyfilters_book.experiments.filter_banks": {"unit": "unit_norm"},
    "keyfilters_book.experiments.replacement": {
        "RECIPES": "MENDING_RATES", "VARIANTS": "REPLACEMENTS", "Variant": "Replacing", "in_order": "layers_in_order",
    },
    "keyfilters_book.experiments.replacement_images": {
        "Images": "JudgingImages", "JUDGED_AT_ONCE": "IMAGES_AT_ONCE", "batches": "as_batches",
    },
    "keyfilters_book.experiments.runs": {"Outcome": "RunOutcome", "scales_of": "channel_scales"},
    "keyfilters_book.experiments.scale_sweep": {"sweep": "sweep_scales"},
    "keyfilters_book.experiments.silhouettes": {"VARIABLE": "ANIMALS_VARIABLE"},
    "keyfilters_book.experiments.store": {"deviations": "processor_deviations", "table": "stored_table"},
    "keyfilters_book.experiments.summary": {
        "KEYS": "KEY_VARIANT", "accuracies": "accuracy_table", "coverage": "design_coverage",
    },
    "keyfilters_book.experiments.survey": {
        "PACKAGED": "PACKAGED_NETWORKS", "VERDICTS": "SURVEY_VERDICTS", "directions": "unit_filters", "verdict":
        "survey_verdict",
    },
    "keyfilters_book.experiments.variants": {"bank": "variant_bank"},
    "keyfilters_book.figures.training": {"interval_dots": "seed_dots"},
    "keyfilters_book.paper.architecture": {"Variant": "NetworkSize", "layer_table": "network_table", "variant": "network_size"},
    "keyfilters_book.paper.procedure": {"MISSING": "MISSING_STEP"},
    "keyfilters_book.representations.classifier": {"PENALTIES": "RIDGE_PENALTIES"},
    "keyfilters_book.representations.gabor": {
        "Fit": "GaborFit", "MODELS": "GABOR_MODELS", "Model": "GaborModel", "fit": "fit_gabor",
    },
    "keyfilters_book.representations.layered": {"KINDS": "PURSUIT_KINDS", "STEPS": "LAYER_STEPS"},
    "keyfilters_book.representations.parity": {"denoise": "wavelet_denoise", "tiles": "squares"},
    "keyfilters_book.representations.recovery": {"METHODS": "PURSUITS"},
    "keyfilters_book.representations.second_layer": {"correlations": "column_correlations"},
    "keyfilters_book.representations.thresholding": {"KINDS": "THRESHOLD_KINDS"},
}  # fmt: skip
"""Module -> former names of what it defines, each with its name now, or with its place in another module. Former places of modules are in `MOVED`."""


def place_now(old: str) -> str | None:
    """Where a module of this old name is now; None for a name that has not moved.

    >>> place_now("keyfilters.representations.frames"), place_now("keyfilters.fitting")
    ('keyfilters_book.representations.frames', None)
    """
    module = max((name for name in MOVED if f"{old}.".startswith(f"{name}.")), key=len, default=None)
    return None if module is None else MOVED[module] + old[len(module) :]


def _tell(old: str, now: str) -> None:
    warnings.warn(f"{old} is now {now}; the old name goes with release 0.2", DeprecationWarning, stacklevel=3)


class _OldNames(MetaPathFinder, Loader):
    """Imports a module by its old name: both names stand for the one module."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname in RENAMED and path is not None:
            return _with_old_names(fullname, path)
        now = place_now(fullname) if fullname.startswith("keyfilters.") else None
        if now is None:
            return None
        if find_spec(now.partition(".")[0]) is None:
            raise ModuleNotFoundError(
                f"{fullname} is now {now}, of the package keyfilters-book, which is not installed", name=fullname
            )
        return spec_from_loader(fullname, self) if find_spec(now) else None

    def exec_module(self, module):
        old = module.__name__
        now = place_now(old)
        _tell(old, now)
        sys.modules[old] = resolve_name(now)


def renamed(module: str, name: str) -> object:
    """What a module has under another name now. Raises `AttributeError` for any other name."""
    now = RENAMED.get(module, {}).get(name)
    if now is None:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    place = now if "." in now else f"{module}.{now}"
    _tell(f"{module}.{name}", place)
    return resolve_name(place)


def _with_old_names(fullname: str, path: Sequence[str]) -> ModuleSpec | None:
    """The module as it is found anyway; asked for one of its old names it answers with the new one."""
    spec = PathFinder.find_spec(fullname, path)
    if spec is not None and spec.loader is not None:
        run = spec.loader.exec_module

        def exec_module(module):
            module.__getattr__ = partial(renamed, fullname)
            run(module)

        spec.loader.exec_module = exec_module
    return spec


def chapter_figure(name: str) -> Callable:
    """A name of `keyfilters_book.figures` that stood in `keyfilters.figures`. Raises `AttributeError` for any other."""
    if not name.startswith("_") and find_spec("keyfilters_book"):
        figures = resolve_name("keyfilters_book.figures")
        if name in figures.__all__:
            _tell(f"keyfilters.figures.{name}", f"keyfilters_book.figures.{name}")
            return getattr(figures, name)
    raise AttributeError(f"module 'keyfilters.figures' has no attribute {name!r}")


def install() -> None:
    """Let old names be imported."""
    # First: a package that has moved would otherwise have its modules loaded a second time, under their old names.
    sys.meta_path.insert(0, _OldNames())
