"""Training in processes of their own: killed at a random step, and shared by two."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import patient
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402
from training_samples import folder, history, images, tiny  # noqa: E402

from keyfilters.networks.training.checkpointing import RunFolder  # noqa: E402
from keyfilters.networks.training.loop import train_network  # noqa: E402
from keyfilters.networks.training.recipes import TrainConfig  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

HELPERS = Path(__file__).parents[2] / "helpers"
START = f"import sys, warnings; warnings.simplefilter('error'); sys.path.insert(0, {str(HELPERS)!r})\n"


def environment():
    # One network card that every machine has, and one thread as in the process of the tests.
    return os.environ | {"GLOO_SOCKET_IFNAME": "lo" if Path("/sys/class/net/lo").exists() else "lo0", "OMP_NUM_THREADS": "1"}


def launch(arguments, script=None, module=None, processes=2):
    """Run a script or module in several processes as torchrun does."""
    target = ["-m", module] if module else [str(script)]
    command = [
        sys.executable, "-m", "torch.distributed.run", f"--nproc_per_node={processes}", "--rdzv_backend=c10d",
        "--rdzv_endpoint=127.0.0.1:0", "--local_addr=127.0.0.1", *target, *map(str, arguments),
    ]  # fmt: skip
    return patient.run(command, capture_output=True, text=True, env=environment())


# --- Killed --------------------------------------------------------------------------------------

KILLED = TrainConfig(
    epochs=4, batch_size=8, lr=0.02, device="cpu", mixup=0.8, cutmix=1.0, smoothing=0.1, hflip=0.5, shift=1, ema_decay=0.9, clip=1.0,
    amp="bf16", channels_last=True,
)  # fmt: skip
KILLED_SCRIPT = (
    START
    + """
import torch; torch.set_num_threads(1)
from training_samples import images, tiny
from keyfilters.networks.training.recipes import TrainConfig
from keyfilters.networks.training.loop import train_network
def say(done, loss, model):
    # The parent answers each step, so that it decides at which one it kills.
    print(done, flush=True); sys.stdin.readline()
train_network(tiny(0.3), images(), images(32, 1), TrainConfig().updated(RECORD), sys.argv[1], on_step=say)
"""
)


def test_a_training_that_is_killed_goes_on_to_the_same_weights(tmp_path):
    whole = train_network(tiny(0.3), images(), images(32, 1), KILLED, tmp_path / "whole")
    # 6 steps an epoch; anywhere after the first checkpoint and before the end.
    step = random.SystemRandom().randrange(7, 24)
    script = KILLED_SCRIPT.replace("RECORD", repr(KILLED.record()))
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "cut")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    with process:
        for line in process.stdout:
            if int(line) == step:
                process.send_signal(signal.SIGKILL)
                break
            process.stdin.write("\n")
            process.stdin.flush()
    assert process.returncode == -signal.SIGKILL
    epochs = (step - 1) // 6
    assert RunFolder(tmp_path / "cut").epochs()[-1] == epochs
    assert not (tmp_path / "cut" / "weights.safetensors").exists()
    resumed = train_network(tiny(0.3), images(), images(32, 1), KILLED, tmp_path / "cut", resume=True)
    a, b = load_file(whole.weights), load_file(resumed.weights)
    assert all(torch.equal(a[name], b[name]) for name in a), f"killed at step {step}"
    assert history(tmp_path / "whole") == history(tmp_path / "cut")


# --- Two processes -------------------------------------------------------------------------------

COMMON = {"epochs": 2, "batch_size": 16, "device": "cpu"}
SHARED = {
    # In float64 only rounding separates them; Adam would divide it by itself where a gradient is zero.
    "sgd": (
        {"opt": "sgd", "lr": 0.1, "clip": 1.0, "mixup": 0.8, "cutmix": 1.0, "hflip": 0.5, "shift": 1, "ema_decay": 0.9},
        0.0,
    ),
    "adamw": ({"opt": "adamw", "lr": 0.01, "opt_args": {"eps": 1e-4}, "smoothing": 0.1, "device_batch": 4}, 0.0),
    # Drop path draws for each part of a batch: two passes of one process are the two processes.
    "drop path": ({"opt": "sgd", "lr": 0.1, "channels_last": True, "sched": "constant"}, 0.4),
}
SHARED_SCRIPT = (
    START
    + """
import os, torch; torch.set_num_threads(1)
from training_samples import images, tiny
from keyfilters.networks.training.recipes import TrainConfig
from keyfilters.networks.training.loop import Diverged, train_network
rank, cases = int(os.environ["RANK"]), CASES
for name, (settings, drop) in cases.items():
    model = tiny(drop, torch.float64)
    if rank:
        with torch.no_grad():  # the first process's weights count
            for p in model.parameters():
                p.zero_()
    train_network(model, images(), images(33, 1), TrainConfig(**settings), f"{sys.argv[1]}/{name}")
# Resumed by two: the last checkpoint of the first case is made again.
name, (settings, drop) = next(iter(cases.items()))
if rank == 0:
    import shutil
    shutil.copytree(f"{sys.argv[1]}/{name}", f"{sys.argv[1]}/resumed")
    shutil.rmtree(f"{sys.argv[1]}/resumed/epoch-0002")
torch.distributed.barrier()
train_network(tiny(drop, torch.float64), images(), images(33, 1), TrainConfig(**settings), f"{sys.argv[1]}/resumed", resume=True)
# A loss that is no number, in one of the two only: both stop and name the step.
class Breaks(torch.nn.Module):
    num_classes, calls = 4, 0
    def __init__(self):
        super().__init__()
        self.inner = tiny()
    def forward(self, x):
        self.calls += self.training
        return self.inner(x) * (float("nan") if rank and self.calls == 2 else 1)
try:
    train_network(Breaks(), images(), None, TrainConfig(**COMMON))
except Diverged as error:
    print(f"rank {rank}: {error}", flush=True)
# Processes that see different folders.
try:
    train_network(tiny(), images(), None, TrainConfig(**cases["sgd"][0]), f"{sys.argv[1]}/{'sgd' if rank else 'elsewhere'}", resume=True)
except ValueError as error:
    print(f"rank {rank}: {error}", flush=True)
torch.distributed.destroy_process_group()
"""
)


def test_two_processes_compute_what_one_does(tmp_path):
    cases = {name: (COMMON | settings, drop) for name, (settings, drop) in SHARED.items()}
    script = tmp_path / "shared.py"
    script.write_text(SHARED_SCRIPT.replace("CASES", repr(cases)).replace("COMMON", repr(COMMON)))
    done = launch([tmp_path], script)
    assert done.returncode == 0, done.stderr
    for name, (settings, drop) in cases.items():
        passes = {"device_batch": 8} if name == "drop path" else {}
        one = train_network(
            tiny(drop, torch.float64), images(), images(33, 1), TrainConfig(**settings | passes), tmp_path / f"one {name}"
        )
        two = load_file(tmp_path / name / "weights.safetensors")
        start = tiny(drop, torch.float64).state_dict()
        for key, value in load_file(one.weights).items():
            torch.testing.assert_close(two[key], value, rtol=0, atol=1e-9)
        assert not torch.equal(two["head.weight"], start["head.weight"])
        for a, b in zip(history(one.folder), history(tmp_path / name), strict=True):
            assert a == pytest.approx(b, abs=1e-5)
    a, b = (load_file(tmp_path / name / "weights.safetensors") for name in ("sgd", "resumed"))
    assert all(torch.equal(a[key], b[key]) for key in a)
    said = sorted(line for line in done.stdout.splitlines() if line.startswith("rank"))
    for rank in (0, 1):
        assert any(f"rank {rank}: the loss is nan in epoch 1, step 2;" in line for line in said), said
        assert any(f"rank {rank}: " in line and "see different checkpoints" in line for line in said), said


def test_the_command_under_torchrun_speaks_with_one_voice(tmp_path):
    place = folder(tmp_path / "IMAGENET")
    arguments = [
        "train", "--recipe", "published-finetune", "--model", "convnextv2_atto", "--weights", "none", "--replace", "affine", "--data", place,
        "--set", 'model_args={"depths": [1, 1, 1, 1], "dims": [8, 12, 16, 24]}', "--set", "img_size=32", "--set", "workers=0",
        "--set", "device=cpu", "-o", tmp_path / "run", "--dry-run",
    ]  # fmt: skip
    done = launch(arguments, module="keyfilters.cli")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "epoch 1/2",
        "epoch 2/2",
        "note: classes: the numbers of the 2 folders are those of their classes (n00000000 is class 0, n00000001 is class 1)",
        "dry run: every phase works; nothing was kept",
    ], lines
    assert not (tmp_path / "run").exists()
