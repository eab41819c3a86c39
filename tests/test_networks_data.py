"""Images of packages, preprocessing, data sets by name or folder, batches; faults in one line."""

import importlib.metadata
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("timm")
from PIL import Image  # noqa: E402

from keyfilters import fetch  # noqa: E402
from keyfilters.networks.data import datasets as data  # noqa: E402
from keyfilters.networks.data.datasets import (  # noqa: E402
    batches, crops, dataset, evaluation_transform, fashion_mnist_tensors, imagenet_samples, photographs, preprocess,
)  # fmt: skip
from keyfilters.images import PHOTOGRAPHS, PROJECTS, UnreadableImage  # noqa: E402
from keyfilters.networks.zoo.loading import load_model  # noqa: E402

RNG = np.random.default_rng(0)


def message(call):
    with pytest.raises(ValueError) as raised:
        call()
    text = str(raised.value)
    assert "\n" not in text
    return text


def picture(path, colour=(10, 20, 30), size=(40, 30), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **options)
    return path


@pytest.fixture
def imagenet(tmp_path):
    for i, split in enumerate(("train", "val")):
        for j, name in enumerate(("n01440764", "n01443537")):
            for k in range(2 + i):
                picture(tmp_path / "imagenet" / split / name / f"{k}.JPEG", (100 * i, 100 * j, 0))
    return tmp_path / "imagenet"


# ---- images of packages ---------------------------------------------------------------------------------------------


def test_the_photographs_lie_in_the_packages_themselves():
    for package, file in PHOTOGRAPHS.values():
        shipped = {str(path) for path in importlib.metadata.files(PROJECTS[package])}
        assert f"{package}/{file}" in shipped


def test_photographs_are_rgb():
    images = photographs()
    assert list(images) == list(PHOTOGRAPHS)
    for image in images.values():
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.std() > 5
    assert (images["camera"][..., 0] == images["camera"][..., 2]).all()
    assert list(photographs(["coffee"])) == ["coffee"]
    assert "unknown photograph 'cofee'" in message(lambda: photographs(["cofee"]))


def test_images_are_read_without_importing_their_packages():
    code = (
        "import sys\nfrom keyfilters.images import *\nimagenet_samples(32); photographs()\n"
        "sys.exit(bool({'foolbox', 'skimage', 'sklearn', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


def test_the_images_of_foolbox():
    images, labels = imagenet_samples()
    assert images.shape == (20, 256, 256, 3) and images.dtype == np.uint8
    assert labels.dtype == np.int64 and labels.min() >= 0 and labels.max() < 1000
    whole, again = imagenet_samples(None)
    assert (again == labels).all() and whole[10].shape == (683, 1024, 3)
    shipped = importlib.metadata.distribution("foolbox")
    for i, label in enumerate(labels):
        with Image.open(shipped.locate_file(f"foolbox/data/imagenet_{i:02d}_{label}.jpg")) as image:
            assert (np.array(image) == whole[i]).all()


@each("size", [0, -3, 2.5, True])
def test_wrong_sizes(size):
    assert "size is" in message(lambda: imagenet_samples(size))
    assert "size is" in message(lambda: crops(photographs(["coffee"]), size, 2))
    assert "count is" in message(lambda: crops(photographs(["coffee"]), 16, size))


def test_a_package_that_is_not_installed(monkeypatch):
    from keyfilters import images

    monkeypatch.setattr(images, "find_spec", lambda name: None)
    assert "pip install foolbox" in message(imagenet_samples)
    assert "pip install scikit-image" in message(lambda: photographs(["coffee"]))


@settings(deadline=None, max_examples=40)
@given(size=st.integers(1, 9), count=st.integers(1, 12), seed=st.integers(0, 1000))
def test_every_crop_is_a_piece_of_its_photograph(size, count, seed):
    # Each pixel says where it is and of which photograph.
    images = []
    for k, shape in enumerate([(9, 12), (11, 10), (15, 9)]):
        row, column = np.indices(shape)
        images.append(np.stack([row, column, np.full(shape, k)], -1).astype(np.uint8))
    pieces = crops(images, size, count, seed)
    assert pieces.shape == (count, size, size, 3)
    assert (pieces == crops(images, size, count, seed)).all()
    for i, piece in enumerate(pieces):
        row, column, k = piece[0, 0]
        assert k == i % 3 and (piece == images[k][row : row + size, column : column + size]).all()


def test_crops_reach_every_corner_and_differ_by_seed():
    row, column = np.indices((6, 7))
    image = np.stack([row, column, row], -1).astype(np.uint8)
    corners = {tuple(piece[0, 0, :2].tolist()) for piece in crops([image], 5, 200)}
    assert corners == {(i, j) for i in range(2) for j in range(3)}
    assert (crops([image], 3, 20, seed=1) != crops([image], 3, 20, seed=2)).any()


def test_crops_of_what_has_none():
    assert "photograph coffee has 400 x 600 pixels: expected at least 401 x 401" in message(lambda: crops(photographs(["coffee"]), 401, 1))
    assert "photographs is empty" in message(lambda: crops({}, 8, 1))
    assert "photograph 1 has shape (9, 9)" in message(lambda: crops([np.zeros((9, 9), np.uint8)], 8, 1))


# ---- preprocessing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["convnextv2_atto", "efficientnet_lite0", "resnet10t"])
def test_preprocessing_is_timms(name):
    from timm.data import create_transform

    loaded = load_model(name)
    theirs = create_transform(
        loaded.input_size, is_training=False, mean=loaded.mean, std=loaded.std, interpolation=loaded.interpolation, crop_pct=loaded.crop_pct
    )
    for image in photographs(["chelsea", "rocket"]).values():
        expected = theirs(Image.fromarray(image))
        assert torch.allclose(preprocess([image], loaded)[0], expected, atol=1e-6)
        assert torch.allclose(evaluation_transform(loaded)(Image.fromarray(image)), expected, atol=1e-6)


def test_images_of_the_right_size_stay_as_they_are():
    loaded = SimpleNamespace(input_size=(3, 32, 32), mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    images = RNG.integers(256, size=(2, 32, 32, 3), dtype=np.uint8)
    expected = (images / 255 - loaded.mean) / loaded.std
    assert np.allclose(preprocess(images, loaded).permute(0, 2, 3, 1), expected, atol=1e-6)
    assert not np.allclose(preprocess(images, loaded, resize=True).permute(0, 2, 3, 1), expected, atol=1e-2)
    mixed = preprocess([images[0], RNG.integers(256, size=(50, 41), dtype=np.uint8)], loaded)
    assert mixed.shape == (2, 3, 32, 32)
    grey = (mixed[1] * torch.tensor(loaded.std)[:, None, None]) + torch.tensor(loaded.mean)[:, None, None]
    assert torch.allclose(grey[0], grey[2], atol=1e-6)


def test_images_for_a_network_of_grey_images():
    loaded = load_model("small_convnext")
    grey = preprocess(np.full((2, 28, 28), 255, np.uint8), loaded)
    assert torch.allclose(grey, torch.full((2, 1, 28, 28), (1 - data.FASHION_MEAN) / data.FASHION_STD))
    assert loaded.model(preprocess(photographs(["coffee"]).values(), loaded)).shape == (1, 10)


def test_what_is_no_image():
    loaded = load_model("small_convnext")
    assert "images is empty" in message(lambda: preprocess([], loaded))
    assert "image 0 has dtype float64" in message(lambda: preprocess(np.zeros((1, 28, 28)), loaded))
    assert "image 1 has dtype uint8 and shape (28, 28, 4)" in message(
        lambda: preprocess([np.zeros((28, 28), np.uint8), np.zeros((28, 28, 4), np.uint8)], loaded)
    )


# ---- Fashion-MNIST --------------------------------------------------------------------------------------------------


@pytest.fixture
def fashion(monkeypatch):
    """Stands in for the fetched arrays."""
    arrays = {}
    for split, count in (("train", 7), ("test", 3)):
        images = RNG.integers(256, size=(count, 28, 28), dtype=np.uint8)
        images.flags.writeable = False
        arrays[f"{split}_images"], arrays[f"{split}_labels"] = images, (np.arange(count) % 10).astype(np.uint8)
    monkeypatch.setattr(data, "fashion_mnist", lambda folder=None, download=True: arrays)
    return arrays


@pytest.mark.parametrize(("split", "which"), [("train", "train"), ("val", "test"), ("test", "test")])
def test_fashion_mnist_as_tensors(fashion, split, which):
    images, labels = fashion_mnist_tensors(split)
    expected = (fashion[f"{which}_images"] / 255 - data.FASHION_MEAN) / data.FASHION_STD
    assert images.dtype == torch.float32 and labels.dtype == torch.int64
    assert np.allclose(images[:, 0], expected, atol=1e-5) and labels.tolist() == fashion[f"{which}_labels"].tolist()
    one, label = dataset("fashion-mnist", split)[1]
    assert torch.equal(one, images[1]) and label == labels[1]
    assert np.allclose(preprocess(fashion[f"{which}_images"], load_model("small_convnext")), images, atol=1e-5)


def test_fashion_mnist_through_a_transform(fashion):
    colour = SimpleNamespace(input_size=(3, 56, 56), mean=(0.5,) * 3, std=(0.5,) * 3)
    one, label = dataset("fashion-mnist", "test", evaluation_transform(colour))[2]
    assert one.shape == (3, 56, 56) and label == 2


@pytest.mark.skipif(not fetch.DEBIAN_FOLDER.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_the_mean_and_deviation_are_those_of_the_training_images():
    pixels = fetch.fashion_mnist(fetch.DEBIAN_FOLDER)["train_images"] / np.float32(255)
    assert abs(pixels.mean(dtype=np.float64) - data.FASHION_MEAN) < 1e-4 and abs(pixels.std(dtype=np.float64) - data.FASHION_STD) < 1e-4


# ---- folders --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["imagenet:", "imagefolder:", ""])
def test_a_folder_with_splits(imagenet, prefix):
    train, val = (dataset(f"{prefix}{imagenet}", split) for split in ("train", "val"))
    assert (len(train), len(val)) == (4, 6) and train.classes == ["n01440764", "n01443537"]
    image, label = val[5]
    assert image.shape == (3, 224, 224) and label == 1
    assert len(dataset(imagenet, "test")) == 6


def test_a_folder_of_classes(imagenet):
    assert len(dataset(f"imagefolder:{imagenet / 'train'}", "val")) == 4
    image, _ = dataset(imagenet / "train", transform=np.array)[0]
    assert image.shape == (30, 40, 3)


def test_faults_of_folders(imagenet, tmp_path):
    (tmp_path / "bare").mkdir()
    (tmp_path / "hollow" / "a").mkdir(parents=True)
    picture(tmp_path / "half" / "a" / "1.png")
    (tmp_path / "half" / "b").mkdir()
    (tmp_path / "file").write_text("")
    picture(tmp_path / "only" / "train" / "a" / "1.png")
    for spec, split, expected in [
        (tmp_path / "nowhere", "train", "nowhere is not there: expected fashion-mnist"),
        (f"imagenet:{tmp_path / 'nowhere'}", "train", "nowhere is not there: expected a folder"),
        (tmp_path / "file", "train", "file is a file: expected a folder"),
        (tmp_path / "bare", "train", "bare has no folders"),
        (tmp_path / "hollow", "train", "hollow has no images"),
        (tmp_path / "half", "train", f"{tmp_path / 'half' / 'b'} has no images: expected images in each class (1 without)"),
        (tmp_path / "only", "val", f"only has no folder val: expected {tmp_path / 'only' / 'val'}"),
        (f"imagenet:{imagenet / 'train'}", "train", "train has no folder train"),
        ("fashion-mnis", "train", "expected fashion-mnist"),
        ("imagenet:", "train", "is not there"),
        ("", "train", "data is ''"),
        (3, "train", "data is 3"),
        (imagenet, "dev", "unknown split 'dev'"),
    ]:
        assert expected in message(lambda spec=spec, split=split: dataset(spec, split))


@pytest.mark.parametrize(("fault", "workers"), [("text", 0), ("text", 1), ("cut", 0), ("empty", 0), ("gone", 0)])
def test_a_file_that_is_no_image_is_named(imagenet, fault, workers):
    path = imagenet / "train" / "n01443537" / "1.JPEG"
    images = dataset(imagenet)
    if fault == "text":
        path.write_text("this is not an image")
    elif fault == "empty":
        path.write_bytes(b"")
    elif fault == "gone":
        path.unlink()
    else:
        Image.fromarray(RNG.integers(256, size=(60, 60, 3), dtype=np.uint8)).save(path)
        path.write_bytes(path.read_bytes()[:1000])
    text = message(lambda: list(batches(images, 2, workers=workers)))
    assert text.startswith(str(path)) and "image" in text
    with pytest.raises(UnreadableImage):
        images[3]


def test_grey_and_transparent_images_become_rgb(tmp_path):
    for mode in ("L", "RGBA", "P", "CMYK", "1"):
        (tmp_path / "data" / mode).mkdir(parents=True)
        Image.new(mode, (30, 30)).save(tmp_path / "data" / mode / ("1.jpg" if mode == "CMYK" else "1.png"))
    assert all(image.shape == (3, 224, 224) for image, _ in dataset(tmp_path / "data"))


def test_the_samples_as_a_data_set():
    samples = dataset("imagenet-samples")
    image, label = samples[0]
    assert len(samples) == 20 and image.shape == (3, 224, 224) and label == 243


# ---- batches --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_hold_everything_once_in_an_order_set_by_the_seed(shuffle):
    images, labels = torch.arange(10.0)[:, None], torch.arange(10)

    def orders(source, seed=0, times=2):
        loader = batches(source, 4, shuffle, seed)
        rounds = []
        for _ in range(times):
            parts = list(loader)
            assert [len(part[1]) for part in parts] == [4, 4, 2]
            assert all(torch.equal(part[0][:, 0].long(), part[1]) for part in parts)
            rounds.append(torch.cat([part[1] for part in parts]).tolist())
        return rounds

    pair, whole = orders((images, labels)), orders(torch.utils.data.TensorDataset(images, labels))
    single = orders([(image, int(label)) for image, label in zip(images, labels, strict=True)])
    assert pair == whole == single == orders((images, labels))
    assert all(sorted(order) == list(range(10)) for order in pair)
    assert (pair[0] != pair[1]) == shuffle and (pair != orders((images, labels), seed=1)) == shuffle
