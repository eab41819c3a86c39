"""The page *Inspect your network*: its readers and its numbers, in node, against `keyfilters inspect FILE` on the same files."""

import re

import numpy as np
import pytest
from each import each

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
import ml_dtypes  # noqa: E402
from safetensors.torch import save  # noqa: E402
from weight_files import bad_files, filters, network, noisy_filters, onnx_beside, onnx_chain, weights  # noqa: E402

from keyfilters.networks import inspect_file  # noqa: E402
from keyfilters_build.interactive import interactive_data  # noqa: E402

MEASURES = {"explained": "explained", "mean": "explained_mean", "median": "explained_median", "impulse": "null_impulse"}
OWN = {
    "sigmaX": "sigma_x", "sigmaY": "sigma_y", "fitted": "explained_fitted", "rank": "rank", "meanX": "mean_x", "meanY": "mean_y",
    "shiftX": "shift_x", "shiftY": "shift_y", "gridX": "grid_x", "gridY": "grid_y",
}  # fmt: skip
VARYING = ("random", "permuted", "gaussian")
COUNTED = ("size", "layers", "channels", "dead")
POOLS = {"pooled": "", "mean": "_mean", "median": "_median"}
PLACE = ("size", "stride", "padding", "dilation", "layers", "channels")


def alike(value, right):
    """Equal to 1e-6; NaN of the command is null on the page."""
    return value is None if right is None or np.isnan(right) else value == pytest.approx(right, abs=1e-6)


@pytest.fixture(scope="module")
def data():
    return interactive_data()


def draws_of(found, size, kind):
    """The draws of a null over all layers of a kernel size, by what is said of them."""
    members = [x for x in found["layers"] if not x["note"] and x["live"] and f"{x['rows']}x{x['columns']}" == size]
    if not members:
        return {}
    draws = np.average([x["draws"][kind] for x in members], axis=0, weights=[x["energy"] for x in members])
    pools = {"pooled": draws, "tail": np.quantile(draws, 0.95)}
    if kind in members[0]["shares"]:
        shares = [[list(s.values()) for s in x["shares"][kind]] for x in members]
        filters_of = [np.concatenate(one) for one in zip(*shares, strict=True)]
        pools |= {"mean": np.mean(filters_of, axis=1), "median": np.median(filters_of, axis=1)}
    return pools


def same(found, path):
    """The report of the page is that of the command."""
    right = inspect_file(path, nulls=("impulse", *VARYING))
    assert (found["warning"], found["answer"]) == (right.warning, inspect_file(path, nulls="none").answer)
    rows = right.frame().replace({np.nan: None}).to_dict("records")
    for layer, row, report in zip(found["layers"], rows, right.layers, strict=True):
        own = (
            layer["name"],
            f"{layer['rows']}x{layer['columns']}",
            layer["stride"],
            layer["padding"],
            layer["channels"],
            layer["note"],
        )
        assert own == tuple(row[name] for name in ("layer", "size", "stride", "padding", "channels", "note"))
        if row["note"]:
            continue
        assert (layer["dead"], layer["counts"]) == (row["dead"], [row[f"key_{k}"] for k in range(1, 9)])
        for ours, theirs in (MEASURES | OWN).items():
            assert alike(layer[ours], row[theirs]), (layer["name"], ours, layer[ours], row[theirs])
        # Other draws of the same nulls: 20 of each.
        for kind in VARYING:
            scatter = np.std(layer["draws"][kind]) + report.nulls[kind]["energy"].std()
            assert layer[kind] == pytest.approx(row[f"null_{kind}"], abs=0.005 + 4 * scatter / 20**0.5), (layer["name"], kind)
    for size, record in zip(found["sizes"], right.sizes, strict=True):
        assert [size[name] for name in COUNTED] == [record[name] for name in COUNTED]
        assert [size[ours] for ours in MEASURES] == pytest.approx([record[theirs] for theirs in MEASURES.values()], abs=1e-6)
        for null in size["nulls"]:
            theirs = {pool: record[f"null_{null['kind']}{over}"] for pool, over in POOLS.items()}
            if null["kind"] == "impulse":
                assert all(alike(null[pool], value) for pool, value in theirs.items()) and null["tail"] is None
                continue
            for pool, values in draws_of(found, size["size"], null["kind"]).items():
                assert null[pool] == pytest.approx(np.mean(values), abs=1e-6), (null, pool)
                # Other draws than the command's, 20 of each.
                room = 0.005 + 5 * np.std(values) * (2 / 20) ** 0.5
                assert pool == "tail" or null[pool] == pytest.approx(theirs[pool], abs=room), (null, pool)
    for place, record in zip(found["places"], right.places, strict=True):
        assert [place[name] for name in PLACE] == [record[name] for name in PLACE]
        assert all(alike(place[ours], record[theirs]) for ours, theirs in list(OWN.items())[4:]), place
    for sample, theirs in zip(found["samples"], right.samples, strict=True):
        assert (sample["key"], sample["layer"], sample["channel"]) == (theirs.key, theirs.layer, theirs.channel)
        assert [sample["gain"], sample["explained"]] == pytest.approx([theirs.gain, theirs.explained], abs=1e-6)
        assert list(sample["filter"].values()) == theirs.filter.ravel().tolist()
    assert np.array([list(key.values()) for key in found["bank"]]) == pytest.approx(right.bank.reshape(8, -1), abs=1e-9)


@pytest.fixture
def inspected(tmp_path, node, data):
    """What the page says of files: of some that are there, or of tensors by name, which are saved first."""

    def inspected(*files):
        paths = [tmp_path / f"{n}.safetensors" if isinstance(file, dict) else file for n, file in enumerate(files)]
        for path, file in zip(paths, files, strict=True):
            if isinstance(file, dict):
                path.write_bytes(save(file, {"format": "pt"}))
        answers = node("inspections", data=data, files=list(map(str, paths)))
        return list(zip(answers, paths, strict=True))

    return inspected


@pytest.fixture
def reported(inspected):
    """The reports of files, which are those of the command."""

    def reported(*files):
        answers = inspected(*files)
        for found, path in answers:
            same(found, path)
        return [found for found, _ in answers]

    return reported


def test_safetensors_of_all_types_give_the_report_of_the_command(reported):
    state = weights()
    wrapped = {f"module._orig_mod.{name}": value for name, value in state.items()} | {"n_averaged": torch.tensor(1)}
    found, _ = reported(state, wrapped)
    layers = {layer["name"]: layer for layer in found["layers"]}
    assert len(layers) == 9 and "stem" not in layers and layers["one_d"]["rows"] == 1
    assert {name for name in layers if layers[name]["note"]} == {"oblong", "even"}
    own = layers["z.dw"]
    assert (
        own["dead"] == 1
        and own["explained"] > 0.7
        and 0 < own["impulse"] < own["explained"]
        and own["random"] < own["explained"]
    )


@pytest.mark.parametrize("encoding", ["raw", "fields"])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64, ml_dtypes.bfloat16])
def test_onnx_in_both_encodings_gives_the_report_of_the_command(tmp_path, reported, encoding, dtype):
    [found] = reported(network(tmp_path / "net.onnx", encoding, dtype, constant=encoding == "fields"))
    assert [layer["name"] for layer in found["layers"]] == "/first/Conv second third wide again fourth fifth".split()
    assert [layer["stride"] for layer in found["layers"][:6]] == ["2x2", "1x1", "1x1", "2x2", "2x2", "1x2"]
    assert [layer["padding"] for layer in found["layers"][:6]] == ["3x3", "", "", "2x2", "3x3", "0x4"]
    assert [place["layers"] for place in found["places"] if place["size"] == "7x7"] == [2]
    assert {place["gridX"] for place in found["places"] if place["stride"] == "2x2"} == {0.5}


def test_onnx_behind_other_nodes_and_parts_of_weights_are_read_or_said(tmp_path, inspected, reported):
    files = [onnx_chain(tmp_path / f"{name}.onnx", name)[0] for name in ("identity", "cast")]
    *plain, noted = reported(*files, onnx_beside(tmp_path / "beside.onnx", "ConvTranspose", True))
    assert [found["notes"] for found in plain] == [[], []] and "other (ConvTranspose)" in "".join(noted["notes"])
    quantised, alone = onnx_chain(tmp_path / "quantised.onnx", "quantised")[0], tmp_path / "alone.onnx"
    parts = {"dw.weight_orig": filters(8, 5), "dw.weight_mask": torch.ones(8, 1, 5, 5)}
    answers = inspected(quantised, onnx_beside(alone, "QLinearConv", False), parts)
    for (found, _), said in zip(answers, ("dw (Conv)", "other (QLinearConv)", "computed from (dw.weight_orig)"), strict=True):
        assert said in found["refused"] and "command" in found["refused"]


def test_what_is_left_out_is_said(reported):
    state = {"dw.weight": filters(8, 5), "deep.weight": torch.randn(8, 1, 3, 3, 3), "steps": torch.ones(4, 1, 3, 3).long()}
    [found] = reported(state | {"row.weight": torch.randn(8, 1, 1, 4), "oblong.weight": torch.randn(8, 1, 3, 5)})
    note = found["notes"][0]
    assert note.startswith("Not looked at: ") and "deep.weight (3-D)" in note and "steps (I64)" in note


@pytest.mark.filterwarnings("ignore")
def test_what_torch_exports_is_read(tmp_path, reported):
    torch.manual_seed(0)
    own = torch.nn.Sequential(torch.nn.Conv2d(3, 12, 3), torch.nn.Conv2d(12, 12, 7, stride=2, padding=3, groups=12))
    torch.onnx.export(own.eval(), (torch.zeros(1, 3, 20, 20),), str(tmp_path / "net.onnx"), dynamo=False)
    reported(tmp_path / "net.onnx")


def test_dead_layers_and_large_and_small_numbers(inspected):
    dead = {"dead.weight": torch.full((5, 1, 3, 3), 0.5)}
    sizes = {"large.weight": 1e30 * filters(9, 3), "small.weight": 1e-30 * filters(9, 3).float()}
    (found, path), (only, alone) = inspected(dead | sizes, dead)
    assert only["answer"] == inspect_file(alone).answer and only["beside"] == ""
    right = inspect_file(path, nulls="none")
    assert found["answer"] == right.answer
    for layer, row in zip(found["layers"], right.frame().to_dict("records"), strict=True):
        assert layer["dead"] == row["dead"] and layer["counts"] == [row[f"key_{k}"] for k in range(1, 9)]


@each("size", [3, 5, 7, 11])
@each("kind", ["white", "smooth", "own scales"])
def test_scales_rank_and_warning_are_those_of_the_command_on_filters_of_all_kinds(reported, kind, size):
    [found] = reported({"dw.weight": torch.from_numpy(noisy_filters(kind, size)[:, None])})
    assert kind != "white" or "(random, permuted, gaussian)" in found["warning"]


def test_noise_on_the_page_has_the_second_moments_of_the_layer(node):
    """For a single direction u the share is u' S u / tr S."""
    vectors = noisy_filters("smooth", 5, 40).reshape(40, 25)
    vectors -= vectors.mean(axis=1, keepdims=True)
    moments = vectors.T @ vectors / 40
    lines = np.random.default_rng(1).normal(size=(4, 25))
    lines -= lines.mean(axis=1, keepdims=True)
    lines /= np.linalg.norm(lines, axis=1, keepdims=True)
    found = node("noise", vectors=vectors.tolist(), lines=lines.tolist(), draws=400)
    right = np.einsum("ki,ij,kj->k", lines, moments, lines) / np.trace(moments)
    np.testing.assert_allclose(np.mean(found["shares"], axis=1), right, atol=0.004)
    np.testing.assert_allclose(found["values"], np.linalg.eigvalsh(moments)[::-1], atol=1e-9 * np.trace(moments))


def test_a_bad_file_is_answered_in_one_line_that_names_it(tmp_path, inspected):
    cases = bad_files(tmp_path)
    for name, (content, _) in cases.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=r"infinite\.onnx holds NaN or infinity in w: expected finite weights$"):
        inspect_file(tmp_path / "infinite.onnx")
    for found, path in inspected(*(tmp_path / name for name in cases)):
        refused = found.get("refused", "")
        assert refused.startswith(f"{path.name} ") and cases[path.name][1] in refused and "\n" not in refused, (
            path.name,
            refused,
        )
        assert not re.search(r"undefined|NaN is|\[object", refused), refused


@each("at", [3, 9, 20, 60, 200, 900])
def test_no_damage_to_a_file_is_more_than_a_line(tmp_path, inspected, at):
    """Bytes changed here and there: a report or a line, never an error of the script."""
    rng, paths = np.random.default_rng(at), []
    for name, content in (("x.onnx", network(tmp_path / "x.onnx").read_bytes()), ("x.safetensors", save(weights()))):
        for i in range(6):
            damaged = bytearray(content)
            for place in rng.integers(max(at, 9), size=2):
                damaged[place] = rng.integers(256)
            paths.append(tmp_path / f"{i}{name}")
            paths[-1].write_bytes(damaged)
    assert all("refused" in found or "answer" in found for found, _ in inspected(*paths))
