"""Training in one process: exact resumption, what each setting does, checkpoints, recipes, mistakes in one line."""

import dataclasses
import hashlib
import json
import math
import pickle
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")

from foreign_checkpoints import Payload  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from torch import nn  # noqa: E402
from training_samples import CLASSES, EVERYTHING, folder, history, images, tiny  # noqa: E402

from keyfilters.cli import _parser  # noqa: E402
from keyfilters.networks import SmallConvNeXt, load_model, replace  # noqa: E402
from keyfilters.networks.commands.train import config_of  # noqa: E402
from keyfilters.networks.training import checkpointing, loop  # noqa: E402
from keyfilters.networks.training.batches import ArrayImages, Plan, order, share  # noqa: E402
from keyfilters.networks.training.checkpointing import CannotWrite, RunFolder  # noqa: E402
from keyfilters.networks.training.loop import Diverged, Transformed, sets_of, train, train_network  # noqa: E402
from keyfilters.networks.training.recipes import DESCRIPTIONS, RECIPES, TrainConfig, recipe  # noqa: E402
from keyfilters.networks.zoo.checkpoints import write_weights  # noqa: E402
from keyfilters.output import file_mask  # noqa: E402

PAGE = Path(__file__).parents[3] / "book" / "imagenet_training.md"
BASE = TrainConfig(epochs=3, batch_size=16, lr=0.02, device="cpu")
SMALL = {"depths": [1, 1, 1, 1], "dims": [8, 12, 16, 24]}
"""Arguments that make a ConvNeXt V2 of timm tiny."""


pytestmark = pytest.mark.usefixtures("one_thread")


def weights_of(model):
    return {k: v.detach().clone() for k, v in model.state_dict().items()}


def assert_equal(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


class Stop(Exception):
    pass


def stop_at(step):
    def on_step(done, loss, model):
        if done == step:
            raise Stop

    return on_step


# --- Resuming ------------------------------------------------------------------------------------

CASES = {
    "plain": {},
    "everything": EVERYTHING,
    "passes": {**EVERYTHING, "device_batch": 4},
    "bf16": {**EVERYTHING, "amp": "bf16", "channels_last": True, "ema_warmup": True},
    "fp16": {"amp": "fp16", "clip": 1.0},
    "sgd": {"opt": "sgd", "opt_args": {"nesterov": True}, "sched": "step"},
    "lookahead": {"opt": "lookahead_adamw", "layer_decay": 0.8, "sched": "wsd"},
}


@pytest.mark.parametrize("case", CASES)
def test_an_interrupted_training_ends_with_the_same_weights(tmp_path, case):
    config = dataclasses.replace(BASE, **CASES[case])
    # A step of the second or the third epoch: 48 images are three steps an epoch.
    step = 4 + list(CASES).index(case) % 6
    whole = train_network(tiny(0.3), images(), images(32, 1), config, tmp_path / "whole")
    with pytest.raises(Stop):
        train_network(tiny(0.3), images(), images(32, 1), config, tmp_path / "cut", on_step=stop_at(step))
    assert RunFolder(tmp_path / "cut").epochs() == list(range(1, 1 + (step - 1) // 3))
    # What the interrupted process had in memory is gone: another network, another state of all generators.
    torch.manual_seed(99)
    other = tiny(0.3)
    with torch.no_grad():
        for p in other.parameters():
            p.normal_()
    resumed = train_network(other, images(), images(32, 1), config, tmp_path / "cut", resume=True)
    assert_equal(load_file(whole.weights), load_file(resumed.weights))
    assert_equal(weights_of(whole.network), weights_of(resumed.network))
    assert history(tmp_path / "whole") == history(tmp_path / "cut")
    last = [RunFolder(tmp_path / name).read() for name in ("whole", "cut")]
    assert_equal(last[0].model, last[1].model)
    assert last[0].state["done"] == last[1].state["done"] == 9
    assert last[0].state["scaler"] == last[1].state["scaler"]
    # Resumed once more, when it is done, it changes nothing.
    again = train_network(tiny(0.3), images(), images(32, 1), config, tmp_path / "cut", resume=True)
    assert again.weights.read_bytes() == whole.weights.read_bytes() and again.history == resumed.history


def test_seeds_and_images_matter(tmp_path):
    # What the tests of equality compare is not the same anyway.
    start = weights_of(tiny())
    a, b, c = (
        weights_of(train_network(tiny(), images(seed=k), config=dataclasses.replace(BASE, seed=s)).network)["head.weight"]
        for k, s in ((0, 0), (0, 1), (1, 0))
    )
    assert not torch.equal(a, b) and not torch.equal(a, c) and not torch.equal(a, start["head.weight"])


def test_it_learns_and_writes_nothing_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = train_network(tiny(), images(96), images(32, 1), dataclasses.replace(BASE, epochs=12, lr=0.03))
    assert result.history[-1]["top1"] > 0.9
    assert result.history[-1]["train_loss"] < 0.5 * result.history[0]["train_loss"]
    assert not result.network.training
    assert result.folder is None and result.weights is None and list(tmp_path.iterdir()) == []


class Grey(torch.utils.data.Dataset):
    """Images one at a time as PIL, as a folder gives them."""

    def __init__(self, n=24):
        self.pictures, self.labels = images(n)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        from PIL import Image

        return Image.fromarray(self.pictures[index]), self.labels[index]


def augmented():
    transform = timm.data.create_transform(
        (1, 8, 8), is_training=True, auto_augment="rand-m9-mstd0.5-inc1", re_prob=0.5, re_mode="pixel", mean=(0.5,), std=(0.5,)
    )
    return Transformed(Grey(), transform, 1)


def test_augmentation_depends_neither_on_workers_nor_on_where_it_starts(tmp_path):
    config = dataclasses.replace(BASE, epochs=2, batch_size=8, mixup=0.2)
    one = train_network(tiny(), augmented(), config=config, folder=tmp_path / "one")
    two = train_network(tiny(), augmented(), config=dataclasses.replace(config, workers=1))
    assert_equal(weights_of(one.network), weights_of(two.network))
    with pytest.raises(Stop):
        train_network(tiny(), augmented(), config=config, folder=tmp_path / "cut", on_step=stop_at(5))
    resumed = train_network(tiny(), augmented(), config=config, folder=tmp_path / "cut", resume=True)
    assert_equal(weights_of(one.network), weights_of(resumed.network))


# --- Batches -------------------------------------------------------------------------------------


@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 3), st.integers(0, 5))
def test_shares_hold_every_image_of_a_batch_once(own, world, passes, rest):
    size = own * world * passes
    plan = Plan(3 * size + rest % size, size, world, passes, 3)
    steps = [
        [np.concatenate(list(plan.shares(7, 2, r))[s * passes : (s + 1) * passes]) for r in range(world)] for s in range(3)
    ]
    expected = order(plan.n, 7, 2)
    for s, shares in enumerate(steps):
        assert len({len(x) for x in shares}) == 1
        assert sorted(np.concatenate(shares)) == sorted(expected[s * size : (s + 1) * size])


@given(st.integers(1, 5), st.integers(1, 6))
def test_a_share_mirrors_as_the_batch_does(half, parts):
    batch = np.random.default_rng(half).permutation(2 * half * parts)
    partner = dict(zip(batch.tolist(), batch[::-1].tolist(), strict=True))
    for k in range(parts):
        part = share(batch, k, parts)
        assert [partner[i] for i in part.tolist()] == part[::-1].tolist()


@given(st.integers(1, 60), st.integers(0, 2**31), st.integers(1, 1000))
def test_every_epoch_has_an_order_of_its_own(n, seed, epoch):
    here, there = order(n, seed, epoch), order(n, seed, epoch + 1)
    assert sorted(here.tolist()) == list(range(n))
    if n > 30:
        assert not np.array_equal(here, there)


@settings(max_examples=25)
@given(st.integers(0, 3), st.floats(0, 1), st.integers(0, 10**6), st.sampled_from([None, 3]))
def test_moved_images_are_the_images_moved(shift, hflip, seed, colours):
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 255, (5, 6, 4) if colours is None else (5, 6, 4, colours), np.uint8)
    data = ArrayImages(pictures, range(5), mean=0.0, std=1.0)
    draws = rng.random((5, 3), dtype=np.float32)
    x, _ = data.batch(np.arange(5), hflip, shift, draws)
    for i in range(5):
        picture = pictures[i].reshape(6, 4, -1)
        picture = picture[:, ::-1] if draws[i, 0] < hflip else picture
        padded = np.pad(picture, ((shift, shift), (shift, shift), (0, 0)))
        dy, dx = (int(draws[i, k] * (2 * shift + 1)) for k in (1, 2))
        np.testing.assert_allclose(x[i].permute(1, 2, 0), padded[dy : dy + 6, dx : dx + 4] / np.float32(255), atol=1e-7)
    # A part of the images moves as in the whole.
    assert torch.equal(data.batch(np.array([4, 1]), hflip, shift, draws)[0], x[[4, 1]])


def test_grey_values_are_normalised_by_the_training_images():
    data = ArrayImages(*images())
    x, _ = data.batch(np.arange(len(data)))
    assert abs(float(x.mean())) < 1e-5 and abs(float(x.std()) - 1) < 1e-4


@pytest.mark.parametrize("case", [{}, EVERYTHING])
def test_a_step_in_passes_is_the_step(case):
    # In float64, where rounding stays small; without drop path, which draws anew for each pass.
    config = dataclasses.replace(BASE, opt="sgd", lr=0.1, **case)
    one, four = (
        weights_of(
            train_network(tiny(dtype=torch.float64), images(), config=dataclasses.replace(config, device_batch=b)).network
        )
        for b in (None, 4)
    )
    for name in one:
        torch.testing.assert_close(one[name], four[name], rtol=0, atol=1e-12)
    assert not torch.equal(one["head.weight"], weights_of(tiny(dtype=torch.float64))["head.weight"])


# --- What the settings do ------------------------------------------------------------------------


def test_the_moving_average_is_one():
    seen = []
    result = train_network(
        tiny(dtype=torch.float64), images(), config=dataclasses.replace(BASE, epochs=1, ema_decay=0.7),
        on_step=lambda done, loss, model: seen.append(model.head.weight.detach().clone()),
    )  # fmt: skip
    expected = tiny(dtype=torch.float64).head.weight.detach()
    for weight in seen:
        expected = 0.7 * expected + 0.3 * weight
    torch.testing.assert_close(result.network.head.weight.detach(), expected, rtol=0, atol=1e-14)
    assert not torch.equal(result.network.head.weight, seen[-1])


def test_the_schedule_warms_up_and_follows_a_cosine():
    model = tiny()
    config = dataclasses.replace(BASE, epochs=10, lr=0.3, warmup_epochs=2.0, min_lr=0.01)
    optimizer = loop.optimizer_of(model, config)
    schedule, rates = loop.schedule_of(optimizer, config, 5), []
    for step in range(50):
        schedule.step_update(step)
        rates.append(optimizer.param_groups[0]["lr"])
    expected = [0.3 * t / 10 if t < 10 else 0.01 + 0.29 * (1 + math.cos(math.pi * (t - 10) / 40)) / 2 for t in range(50)]
    assert rates == pytest.approx(expected, abs=1e-12)


def test_all_schedules_hold_for_any_warm_up():
    for sched in ("cosine", "constant", "step", "tanh", "wsd"):
        for warmup in (0.0, 0.4, 3.0):
            config = dataclasses.replace(BASE, epochs=3, lr=0.3, warmup_epochs=warmup, sched=sched)
            optimizer = loop.optimizer_of(tiny(), config)
            schedule = loop.schedule_of(optimizer, config, 4)
            for step in range(12):
                schedule.step_update(step)
                assert 0 <= optimizer.param_groups[0]["lr"] <= 0.3 + 1e-12


def test_rates_decay_from_the_head_down_and_vectors_keep_their_size():
    model = timm.create_model("convnextv2_atto", num_classes=3, **SMALL)
    config = dataclasses.replace(BASE, layer_decay=0.5, weight_decay=0.1)
    optimizer = loop.optimizer_of(model, config)
    loop.schedule_of(optimizer, config, 3).step_update(0)
    by_parameter = {id(p): g for g in optimizer.param_groups for p in g["params"]}
    rows = {name: by_parameter[id(p)] for name, p in model.named_parameters()}
    assert rows["head.fc.weight"]["lr"] == pytest.approx(BASE.lr)
    assert rows["stages.3.blocks.0.conv_dw.weight"]["lr"] == pytest.approx(BASE.lr / 2)
    assert rows["stem.0.weight"]["lr"] < rows["stages.2.blocks.0.conv_dw.weight"]["lr"]
    assert rows["head.fc.weight"]["weight_decay"] == 0.1 and rows["head.fc.bias"]["weight_decay"] == 0.0


def test_a_clipped_gradient_moves_the_weights_no_further():
    config = dataclasses.replace(
        BASE, epochs=1, opt="sgd", opt_args={"nesterov": False, "momentum": 0.0}, lr=0.1, weight_decay=0.0, sched="constant"
    )
    for clip, bound in ((1e-3, True), (None, False)):
        model = tiny()
        before, largest = [weights_of(model)], []

        def on_step(done, loss, m, before=before, largest=largest):
            now = weights_of(m)
            largest.append(math.sqrt(sum(float((now[k] - before[0][k]).square().sum()) for k in now)))
            before[0] = now

        train_network(model, images(), config=dataclasses.replace(config, clip=clip), on_step=on_step)
        assert (max(largest) <= 0.1 * 1e-3 * 1.001) is bound


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_reduced_precision_is_near_and_not_the_same(amp):
    full, reduced = (
        train_network(tiny(), images(), images(16, 1), dataclasses.replace(BASE, amp=a)).history[-1]["train_loss"]
        for a in ("no", amp)
    )
    assert full != reduced and abs(full - reduced) < 0.05


def test_smoothing_and_mixup_change_the_loss_and_not_the_judging():
    plain, smooth, mixed = (
        train_network(tiny(), images(), images(16, 1), dataclasses.replace(BASE, epochs=1, lr=1e-9, **kw)).history[0]
        for kw in ({}, {"smoothing": 0.3}, {"mixup": 1.0})
    )
    assert plain["val_loss"] == pytest.approx(smooth["val_loss"], abs=1e-6) == pytest.approx(mixed["val_loss"], abs=1e-6)
    assert len({round(row["train_loss"], 6) for row in (plain, smooth, mixed)}) == 3


def test_judging_counts_every_image_once():
    model, (pictures, labels) = tiny(), images(37, 3)
    row = train_network(model, images(), (pictures, labels), dataclasses.replace(BASE, epochs=1)).history[0]
    data = ArrayImages(pictures, labels, ArrayImages(*images()).mean, ArrayImages(*images()).std)
    with torch.no_grad():
        out = model(data.batch(np.arange(37))[0])
    assert row["top1"] == pytest.approx(float((out.argmax(1) == data.labels).float().mean()))
    assert row["top5"] == 1.0  # of four classes
    assert row["val_loss"] == pytest.approx(float(nn.functional.cross_entropy(out, data.labels)), rel=1e-5)


# --- A loss that is no number --------------------------------------------------------------------


class Breaks(nn.Module):
    """Right until the call number ``call``."""

    def __init__(self, call):
        super().__init__()
        self.inner, self.call, self.calls, self.num_classes = tiny(), call, 0, CLASSES

    def forward(self, x):
        self.calls += self.training
        return self.inner(x) * (math.nan if self.calls == self.call else 1)


@pytest.mark.parametrize("every", [1, 2, 100])
@pytest.mark.parametrize("call", [1, 3, 5])
def test_a_loss_that_is_no_number_stops_and_is_named(tmp_path, monkeypatch, call, every):
    init = loop.Run.__init__
    # As if looking at the loss made a device wait.
    monkeypatch.setattr(loop.Run, "__init__", lambda self, *a: (init(self, *a), setattr(self, "every", every))[0])
    with pytest.raises(Diverged) as raised:
        train_network(Breaks(call), images(), config=BASE, folder=tmp_path / "run")
    text = str(raised.value)
    assert f"nan in epoch {1 + (call - 1) // 3}, step {1 + (call - 1) % 3};" in text and "\n" not in text
    assert RunFolder(tmp_path / "run").epochs() == ([] if call <= 3 else [1])


def test_weights_that_are_no_numbers_are_not_kept(tmp_path):
    # The loss of the only step is finite, the step is not.
    config = dataclasses.replace(BASE, epochs=1, batch_size=48, opt="sgd", lr=1e38, weight_decay=10.0, sched="constant")
    with pytest.raises(Diverged, match="after epoch 1, step 1"):
        train_network(tiny(), images(), config=config, folder=tmp_path / "run")
    assert RunFolder(tmp_path / "run").epochs() == []


# --- The folder ----------------------------------------------------------------------------------


def test_the_last_two_and_the_best_stay(tmp_path, monkeypatch):
    scores = iter([0.1, 0.7, 0.2, 0.7, 0.3, 0.4])
    monkeypatch.setattr(loop.Run, "judge", lambda self, _: {"val_loss": 1.0, "top1": next(scores), "top5": 1.0})
    result = train_network(tiny(), images(), images(16), dataclasses.replace(BASE, epochs=6), tmp_path / "run")
    assert result.best_epoch == 2  # of two equals the first
    assert RunFolder(tmp_path / "run").epochs() == [2, 5, 6]
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "config.json", "epoch-0002", "epoch-0005", "epoch-0006", "history.jsonl", "weights.safetensors",
    ]  # fmt: skip


def test_a_failed_write_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    real, calls = torch.save, []

    def full_disk(*arguments, **options):
        calls.append(1)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return real(*arguments, **options)

    monkeypatch.setattr(checkpointing.torch, "save", full_disk)
    with pytest.raises(
        CannotWrite, match="epoch-0002: the checkpoint cannot be written .*No space.*: make room on the disk"
    ) as caught:
        train_network(tiny(), images(), images(16), BASE, tmp_path / "run")
    assert "\n" not in str(caught.value) and RunFolder(tmp_path / "run").epochs() == [1]
    # Whoever may read the folder may read all that is in it.
    modes = {p.stat().st_mode & 0o777 for p in (tmp_path / "run").rglob("*") if p.is_file()}
    assert modes == {0o666 & ~file_mask()}
    resumed = train_network(tiny(), images(), images(16), BASE, tmp_path / "run", resume=True)
    whole = train_network(tiny(), images(), images(16), BASE, tmp_path / "whole")
    assert_equal(load_file(resumed.weights), load_file(whole.weights))
    assert not list((tmp_path / "run").glob(".*"))


def test_another_training_is_not_overwritten(tmp_path):
    train_network(tiny(), images(), images(16), BASE, tmp_path / "run")
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    refused(
        lambda: train_network(tiny(), images(), images(16), BASE, tmp_path / "run"),
        "pass resume=True to go on with it, or force=True to delete it",
    )
    refused(
        lambda: train_network(tiny(), images(), images(16), dataclasses.replace(BASE, lr=0.5), tmp_path / "run", resume=True),
        "trained with lr = 0.02, not 0.5",
    )
    refused(
        lambda: train_network(tiny(), images(), images(16), BASE, tmp_path / "run", resume=True, force=True),
        "expected one of them",
    )
    assert before == {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    train_network(tiny(), images(), images(16), dataclasses.replace(BASE, epochs=1), tmp_path / "run", force=True)
    assert RunFolder(tmp_path / "run").epochs() == [1]


DAMAGE = {
    "a pickle that would run": lambda p, trap: (p / "state.pt").write_bytes(pickle.dumps(trap)),
    "a torch file that would run": lambda p, trap: torch.save({"epoch": trap}, p / "state.pt"),
    "another torch file": lambda p, trap: torch.save({"epoch": 3}, p / "state.pt"),
    "a cut state": lambda p, trap: (p / "state.pt").write_bytes((p / "state.pt").read_bytes()[:500]),
    "an empty state": lambda p, trap: (p / "state.pt").write_bytes(b""),
    "no state": lambda p, trap: (p / "state.pt").unlink(),
    "cut weights": lambda p, trap: (p / "model.safetensors").write_bytes((p / "model.safetensors").read_bytes()[:300]),
    "weights of another network": lambda p, trap: write_weights({"a": torch.zeros(2)}, p / "model.safetensors", force=True),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_one_line_and_runs_nothing(tmp_path, damage):
    train_network(tiny(), images(), config=dataclasses.replace(BASE, epochs=1), folder=tmp_path / "run")
    DAMAGE[damage](tmp_path / "run" / "epoch-0001", Payload(tmp_path / "trapped"))
    refused(
        lambda: train_network(
            tiny(), images(), config=dataclasses.replace(BASE, epochs=1), folder=tmp_path / "run", resume=True
        ),
        "epoch-0001",
    )
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: train_network(tiny(), images(8), config=BASE), "has 8 images: expected at least one batch of 16"),
        (lambda p: train_network(tiny(), (images()[0], np.arange(48)), config=BASE), "go from 0 to 47: expected 0 to 3"),
        (lambda p: train_network(tiny(), (images()[0], np.zeros(3)), config=BASE), r"labels have shape \(3,\): expected \(48,\)"),
        (lambda p: train_network(tiny(), (images()[0] / 255, images()[1]), config=BASE), "expected uint8 of shape"),
        (lambda p: train_network(tiny(), images(), config=dataclasses.replace(BASE, aa="rand-m9")), "aa, reprob or color_jitter is set"),
        (lambda p: train_network(tiny(), augmented(), config=dataclasses.replace(BASE, shift=1)), "shift is set: expected 0"),
        (lambda p: train_network(tiny(), images(), config=dataclasses.replace(BASE, opt="adamx")), "opt 'adamx'.*list_optimizers"),
        (lambda p: train_network(tiny(), images(), config=dataclasses.replace(BASE, opt_args={"x": 1})), "opt 'adamw' with {'x': 1}"),
        (lambda p: train_network(tiny().requires_grad_(False), images(), config=BASE), "no parameter to train"),
        (lambda p: train_network(nn.Linear(2, 2), augmented(), config=BASE), "num_classes is None"),
        (lambda p: train_network(tiny(), images(), config=dataclasses.replace(BASE, mixup=0.5, device_batch=1)), "batch_size is 16: expected a multiple of 32"),
        (lambda p: train_network(tiny(), images(), config=BASE, folder=p / "no" / "run"), "does not exist; make it first"),
        (lambda p: train_network(tiny(), images(), config=BASE, folder=__file__), "is a file; name a folder"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(tmp_path, call, message):
    refused(lambda: call(tmp_path), message)


# --- Settings and recipes ------------------------------------------------------------------------


@each(
    ("values", "message"),
    [
        ({"lrr": "1"}, "unknown setting 'lrr': expected one of model, "),
        ({"epochs": "two"}, "epochs is 'two': expected a whole number"),
        ({"epochs": "2.5"}, "epochs is 2.5: expected a whole number"),
        ({"epochs": "0"}, "epochs is 0: expected a number > 0"),
        ({"lr": "nan"}, "lr is nan: expected a finite number"),
        ({"lr": "fast"}, "lr is 'fast': expected a finite number"),
        ({"clip": "x"}, "clip is 'x': expected a finite number, or none"),
        ({"compile": "maybe"}, "compile is 'maybe': expected true or false"),
        ({"compile": "1"}, "compile is 1: expected true or false"),
        ({"model_args": "depth"}, "model_args is 'depth': expected JSON such as {\"name\": 1}"),
        ({"model_args": "[1]"}, r"model_args is \[1\]: expected JSON"),
        ({"model": ""}, "model is '': expected text"),
        ({"sched": "linear"}, "unknown sched 'linear'"),
        ({"amp": "int8"}, "unknown amp 'int8'"),
        ({"drop_path": "1"}, "drop_path is 1.0: expected a number from 0 to below 1"),
        ({"ema_decay": "2"}, "ema_decay is 2.0: expected a number from 0 to 1"),
        ({"device": "gpu"}, "device is 'gpu': expected cpu, or none"),
        ({"warmup_epochs": "7"}, "warmup_epochs is 7: expected at most the 6 epochs"),
        ({"batch_size": "7", "mixup": "0.2"}, "batch_size is 7: expected an even number"),
        ({"seed": True}, "seed is True: expected a whole number"),
    ],
)
def test_a_wrong_setting_is_one_line(values, message):
    refused(lambda: TrainConfig().updated(values), message)


@given(
    st.fixed_dictionaries({
        "lr": st.floats(1e-9, 1e3), "epochs": st.integers(1, 999), "clip": st.none() | st.floats(1e-9, 1e9), "compile": st.booleans(),
        "opt_args": st.dictionaries(st.text("abc", min_size=1), st.integers()), "opt": st.sampled_from(["sgd", "none"]),
    })
)  # fmt: skip
def test_settings_typed_are_settings_given(values):
    typed = {k: json.dumps(v) if not isinstance(v, str) else v for k, v in values.items()}
    assert TrainConfig().updated(typed) == TrainConfig().updated(values)
    config = TrainConfig().updated(values)
    assert TrainConfig().updated(json.loads(json.dumps(config.record()))) == config


def test_every_recipe_resolves():
    assert set(DESCRIPTIONS) == set(RECIPES)
    for name in RECIPES:
        config = recipe(name)
        assert config.record()["model"] == config.model
        loop.schedule_of(loop.optimizer_of(tiny(), config), config, 10)


def test_the_recipes_on_the_page_are_those_of_the_table():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.read_text().splitlines() if line.startswith("| ")
    ]
    table = {row[0]: row[1:] for row in rows if len(row) == 3}
    for column, name in enumerate(("published-finetune", "published-scratch")):
        config = recipe(name)

        def numbers(label, column=column):
            cell = table[label][column]
            cell = table[label][0] if cell == "the same" else cell
            return [float(x.replace(",", "")) for x in re.findall(r"\d[\d,]*(?:\.\d+)?", cell)]

        assert numbers("epochs, of which warm-up") == [config.epochs, config.warmup_epochs]
        assert numbers("images a step") == [config.batch_size]
        assert numbers("optimiser, rate, weight decay") == pytest.approx([config.lr, config.weight_decay])
        assert numbers("schedule") == [config.min_lr]
        assert numbers("factor of the rate from layer to layer") == [config.layer_decay or 1]
        assert numbers("drop path") == [config.drop_path]
        assert numbers("labels") == [config.mixup, config.cutmix, config.smoothing]
        assert numbers("moving average of the weights") == [config.ema_decay]
        assert numbers("images") == [config.img_size, config.img_size, 9, 0.5, config.reprob]
        assert config.aa == "rand-m9-mstd0.5-inc1"


# --- The command and the page --------------------------------------------------------------------


def small(place, *more):
    """Options that make a recipe for ImageNet small; the recipe's own settings stay otherwise."""
    return [
        "--data", place, "--set", f"model_args={json.dumps(SMALL)}", "--set", "img_size=32", "--set", "workers=0", "--set", "device=cpu", *more,
    ]  # fmt: skip


def test_the_published_recipes_run_dry(run, tmp_path):
    place = folder(tmp_path / "imagenet")
    start = timm.create_model("convnextv2_atto", num_classes=7, **SMALL)
    write_weights(start, tmp_path / "start.safetensors")
    before = sorted(p.name for p in tmp_path.iterdir())
    # The network is the smallest of its family, its weights random: neither its size nor the hub is what is tried here.
    dry = [[*words[2:], "--weights", "none"] for words in page_commands() if "--dry-run" in words]
    assert dry
    for arguments in (
        ["--recipe", "published-finetune", "--weights", tmp_path / "start.safetensors", "--replace", "affine"],
        ["--recipe", "published-finetune", "--weights", "none", "--replace", "learnable", "--method", "D2"],
        ["--recipe", "published-scratch", "--replace", "unit"],
        *dry,
    ):
        status, out, err = run(
            "train", *arguments, *small(place, "--model", "convnextv2_atto"), "-o", tmp_path / "run", "--dry-run"
        )
        assert status == 0 and "dry run: every phase works" in out, err
        assert len(re.findall(r"^epoch [12]/2  loss \d", out, re.M)) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == before


@pytest.fixture
def fashion(monkeypatch):
    from keyfilters import fetch

    rng = np.random.default_rng(0)
    sets = {f"{split}_images": rng.integers(0, 255, (n, 28, 28), np.uint8) for split, n in (("train", 64), ("test", 20))}
    sets |= {f"{split}_labels": (np.arange(n) % 10).astype(np.uint8) for split, n in (("train", 64), ("test", 20))}
    for array in sets.values():
        array.flags.writeable = False  # as those that are fetched
    monkeypatch.setattr(fetch, "fashion_mnist", lambda *a, **k: sets)
    return sets


def test_the_weights_are_those_of_a_plain_network(run, tmp_path, fashion):
    config = recipe(
        "fashion-mnist-small", epochs=2, batch_size=32, replace="learnable", device="cpu", warmup_epochs=0.5, ema_decay=0.5
    )
    result = train(config, tmp_path / "run", progress=False)
    plain = load_model("small_convnext", weights=result.weights)
    x = ArrayImages(fashion["test_images"], fashion["test_labels"], plain.mean, plain.std).batch(np.arange(20))[0]
    with torch.no_grad():
        torch.testing.assert_close(plain.model(x), result.network(x), rtol=1e-5, atol=1e-5)
    trained = {k: v for k, v in result.network.state_dict().items() if "raw" in k}
    first = RunFolder(tmp_path / "run").read(1).model
    assert trained and any(not torch.equal(first[k], RunFolder(tmp_path / "run").read(2).model[k]) for k in trained)


def test_the_command_trains_and_goes_on(run, tmp_path, fashion):
    out = tmp_path / "run"
    arguments = [
        "train", "--recipe", "fashion-mnist-small", "--set", "batch_size=32", "--set", "device=cpu", "--set", "amp=no", "-o", out,
    ]  # fmt: skip
    status, said, _ = run(*arguments, "--set", "epochs=2")
    assert (
        status == 0
        and len(re.findall(r"^epoch \d/2  loss", said, re.M)) == 2
        and "weights.safetensors: weights after epoch 2" in said
    )
    whole = load_file(out / "weights.safetensors")
    again, _, refusal = run(*arguments, "--set", "epochs=2")
    assert again == 2 and "add --resume to go on with it, or --force to delete it" in refusal
    # The last checkpoint is lost; what is stored is enough to make it again.
    for name in ("state.pt", "model.safetensors"):
        (out / "epoch-0002" / name).unlink()
    (out / "epoch-0002").rmdir()
    status, said, _ = run("train", "--resume", "-o", out, "--json")
    record = json.loads(said)
    assert status == 0 and [row["epoch"] for row in record["history"]] == [1, 2]
    assert_equal(whole, load_file(out / "weights.safetensors"))
    assert "trained with epochs = 2, not 5" in run("train", "--resume", "-o", out, "--set", "epochs=5")[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no recipe is named: expected --recipe"),
        (["--recipe", "published"], "unknown recipe 'published'"),
        (["--recipe", "published-scratch"], "data is 'imagenet': expected the folder"),
        (["--recipe", "published-scratch", "--data", "nowhere"], "nowhere is not there"),
        (["--recipe", "published-scratch", "--data", "DATA", "--model", "convnextv3"], "unknown model 'convnextv3'"),
        (["--recipe", "published-scratch", "--data", "DATA", "--weights", "no.pt"], "no.pt is not there"),
        (["--recipe", "published-scratch", "--data", "DATA", "--replace", "blur"], "unknown mode 'blur'"),
        (
            ["--recipe", "published-scratch", "--data", "DATA", "--set", "aa=strong"],
            "aa is 'strong': expected a policy of timm",
        ),
        (
            ["--recipe", "published-scratch", "--data", "DATA", "--set", "num_classes=1"],
            "num_classes is 1: expected at least the 2",
        ),
        (["--recipe", "published-scratch", "--data", "DATA"], "has 4 images: expected at least one batch of 4096"),
        (["--recipe", "published-scratch", "--set", "epochs"], "--set 'epochs': expected KEY=VALUE"),
        (["--resume"], "holds no training to resume"),
    ],
)
def test_a_wrong_option_is_one_line(refuses, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    folder(tmp_path / "DATA", per_class=2)
    if "DATA" in arguments:
        arguments = [*small("DATA", "--model", "convnextv2_atto"), *arguments]
    refuses(message, "train", *arguments, "-o", "run")
    assert not (tmp_path / "run").exists()


def test_no_place_is_stored_and_resuming_asks_for_it(run, refuses, tmp_path):
    place = folder(tmp_path / "pictures")
    arguments = small(
        place, "--model", "convnextv2_atto", "--set", "batch_size=4", "--set", "epochs=1", "--set", "warmup_epochs=0"
    )
    more = ("-o", tmp_path / "run", "--set", "device_batch=none")
    assert run("train", "--recipe", "published-scratch", *arguments, *more)[0] == 0
    for path in (tmp_path / "run").rglob("*.*"):
        assert str(tmp_path).encode() not in path.read_bytes(), path
    assert json.loads((tmp_path / "run" / "config.json").read_text())["data"] == "pictures"
    refuses("was trained with data pictures; say where it is: --data PATH", "train", "--resume", "-o", tmp_path / "run")
    assert run("train", "--resume", "-o", tmp_path / "run", "--data", place)[0] == 0


def test_resuming_wants_the_weights_and_the_images_that_it_began_with(tmp_path):
    place, source = folder(tmp_path / "pictures"), tmp_path / "start.safetensors"
    config = TrainConfig(
        model="convnextv2_atto", model_args=SMALL, img_size=32, data=str(place), weights=str(source), num_classes=2, epochs=1,
        batch_size=4, device="cpu", replace="learnable",
    )  # fmt: skip
    starts = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        write_weights(timm.create_model("convnextv2_atto", num_classes=2, **SMALL), source, force=True)
        starts.append(source.read_bytes())
    source.write_bytes(starts[0])
    train(config, tmp_path / "run")
    record = json.loads((tmp_path / "run" / "config.json").read_text())
    assert record["weights_of_start"] == f"sha256 {hashlib.sha256(starts[0]).hexdigest()}"
    whole = (tmp_path / "run" / "weights.safetensors").read_bytes()
    source.write_bytes(starts[1])
    refused(lambda: train(config, tmp_path / "run", resume=True), "was begun with other weights to start from than these")
    source.write_bytes(starts[0])
    image = sorted((place / "train").rglob("*.png"))[0]
    image.rename(image.with_name("other.png"))
    refused(lambda: train(config, tmp_path / "run", resume=True), "was begun with other images than these")
    image.with_name("other.png").rename(image)
    train(config, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() == whole


def test_folders_are_labelled_and_their_hash_holds_classes_and_sizes(tmp_path):
    from PIL import Image

    place = folder(tmp_path / "pictures")
    for split in ("train", "val"):
        for number, one in enumerate(sorted((place / split).iterdir())):
            one.rename(one.with_name(str(3 + number)))
    (place / "train" / "3" / "list.txt").write_text("")
    # Of two classes folders 3 and 4 are the first and the second; of ten they are the classes 3 and 4.
    two, ten, again = (sets_of(TrainConfig(data=str(place), num_classes=classes)) for classes in (2, 10, 2))
    for part in ("train", "val"):
        assert [sorted({label for _, label in getattr(s, part)}) for s in (two, ten)] == [[0, 1], [3, 4]]
    skipped, mapped = ten.notes
    assert "1 files in the folders of classes, of kinds that are not read, were skipped" in skipped
    assert "the numbers of the 2 folders are those of their classes" in mapped
    assert two.fingerprint() == again.fingerprint() != ten.fingerprint()
    before = two.fingerprint()
    # Another picture under the same name.
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(two.val.samples[-1][0])
    assert two.fingerprint() != before


def test_scales_have_a_rate_of_their_own_and_no_decay():
    model = replace(tiny(), mode="learnable", learn_gain=True).model
    config = dataclasses.replace(BASE, layer_decay=0.5, weight_decay=0.1, scale_lr=0.3, lr=0.2)
    optimizer = loop.optimizer_of(model, config)
    names = {id(p): name for name, p in model.named_parameters()}
    own = optimizer.param_groups[-1]
    assert {names[id(p)].rpartition(".")[2] for p in own["params"]} == {"raw_x", "raw_y", "gain", "offset"}
    assert sorted(names[id(p)] for g in optimizer.param_groups for p in g["params"]) == sorted(names.values())
    loop.schedule_of(optimizer, dataclasses.replace(config, sched="constant"), 4).step_update(0)
    assert own["weight_decay"] == 0 and own["lr"] == pytest.approx(0.06)
    refused(lambda: loop.optimizer_of(tiny(), config), "scale_lr is set, and the network has no scales to train")


def test_an_unreadable_image_is_one_line(refuses, tmp_path):
    place = folder(tmp_path / "pictures")
    broken = place / "train" / "n00000000" / "2.png"
    broken.write_bytes(broken.read_bytes()[:40])
    options = small(place, "--model", "convnextv2_atto", "-o", tmp_path / "run", "--dry-run")
    refuses(str(broken), "train", "--recipe", "published-scratch", *options)


def page_commands():
    """The commands of the page, each as a list of words."""
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    return [shlex.split(line) for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def test_the_commands_of_the_page_are_understood():
    from accelerate.commands.launch import launch_command_parser
    from torch.distributed.run import get_args_parser

    launchers, starts = {"torchrun": (get_args_parser(), 1), "accelerate": (launch_command_parser(), 2)}, set()
    for words in page_commands():
        starts.add(words[0])
        arguments = words[1:]
        if words[0] in launchers:
            parser, first = launchers[words[0]]
            launched = parser.parse_args(words[first:])
            assert launched.module and launched.training_script == "keyfilters.cli"
            assert words[0] == "torchrun" or launched.num_machines == 2
            arguments = launched.training_script_args
        options = _parser().parse_args(arguments)
        if options.command == "train" and not options.resume:
            config_of(options)
    assert starts == {"keyfilters", "torchrun", "accelerate"}


def test_a_new_head_is_noted(run, tmp_path):
    write_weights(SmallConvNeXt(), tmp_path / "ten.safetensors")
    place = folder(tmp_path / "images")
    status, out, err = run(
        "train", "--recipe", "fashion-mnist-small", "--data", place, "--weights", tmp_path / "ten.safetensors",
        "--set", "batch_size=4", "--set", "amp=no", "--set", "shift=0", "-o", tmp_path / "out", "--dry-run",
    )  # fmt: skip
    assert status == 0, err
    assert "note: " in out and "random weights" in out


class FailsWhenJudged(Breaks):
    """Finite as long as it is trained, as a network whose running statistics are not."""

    def forward(self, x):
        return self.inner(x) * (1.0 if self.training else math.nan)


def test_a_network_that_judges_nothing_stops_the_training(tmp_path):
    refused(
        lambda: train_network(FailsWhenJudged(0), images(), images(16), BASE, tmp_path / "run"),
        "the loss on the images to judge by is nan after epoch 1",
        Diverged,
    )
    assert RunFolder(tmp_path / "run").epochs() == []
