"""What the chapter *What do the keys become in one and three dimensions?* shows: motion in x and t, a volume, moving pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from scipy import ndimage
from torch import nn

import keyfilters as kf
from keyfilters.figures.style import MARKERS, RC
from keyfilters.networks import ScaleSpaceConv3d
from keyfilters_book.figures.curves import DASHES

DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1))
"""Velocities (x, y) of the four classes: right, left, up, down, in grid units per frame."""
FRAMES, SIDE = 9, 12
FRONTS = (("keys", False), ("moving keys", False), ("keys", True), ("learned", False), ("learned", True))
"""First layers that are compared, each with whether its channels are mixed."""

COMPONENTS = {
    "formats": {"share": "{:.1%}", "explained": "{:.0%}", "next_explained": "{:.0%}"},
    "headers": {"share": "variance", "next_explained": "explained by it"},
}
MOTION = {
    "formats": dict.fromkeys(["few", "few_sd", "many", "many_sd"], "{:.1%}"),
    "headers": {"few_sd": "deviation", "many_sd": "deviation"},
}


def moving_picture(pattern: np.ndarray, velocity: int) -> np.ndarray:
    """A periodic pattern that moves, as a picture of x and t, t up; as many times as points, so that t is periodic too."""
    return np.stack([np.roll(pattern, velocity * t) for t in range(len(pattern))])[::-1]


def energy(kernel: np.ndarray, picture: np.ndarray) -> float:
    """Mean square of the response to a periodic picture."""
    return float((ndimage.convolve(picture, kernel, mode="wrap") ** 2).mean())


def brain() -> np.ndarray:
    """A magnetic resonance image of a head, shape (24, 96, 128), [z, y, x] with y up: an example that nibabel has in its package."""
    import nibabel

    path = Path(nibabel.__file__).parent / "tests" / "data" / "example4d.nii.gz"
    return np.asarray(nibabel.load(path).dataobj, dtype=float)[..., 0].T[:, ::-1]


def patches(volume: np.ndarray, size: int, darkest: float) -> np.ndarray:
    """All patches of a volume without a voxel as dark as the background, one a row."""
    cubes = np.lib.stride_tricks.sliding_window_view(volume, (size,) * 3).reshape(-1, size**3)
    return cubes[cubes.min(1) > darkest]


def principal(samples: np.ndarray, count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Leading principal components as filters, (count, size, size, size), and their shares of the variance."""
    values, vectors = np.linalg.eigh(np.cov(samples.T))
    leading = vectors.T[::-1][:count]
    # Either sign will do: that which makes the first voxel positive, so that all machines show the same.
    leading = leading * np.sign(leading[:, :1])
    return leading.reshape(-1, size, size, size), values[::-1][:count] / values.sum()


def component_table(components: np.ndarray, share: np.ndarray) -> pd.DataFrame:
    """For each component the centred key that explains most of it, and the one that comes next."""
    rows = {name: operators for name, operators in kf.axis_keys("xyz").items() if name[-1] not in "+-"}
    table = []
    for number, (component, own) in enumerate(zip(components, share, strict=True), start=1):
        explained = {name: 1 - kf.fit_separable(operators, component).left for name, operators in rows.items()}
        best, second = sorted(explained, key=explained.__getitem__, reverse=True)[:2]
        table.append((number, own, best, explained[best], second, explained[second]))
    return pd.DataFrame(table, columns=["component", "share", "key", "explained", "next", "next_explained"])


def _pictures(training: bool) -> list[np.ndarray]:
    from skimage import color, data

    if training:
        found = [data.grass(), data.brick(), data.camera()]
    else:
        found = [data.gravel(), 255 * color.rgb2gray(data.chelsea()), 255 * color.rgb2gray(data.astronaut())]
    return [picture[::2, ::2] / 255.0 for picture in found]


def videos(count: int, seed: int, training: bool, noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Windows on photographs that move past them, shape (count, 1, t, y, x), with noise; and the direction of each.

    Mean 0 and standard deviation 1 before the noise. Those for testing come from other photographs than those for training.
    """
    rng, pictures = np.random.default_rng([seed, training]), _pictures(training)
    clips, labels = np.empty((count, 1, FRAMES, SIDE, SIDE), np.float32), rng.integers(len(DIRECTIONS), size=count)
    for clip, label in zip(clips, labels, strict=True):
        picture, (x, y) = pictures[rng.integers(len(pictures))], DIRECTIONS[label]
        row, column = (rng.integers(FRAMES, side - SIDE - FRAMES) for side in picture.shape)
        for t in range(FRAMES):
            # What moves up comes to a smaller index of its row.
            clip[0, t] = picture[row + y * t :, column - x * t :][:SIDE, :SIDE]
        clip -= clip.mean()
        clip /= clip.std() + 1e-6
        clip += noise * rng.standard_normal(clip.shape)
    return torch.from_numpy(clips), torch.from_numpy(labels)


def front_of(kind: str, seed: int, sigma: float) -> nn.Module:
    """A first layer of ten filters 5 x 5 x 5: the separable keys, spatial differences that move, or learned filters."""
    if kind == "keys":
        return ScaleSpaceConv3d(1, 5, sigma=sigma, out_channels=10, padding="valid", bias=False)
    torch.manual_seed(seed)
    layer = nn.Conv3d(1, 10, 5, bias=False)
    if kind == "moving keys":
        rows = kf.axis_keys("xyt")
        bank = [kf.separable_filter(rows[k], sigma, size=5, velocity=v) for v in ((0, 0), *DIRECTIONS) for k in "xy"]
        # A layer correlates, so motion needs the mirror image in all axes.
        layer.weight.data = torch.tensor(np.flip(bank, (1, 2, 3)).copy(), dtype=torch.float32)[:, None]
        layer.requires_grad_(False)
    return layer


def motion_table(accuracies: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over seeds of the accuracy with few and many videos."""
    grouped = accuracies.groupby(["front", "mixed", "size"], sort=False).accuracy
    table = pd.DataFrame({"mean": grouped.mean(), "sd": grouped.std()}).unstack("size")
    names = {("mean", "few"): "few", ("sd", "few"): "few_sd", ("mean", "many"): "many", ("sd", "many"): "many_sd"}
    table = table[list(names)]
    table.columns = list(names.values())
    trained = accuracies.groupby(["front", "mixed"], sort=False).trained.first()
    table.insert(0, "trained", trained)
    order = list(dict.fromkeys(zip(accuracies.front, accuracies.mixed, strict=True)))
    table = table.loc[order].reset_index()
    table["mixed"] = ["yes" if mixed else "no" for mixed in table.mixed]
    return table


def motion_numbers(accuracies: pd.DataFrame, wide: pd.DataFrame, few: int, many: int) -> dict:
    """The numbers of the text on the four directions: how many videos, trained numbers, and accuracies in percent."""
    percent = 100 * wide.groupby("size").mean()
    trained = accuracies[accuracies.mixed].groupby("front").trained.first()
    return {
        "few_count": few,
        "many_count": many,
        "keys_trained": trained["keys"],
        "learned_trained": (trained["learned"], ",d"),
        "few_keys_mixed": (percent["keys", True]["few"], ".0f"),
        "few_learned_mixed": (percent["learned", True]["few"], ".0f"),
        "few_learned_plain": (percent["learned", False]["few"], ".0f"),
        "many_keys_plain": (percent["keys", False]["many"], ".0f"),
        "many_moving": (percent["moving keys", False]["many"], ".0f"),
    }


def time_figure(frame: pd.DataFrame) -> Figure:
    """The Gaussian and the time-causal kernel over the time since the event."""
    with plt.rc_context(RC):
        fig, ax = plt.subplots(figsize=(6, 3.2))
        for i, (column, label) in enumerate({"gaussian": "Gaussian", "time_causal": "time-causal limit kernel"}.items()):
            look = {"marker": MARKERS[i], "markersize": 4, "linestyle": DASHES[i]}
            ax.plot(frame.time, frame[column], label=label, **look)
        ax.axvline(0, color="0.5", linewidth=1)
        ax.set(xlabel="time since the event (frames)", ylabel="weight")
        ax.legend(frameon=False)
    return fig


def component_figure(components: np.ndarray, keys: Sequence[str]) -> Figure:
    """Layer by layer the components, one a row, each with the key that explains most of it."""
    with plt.rc_context(RC):
        fig, axes = plt.subplots(4, 5, figsize=(5.4, 4.8))
        for row, component, key in zip(axes, components, keys, strict=True):
            limit = np.abs(component).max()
            for ax, layer in zip(row, component, strict=True):
                ax.imshow(layer, cmap="RdBu_r", vmin=-limit, vmax=limit)
                ax.set(xticks=[], yticks=[])
            row[0].set_ylabel(f"key {key}")
        for z, ax in enumerate(axes[0], start=-2):
            ax.set_title(f"z = {z}")
    return fig


def train(network: nn.Module, videos: torch.Tensor, labels: torch.Tensor, steps: int) -> None:
    """Adam on what is free, one cycle of its rate, 32 videos a step; the network is left ready to be judged."""
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=steps)
    for _ in range(steps):
        batch = torch.randint(len(videos), (32,))
        loss = nn.functional.cross_entropy(network(videos[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    network.eval()
