"""Files of weights as they are found: wrappers, prefixes, names of other libraries, formats; nothing is run, nothing goes by order."""

import argparse
import collections
import datetime
import json
import pathlib
import types

import numpy as np
import pytest
from each import each
from refusals import message

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")
from foreign_checkpoints import behind, equal, facebook, pickled  # noqa: E402
from torch import nn  # noqa: E402

from keyfilters.networks.zoo.checkpoints import read_weights, write_weights  # noqa: E402
from keyfilters.networks.zoo.files import read_pickle  # noqa: E402
from keyfilters.networks.zoo.loading import load_model, packaged_weights  # noqa: E402

NAME = "mobilenetv3_small_050"
ATTO = "convnextv2_atto"


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return {n: v.clone() for n, v in timm.create_model(NAME, num_classes=5).state_dict().items()}


class Settings(dict):
    """A dict of a class of one's own, as many configurations are."""


def loaded(tmp_path, content):
    torch.save(content, tmp_path / "x.pth")
    return load_model(NAME, weights=tmp_path / "x.pth")


# ---- where the weights are ------------------------------------------------------------------------------------------

ENTRIES = {
    "tutorial": lambda s: {"epoch": 3, "model_state_dict": s, "optimizer_state_dict": {}, "loss": torch.tensor(0.3)},
    "any name": lambda s: {"what_i_called_it": s, "epoch": 3},
    "nested": lambda s: {"checkpoint": {"run": {"net": s}}},
    "in a tuple": lambda s: (s, {"state": {}, "param_groups": []}),
    "in parts": lambda s: {
        "stem": {n[5:]: v for n, v in s.items() if n.startswith("conv_")},
        "rest": {n: v for n, v in s.items() if not n.startswith("conv_")},
    },
    "empty averaged": lambda s: {"state_dict_ema": {}, "state_dict": s},
    "beside a larger optimiser": lambda s: {
        "params": s, "optimizer": {"state": {n: {"exp_avg": v, "exp_avg_sq": v} for n, v in s.items()}},
    },
    "beside another network": lambda s: {"discriminator": {f"layer.{i}.weight": torch.ones(2) for i in range(900)}, "generator": s},
    "Lightning": lambda s: {"state_dict": behind("model.", s), "hyper_parameters": {"lr": 0.1}, "pytorch-lightning_version": "2.0"},
    "dict of a class": lambda s: {"model": Settings(s)},
    "none": lambda s: s,
}  # fmt: skip


@each("kind", [k for k in ENTRIES if k != "in parts"])
def test_weights_under_any_entry(tmp_path, state, kind):
    found = loaded(tmp_path, ENTRIES[kind](state))
    assert equal(found.model.state_dict(), state) and found.num_classes == 5 and not (kind == "none" and found.notes)


def test_the_entry_that_was_chosen_is_noted(tmp_path, state):
    other = {n: v + 1 for n, v in state.items()}
    found = loaded(tmp_path, {"student": other, "teacher": state})
    assert equal(found.model.state_dict(), state)
    assert any("those under 'teacher' ('student' would fit as well)" in note for note in found.notes)
    # Averaged parameters without the batch norms' statistics do not fill the network: the whole weights do.
    averaged = {n: v + 1 for n, v in state.items() if "running" not in n}
    found = loaded(tmp_path, {"ema": averaged, "model": state})
    assert equal(found.model.state_dict(), state) and any("under 'model'" in note for note in found.notes)


def test_what_does_not_fit_says_where_it_was(tmp_path, state):
    text = message(
        lambda: loaded(
            tmp_path,
            {
                "first": {"a.weight": torch.ones(2), "b.weight": torch.ones(2)},
                "second": {"c": torch.ones(1), "d": torch.ones(1)},
            },
        )
    )
    assert "does not fit" in text and "'first'" in text and "'second' (2 tensors)" in text
    text = message(lambda: loaded(tmp_path, {"epoch": 3, "best": 0.5, "log": [1, 2]}))
    assert "holds no weights" in text and "epoch (int), best (float), log (list of 2)" in text


PREFIXES = {
    "DDP": lambda s: behind("module.", s),
    "compiled": lambda s: behind("_orig_mod.", s),
    "DDP of compiled": lambda s: behind("module._orig_mod.", s),
    "Lightning": lambda s: behind("model.", s),
    "strategy": lambda s: behind("_forward_module.model.", s),
    "FSDP": lambda s: behind("_fsdp_wrapped_module.", s),
    "backbone": lambda s: behind("backbone.", s),
    "encoder": lambda s: behind("encoder.", s),
    "any": lambda s: behind("mine.of.some.kind.", s),
    "compiled in part": lambda s: {n.replace("blocks.", "blocks._orig_mod."): v for n, v in s.items()},
    "FSDP within": lambda s: {
        n.replace("blocks.1.", "blocks.1._fsdp_wrapped_module."): v for n, v in behind("model.", s).items()
    },
    "recomputed": lambda s: {n.replace(".conv_dw.", "._checkpoint_wrapped_module.conv_dw."): v for n, v in s.items()},
    "beside a loss": lambda s: behind("net.", s) | {"criterion.weight": torch.ones(5)},
    "beside a larger head": lambda s: behind("backbone.", s) | {f"decode_head.{i}.weight": torch.ones(1) for i in range(900)},
}


@each("kind", list(PREFIXES))
def test_prefixes_that_wrappers_put_before_names(tmp_path, state, kind):
    found = loaded(tmp_path, {"state_dict": PREFIXES[kind](state)})
    assert equal(found.model.state_dict(), state)
    assert any("removed from the names" in note for note in found.notes)
    if kind == "beside a loss":
        assert any("'net.'" in n and "1 tensors without it left out (criterion.weight)" in n for n in found.notes)


# ---- values beside the weights --------------------------------------------------------------------------------------


class Averages:
    def __init__(self):
        self.rate, self.log = 0.1, [np.float32(2.0)]


BESIDE = {
    "numpy scalar": {"best": np.float64(81.2)}, "numpy array": {"curve": np.zeros(3)}, "array of texts": {"names": np.array(["a", "b"])},
    "path": {"out": pathlib.Path("a")}, "other path": {"out": pathlib.PureWindowsPath("a")}, "date": {"when": datetime.datetime(2024, 5, 6)},
    "defaultdict": {"log": collections.defaultdict(list, a=[1])}, "namespace": {"args": argparse.Namespace(out=pathlib.Path("a"))},
    "counter": {"seen": collections.Counter("aab")}, "simple namespace": {"args": types.SimpleNamespace(lr=0.1)}, "set": {"s": {1, 2}},
    "dict of a class": {"cfg": Settings(a=1)}, "object of a class": {"meter": Averages()}, "class itself": {"kind": Averages},
    "function": {"act": nn.functional.relu}, "module": {"loss": nn.CrossEntropyLoss()}, "deque": {"last": collections.deque([1], 3)},
    "size": {"size": torch.Size([1])}, "type": {"dtype": torch.float16}, "device": {"on": torch.device("cpu")}, "complex": {"z": 1j},
}  # fmt: skip


ONE, TWO = {"a.weight": torch.ones(2), "b": torch.ones(1)}, {"a.weight": torch.zeros(2), "b": torch.zeros(1)}
AVERAGED = {"state_dict": {"n_averaged": torch.tensor(4)} | behind("module.", ONE)}
READ = [
    *(
        ({wrapper: behind(prefix, ONE), "epoch": 3, "best": {"loss": 1.0}}, ONE)
        for wrapper in ("state_dict", "model", "model_ema", "state_dict_ema")
        for prefix in ("", "module.", "_orig_mod.", "module._orig_mod.")
    ),
    # Averaged weights come first, and nests are opened.
    ({"model": TWO, "model_ema": AVERAGED}, ONE),
    # A part that is called module keeps its name.
    ({"module.a": torch.ones(1), "head": torch.ones(1)}, {"module.a": torch.ones(1), "head": torch.ones(1)}),
    # A tree of counts is larger, and no tree of weights.
    ({"seen": {str(i): torch.tensor(i) for i in range(900)}, "net": ONE}, ONE),
    *(({"state_dict": ONE} | beside, ONE) for beside in BESIDE.values()),
]
"""What stands in a file, and which of it are the weights: harmless values beside them are skipped."""


@each(("content", "weights"), READ)
@each("options", [{}, {"_use_new_zipfile_serialization": False}, *({"pickle_protocol": n} for n in (3, 4, 5))])
def test_what_is_read_of_a_file(tmp_path, content, weights, options):
    torch.save(content, tmp_path / "x.pth", **options)
    assert equal(read_weights(tmp_path / "x.pth"), weights)


def test_both_readers_of_torch_files_agree(tmp_path):
    base = torch.arange(24.0)
    tensors = {
        "part": base[3:9], "transposed": base.reshape(4, 6).T, "whole": base, "empty": base[:0], "scalar": torch.tensor(3.5),
        "parameter": nn.Parameter(torch.ones(2)), "bool": torch.tensor([True, False]), "complex": torch.ones(2, dtype=torch.complex64),
    } | {str(d): torch.ones(3).to(d) for d in (torch.float64, torch.float16, torch.bfloat16, torch.int8, torch.int64, torch.uint8, torch.float8_e4m3fn, torch.uint16)}  # fmt: skip
    for new in (True, False):
        if not new:
            del tensors[str(torch.uint16)], tensors[str(torch.float8_e4m3fn)]  # the old format has no such types
        torch.save(
            {"a": tensors, "n": 3, "text": "é", "list": [1, None]}, tmp_path / "x.pth", _use_new_zipfile_serialization=new
        )
        theirs = torch.load(tmp_path / "x.pth", weights_only=True)
        with (tmp_path / "x.pth").open("rb") as stream:
            ours, runs = read_pickle(stream, zipped=new)
        assert runs is None and {n: v for n, v in ours.items() if n != "a"} == {n: v for n, v in theirs.items() if n != "a"}
        assert ours["a"].keys() == theirs["a"].keys()
        for name, value in theirs["a"].items():
            assert ours["a"][name].dtype == value.dtype and ours["a"][name].stride() == value.stride()
            assert torch.equal(
                ours["a"][name].view(torch.uint8) if value.itemsize == 1 else ours["a"][name],
                value.view(torch.uint8) if value.itemsize == 1 else value,
            )


def test_no_class_or_function_that_a_file_names_is_looked_up(tmp_path, monkeypatch):
    import builtins

    # A module that is not there: a reader that looks classes up would try to import it.
    tried, real = [], builtins.__import__
    monkeypatch.setattr(builtins, "__import__", lambda name, *rest, **more: tried.append(name) or real(name, *rest, **more))
    pickled = b"\x80\x02cno_such_module\nthing\nq\x00)\x81q\x01}q\x02X\x01\x00\x00\x00aq\x03K\x01sb."
    (tmp_path / "p.pkl").write_bytes(pickled)
    with (tmp_path / "p.pkl").open("rb") as stream:
        value, runs = read_pickle(stream, zipped=False)
    assert value.what == "no_such_module.thing" and runs is None and "no_such_module" not in tried


HOSTILE = {
    "eval": b"cbuiltins\neval\n(X\x03\x00\x00\x001+1tR.", "getattr": b"cbuiltins\ngetattr\n(X\x01\x00\x00\x00aX\x01\x00\x00\x00btR.",
    "system": b"cos\nsystem\n(X\x04\x00\x00\x00truetR.", "instance": b"(X\x04\x00\x00\x00trueios\nsystem\n.",
    "import": b"c__builtin__\n__import__\n(X\x02\x00\x00\x00ostR.", "nested": b"cpickle\nloads\n(C\x01.tR.",
}  # fmt: skip


@each("kind", list(HOSTILE))
def test_pickles_that_name_what_runs_things_are_refused(tmp_path, kind):
    (tmp_path / "x.pth").write_bytes(b"\x80\x03" + HOSTILE[kind])
    assert "is refused" in message(lambda: read_weights(tmp_path / "x.pth"))


@each(
    "pickled",
    [
        b"\x80\x02cno\nthing\n(K\x01tb.",
        b"\x80\x02]q\x00h\x00a.",
        b"\x80\x02(K\x01K\x02",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"\x80\x02\x82\x01.",
    ],
)
def test_odd_pickles_are_one_line(tmp_path, pickled):
    (tmp_path / "x.pth").write_bytes(pickled)
    assert str(tmp_path) in message(lambda: read_weights(tmp_path / "x.pth"))


# ---- formats --------------------------------------------------------------------------------------------------------


def test_sharded_safetensors(tmp_path, state):
    names, home = list(state), {}
    for i, part in enumerate((names[::2], names[1::2])):
        file = f"model-0000{i + 1}-of-00002.safetensors"
        write_weights({n: state[n] for n in part}, tmp_path / file)
        home |= dict.fromkeys(part, file)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": home}))
    assert equal(load_model(NAME, weights=index).model.state_dict(), state)
    assert "name model.safetensors.index.json in it" in message(lambda: load_model(NAME, weights=tmp_path))
    for bad, said in (("../x.safetensors", "files in its own folder"), ("gone.safetensors", "which is not there")):
        index.write_text(json.dumps({"weight_map": home | {names[0]: bad}}))
        assert said in message(lambda: load_model(NAME, weights=index))
    index.write_text(json.dumps({"weight_map": home | {"extra": home[names[0]]}}))
    assert "extra, which is not in model-00001" in message(lambda: load_model(NAME, weights=index))
    index.write_text("{}")
    assert "no index of weights" in message(lambda: load_model(NAME, weights=index))


def test_npz(tmp_path, state):
    np.savez(tmp_path / "x.npz", **{n: v.numpy() for n, v in state.items()}, objects=np.array([None]), names=np.array(["a"]))
    assert equal(load_model(NAME, weights=tmp_path / "x.npz").model.state_dict(), state)
    np.savez_compressed(
        tmp_path / "big.npz", **{n: v.numpy().astype(v.numpy().dtype.newbyteorder(">")) for n, v in state.items()}
    )
    assert equal(load_model(NAME, weights=tmp_path / "big.npz").model.state_dict(), state)


def test_a_pickled_dict_of_arrays(tmp_path, state):
    for protocol in (2, 4, 5):
        pickled(tmp_path / "x.pkl", {"model": {n: v.numpy() for n, v in state.items()}, "author": "x"}, protocol)
        assert equal(read_weights(tmp_path / "x.pkl"), state)


def test_archives_of_torch_export(tmp_path):
    network = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4), nn.BatchNorm2d(4)).eval()
    torch.export.save(torch.export.export(network, (torch.zeros(1, 4, 9, 9),)), tmp_path / "x.pt2")
    assert equal(read_weights(tmp_path / "x.pt2"), network.state_dict())
    data = (tmp_path / "x.pt2").read_bytes()
    (tmp_path / "cut.pt2").write_bytes(data[: len(data) // 2])
    assert "damaged" in message(lambda: read_weights(tmp_path / "cut.pt2"))


def test_files_of_something_else_are_named(tmp_path):
    for start, said in (
        (b"\x89HDF\r\n", "HDF5"), (b"GGUF", "GGUF"), (b"\x1f\x8b\x08", "gzip"), (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"\x93NUMPY", "numpy.savez"), (b"\x1c\x00\x00\x00TFL3", "TensorFlow Lite"), (b"<!DOCTYPE html>", "web page"),
    ):  # fmt: skip
        (tmp_path / "x.pth").write_bytes(start + b"\0" * 40)
        assert said in message(lambda: read_weights(tmp_path / "x.pth"))
    folder = tmp_path / "dcp"
    folder.mkdir()
    (folder / ".metadata").write_bytes(b"x")
    assert "dcp_to_torch_save" in message(lambda: read_weights(folder))


def test_integers_are_not_weights(tmp_path, state):
    whole = {n: (v * 100).to(torch.int8) if n.endswith("conv_dw.weight") else v for n, v in state.items()}
    text = message(lambda: loaded(tmp_path, whole))
    assert "whole numbers" in text and "conv_dw.weight torch.int8" in text


# ---- names of other libraries ---------------------------------------------------------------------------------------


def test_torchvisions_convnext_computes_the_same(tmp_path):
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    theirs = torchvision.models.convnext_tiny(num_classes=10).eval()
    with torch.no_grad():
        for name, value in theirs.named_parameters():
            value.copy_(torch.randn_like(value) * 0.05 + (value.ndim == 1 and name.endswith("weight")))
        torch.save(theirs.state_dict(), tmp_path / "tv.pth")
        found = load_model("convnext_tiny", weights=tmp_path / "tv.pth")
        image = torch.randn(1, 3, 64, 64)
        assert torch.allclose(found.model(image), theirs(image), rtol=0, atol=1e-5) and theirs(image).abs().max() > 1e-2
    assert found.num_classes == 10


def transformers_names(state, version):
    """timm's names to those of Hugging Face's ConvNextForImageClassification."""
    out = {}
    for name, value in state.items():
        if name.startswith("head."):
            name = name.replace("head.norm.", f"convnext{version}.layernorm.").replace("head.fc.", "classifier.")
        else:
            for ours, theirs in (
                ("stem.0", "embeddings.patch_embeddings"), ("stem.1", "embeddings.layernorm"), (".downsample.", ".downsampling_layer."), (".blocks.", ".layers."),
                ("conv_dw", "dwconv"), (".norm.", ".layernorm."), ("mlp.fc", "pwconv"), ("mlp.grn", "grn"), (".gamma", ".layer_scale_parameter"),
            ):  # fmt: skip
                name = name.replace(ours, theirs)
            name = f"convnext{version}." + ("encoder." if name.startswith("stages") else "") + name
        out[name] = value.reshape(1, 1, 1, -1) if ".grn." in name else value
    return out


@each("version", ["", "v2"])
@each("prefix", ["", "model."])
def test_convnext_of_transformers(tmp_path, version, prefix):
    torch.manual_seed(0)
    own = {n: torch.randn_like(v) for n, v in timm.create_model(f"convnext{version}_atto", conv_mlp=False).state_dict().items()}
    theirs = transformers_names(own, version)
    # Names as in transformers' modeling_convnext.py and modeling_convnextv2.py.
    head = f"convnext{version}."
    assert {
        head + "embeddings.patch_embeddings.weight", head + "encoder.stages.1.downsampling_layer.0.weight", head + "encoder.stages.3.layers.1.pwconv2.bias",
        head + "encoder.stages.0.layers.0.layernorm.weight", head + "layernorm.bias", "classifier.weight",
    } <= theirs.keys()  # fmt: skip
    write_weights(behind(prefix, theirs), tmp_path / "hf.safetensors", force=True)
    found = load_model(f"convnext{version}_atto", weights=tmp_path / "hf.safetensors", model_args={"conv_mlp": False})
    assert equal(found.model.state_dict(), own)
    # ConvNextLayerNorm's default and ConvNextConfig.layer_norm_eps, which is that of the last normalisation alone.
    assert found.model.head.norm.eps == 1e-12 and found.model.stem[1].eps == found.model.stages[0].blocks[0].norm.eps == 1e-6
    assert any("the epsilon of head.norm is 1e-12" in note and "the file does not hold it" in note for note in found.notes)
    # Saved by us it is kept; by torch alone it is lost, and a note says what is taken.
    write_weights(found.model, tmp_path / "own.safetensors", force=True)
    torch.save(found.model.state_dict(), tmp_path / "own.pth")
    kept, lost = (
        load_model(f"convnext{version}_atto", weights=tmp_path / name, model_args={"conv_mlp": False})
        for name in ("own.safetensors", "own.pth")
    )
    assert kept.model.head.norm.eps == 1e-12 and not any("epsilon" in note for note in kept.notes)
    assert (
        lost.model.head.norm.eps == 1e-6
        and sum("the epsilon of head.norm is taken for 1e-06" in note for note in lost.notes) == 1
    )
    # What lies beside the file says it.
    (tmp_path / "config.json").write_text('{"model_type": "convnextv2", "layer_norm_eps": 3e-7}')
    said = load_model(f"convnext{version}_atto", weights=tmp_path / "hf.safetensors", model_args={"conv_mlp": False})
    assert said.model.head.norm.eps == 3e-7 and any("as in the config.json beside the file" in note for note in said.notes)
    (tmp_path / "config.json").unlink()


def test_taps_of_sparse_convolutions(tmp_path):
    """ConvNeXt V2's pretraining with sparse convolutions keeps kernels as (49, C), taps down the columns."""
    torch.manual_seed(0)
    model = timm.create_model(ATTO)
    own = {n: torch.randn_like(v) for n, v in model.state_dict().items() if not n.startswith("head.")}
    asymmetric = torch.zeros(40, 1, 7, 7)
    asymmetric[:, 0, 1, 5] = torch.arange(1.0, 41)  # row 1, column 5
    own["stages.0.blocks.0.conv_dw.weight"] = asymmetric
    theirs = {
        "mask_token": torch.zeros(1, 512, 1, 1),
        "decoder.0.dwconv.weight": torch.zeros(512, 1, 7, 7),
        "proj.weight": torch.zeros(512, 320, 1, 1),
    }
    for name, value in facebook(own).items():
        if ".dwconv.weight" in name:
            name, value = name.replace("weight", "kernel"), value[:, 0].transpose(1, 2).reshape(len(value), 49).T
        elif name.startswith("downsample_layers") and not name.startswith("downsample_layers.0") and value.ndim == 4:
            name, value = name.replace("weight", "kernel"), value.permute(3, 2, 1, 0).reshape(4, value.shape[1], value.shape[0])
        elif ".grn." in name or (".dwconv.bias" in name):
            value = value.reshape(1, -1)
        elif "pwconv" in name:
            name = name.replace(".weight", ".linear.weight").replace(".bias", ".linear.bias")
        elif ".norm." in name or (
            name.startswith("downsample_layers") and ".0." in name[19:] and not name.startswith("downsample_layers.0")
        ):
            name = name.replace(".weight", ".ln.weight").replace(".bias", ".ln.bias")
        theirs["encoder." + name] = value.contiguous()
    kernel = theirs["encoder.stages.0.0.dwconv.kernel"]
    assert kernel.shape == (49, 40) and kernel[5 * 7 + 1, 3] == 4.0 and kernel.count_nonzero() == 40
    torch.save({"model": theirs, "args": argparse.Namespace(out=pathlib.Path("a"))}, tmp_path / "fcmae.pt")
    found = load_model(ATTO, weights=tmp_path / "fcmae.pt", num_classes=3)
    now = found.model.state_dict()
    assert all(torch.equal(now[n], v) for n, v in own.items())
    assert any("no classifier" in n for n in found.notes) and any(
        "'encoder.'" in n and "left out (mask_token" in n for n in found.notes
    )


# ---- never by order, never by name ----------------------------------------------------------------------------------


def test_packaged_weights_go_by_their_names(tmp_path):
    theirs, right = read_weights(packaged_weights()), load_model("efficientnet_lite0", pretrained=True).model.state_dict()
    names = list(theirs)
    backwards = {name: theirs[name] for name in reversed(names)}
    torch.save(backwards, tmp_path / "b.pth")
    assert equal(load_model("efficientnet_lite0", weights=tmp_path / "b.pth").model.state_dict(), right)
    # Two tensors of one shape under each other's names are two other tensors.
    one, two = "_blocks.4._bn0.weight", "_blocks.4._bn1.weight"
    torch.save(theirs | {one: theirs[two], two: theirs[one]}, tmp_path / "s.pth")
    swapped = load_model("efficientnet_lite0", weights=tmp_path / "s.pth").model.state_dict()
    assert [n for n in right if not torch.equal(swapped[n], right[n])] == ["blocks.2.1.bn1.weight", "blocks.2.1.bn2.weight"]
    odd = {n.replace("_conv_stem", "_stem_conv"): v for n, v in theirs.items()}
    torch.save(odd, tmp_path / "o.pth")
    assert "does not fit" in message(lambda: load_model("efficientnet_lite0", weights=tmp_path / "o.pth"))


def test_weights_of_the_other_padding_are_refused():
    text = message(lambda: load_model("efficientnet_lite0.ra_in1k", weights=packaged_weights()))
    assert "pads symmetrically (conv_stem)" in text and "load it as tf_efficientnet_lite0" in text


@each("way", ["arch", "args", "metadata", "config", "name"])
def test_what_a_file_says_of_its_architecture(tmp_path, way):
    said = "tf_mobilenetv3_small_075"
    state = timm.create_model(said, num_classes=2).state_dict()
    path = tmp_path / ("x.safetensors" if way in ("metadata", "config") else f"{said}-0123.pth" if way == "name" else "x.pth")
    if way in ("metadata", "config"):
        write_weights(state, path, {"model": said} if way == "metadata" else None, force=True)
        if way == "config":
            (tmp_path / "config.json").write_text(json.dumps({"architecture": said, "num_classes": 2}))
    else:
        torch.save(
            {"state_dict": state}
            | ({"arch": said} if way == "arch" else {"args": argparse.Namespace(model=said)} if way == "args" else {}),
            path,
        )
    (note,) = load_model("mobilenetv3_small_075", weights=path).notes
    assert f"the file is of {said}, which computes something else than mobilenetv3_small_075" in note and "Conv2dSame" in note
    if way == "arch":
        assert not load_model(said, weights=path).notes
