"""Images of packages, preprocessing, data sets by name or folder, batches; faults in one line."""

import importlib.metadata
from types import SimpleNamespace

import numpy as np
import pytest
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import message

torch = pytest.importorskip("torch")
from PIL import Image  # noqa: E402
from timm.data import ImageNetInfo  # noqa: E402

from keyfilters import fetch  # noqa: E402
from keyfilters.images import PHOTOGRAPHS, PROJECTS, UnreadableImage, open_image, shown  # noqa: E402
from keyfilters.networks.data import datasets as data  # noqa: E402
from keyfilters.networks.data.datasets import (  # noqa: E402
    batches,
    class_map,
    class_numbers,
    crops,
    dataset,
    evaluation_transform,
    fashion_mnist_tensors,
    imagenet_samples,
    photographs,
    preprocess,
)  # fmt: skip
from keyfilters.networks.zoo.loading import _described, load_model  # noqa: E402

RNG = np.random.default_rng(0)
IMAGENET = ImageNetInfo("imagenet-1k").label_names()


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


def test_the_photographs_are_those_of_the_packages():
    images = photographs()
    assert list(images) == list(PHOTOGRAPHS) and list(photographs(["coffee"])) == ["coffee"]
    for name, (package, file) in PHOTOGRAPHS.items():
        shipped = importlib.metadata.distribution(PROJECTS[package])
        assert f"{package}/{file}" in set(map(str, shipped.files))
        with Image.open(shipped.locate_file(f"{package}/{file}")) as image:
            assert (np.array(image.convert("RGB")) == images[name]).all() and images[name].std() > 5


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
    samples = dataset("imagenet-samples")
    image, label = samples[0]
    assert len(samples) == 20 and image.shape == (3, 224, 224) and label == labels[0] == 243


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


# ---- preprocessing --------------------------------------------------------------------------------------------------


def timms_configurations():
    """The distinct settings that timm shows images by, each with the first pretrained network that has them."""
    import timm
    from timm.data import resolve_data_config
    from timm.models import get_pretrained_cfg

    found = {}
    for name in timm.list_pretrained():
        settings = resolve_data_config(pretrained_cfg=get_pretrained_cfg(name).to_dict())
        found.setdefault(tuple(sorted(settings.items())), name)
    return {name: dict(settings) for settings, name in found.items()}


CONFIGURATIONS = timms_configurations()


def test_the_registry_of_timm_has_all_modes_of_cropping():
    assert {settings["crop_mode"] for settings in CONFIGURATIONS.values()} == {"center", "squash", "border"}
    assert len({settings["interpolation"] for settings in CONFIGURATIONS.values()}) > 1


@each("name", list(CONFIGURATIONS))
def test_images_are_shown_as_timm_shows_them(name):
    """Every distinct entry of timm's registry, through the settings that the library takes from the network's configuration."""
    import timm
    from timm.data import create_transform
    from timm.models import get_pretrained_cfg

    settings = CONFIGURATIONS[name]
    network = torch.nn.Identity()
    network.pretrained_cfg, network.num_classes = get_pretrained_cfg(name).to_dict(), 1000
    loaded = _described(network, name, "random", timm.models.get_pretrained_cfg(name), [])
    assert {key: getattr(loaded, key) for key in settings} == settings
    theirs = create_transform(**settings, is_training=False)
    for size in ((97, 61), (40, 90)):
        image = Image.fromarray(np.random.default_rng(sum(size)).integers(256, size=(*size, 3), dtype=np.uint8))
        expected = theirs(image)
        assert expected.shape == settings["input_size"]
        assert torch.equal(evaluation_transform(loaded)(image), expected)
        assert torch.equal(preprocess([np.array(image)], loaded, resize=True)[0], expected)


@pytest.mark.parametrize(
    "name", ["convnextv2_atto", "efficientnet_lite0", "resnet10t", "eva02_tiny_patch14_336.mim_in22k_ft_in1k"]
)
def test_a_network_that_was_loaded_is_shown_images_as_timm_shows_them(name):
    from timm.data import create_transform, resolve_model_data_config

    loaded = load_model(name)
    theirs = create_transform(**resolve_model_data_config(loaded.model), is_training=False)
    for image in photographs(["chelsea", "rocket"]).values():
        assert torch.equal(evaluation_transform(loaded)(Image.fromarray(image)), theirs(Image.fromarray(image)))


@pytest.mark.parametrize(
    ("name", "args", "size"),
    [
        ("vit_tiny_patch16_224", {"img_size": 96}, (3, 96, 96)), ("vit_tiny_patch16_224", {"img_size": (96, 64)}, (3, 96, 64)),
        ("convnextv2_atto", {"in_chans": 1}, (1, 224, 224)), ("convnextv2_atto", {}, (3, 224, 224)),
    ],
)  # fmt: skip
def test_the_size_of_images_is_that_which_the_network_was_built_for(name, args, size):
    loaded = load_model(name, model_args=args)
    assert loaded.input_size == size and len(loaded.mean) == len(loaded.std) == size[0]
    images = preprocess(np.full((1, 120, 100, 3), 128, np.uint8), loaded, resize=True)
    assert images.shape == (1, *size)
    with torch.no_grad():
        assert loaded.model(images).shape == (1, 1000)


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


WRONG = (0, -3, 2.5, True)
FOUR = SimpleNamespace(input_size=(4, 32, 32), mean=(0.5,) * 4, std=(0.5,) * 4)
GREY_28 = np.zeros((28, 28), np.uint8)


@each(
    ("call", "expected"),
    [
        *((lambda size=size: imagenet_samples(size), "size is") for size in WRONG),
        *((lambda size=size: crops(photographs(["coffee"]), size, 2), "size is") for size in WRONG),
        *((lambda count=count: crops(photographs(["coffee"]), 16, count), "count is") for count in WRONG),
        (lambda: photographs(["cofee"]), "unknown photograph 'cofee'"),
        (lambda: crops(photographs(["coffee"]), 401, 1), "photograph coffee has 400 x 600 pixels: expected at least 401 x 401"),
        (lambda: crops({}, 8, 1), "photographs is empty"),
        (lambda: crops([np.zeros((9, 9), np.uint8)], 8, 1), "photograph 1 has shape (9, 9)"),
        (lambda: evaluation_transform(FOUR), "the network takes images of 4 channels: expected 3 (colours) or 1 (grey)"),
        (lambda: preprocess([], load_model("small_convnext")), "images is empty"),
        (lambda: preprocess(np.zeros((1, 28, 28)), load_model("small_convnext")), "image 0 has dtype float64"),
        (
            lambda: preprocess([GREY_28, np.zeros((28, 28, 4), np.uint8)], load_model("small_convnext")),
            "image 1 has dtype uint8 and shape (28, 28, 4)",
        ),
        (lambda: class_map(["01", "1"], 12), "the class folders 01 and 1 are both number 1"),
        (lambda: class_map(["1", "12"], 12), "there are 2 class folders and the network knows 12 classes"),
        (lambda: class_map(["a", "b", "c"], 1000), "there are 3 class folders and the network knows 1000 classes: name the folders by"),
        (lambda: class_map(["cat", "dog"], 3), "or name the classes in a file (--classes FILE)"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(call, expected):
    assert expected in message(call)


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
    assert (
        abs(pixels.mean(dtype=np.float64) - data.FASHION_MEAN) < 1e-4
        and abs(pixels.std(dtype=np.float64) - data.FASHION_STD) < 1e-4
    )


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


def test_files_that_are_no_images_are_counted_and_said(imagenet):
    place = imagenet / "train"
    for name in (
        "notes.txt",
        "n01440764/a.heic",
        "n01440764/b.HEIC",
        "n01443537/list",
        "n01443537/._0.JPEG",
        "n01443537/.cache/0.JPEG",
    ):
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_bytes(b"")
    (place / ".ipynb_checkpoints").mkdir()
    images = dataset(imagenet)
    assert len(images) == 4 and images.classes == ["n01440764", "n01443537"]
    assert images.notes == [
        f"{place}: 5 files in the folders of classes, of kinds that are not read, were skipped (2 .heic, 2 hidden, 1 without an ending)",
        f"{place}: 1 files beside the folders of classes were skipped",
    ]
    assert dataset(imagenet, "val").notes == []
    assert images.files == ["n01440764/0.JPEG", "n01440764/1.JPEG", "n01443537/0.JPEG", "n01443537/1.JPEG"]


# ---- which class a folder is ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["{}", "{:04d}", "class_{}", "{}-birds"])
def test_folders_that_are_numbers_are_the_classes_of_the_numbers(tmp_path, form):
    for number in range(12):
        picture(tmp_path / form.format(number) / "1.png", (number, 0, 0))
    images = dataset(tmp_path, transform=lambda image: image.getpixel((0, 0))[0])
    assert images.classes == [form.format(number) for number in range(12)]
    assert sorted(images) == [(number, number) for number in range(12)]
    images.take_classes(1000)
    assert sorted(images) == [(number, number) for number in range(12)]
    assert "the numbers of the 12 folders are those of their classes" in images.notes[-1]


@settings(deadline=None, max_examples=50)
@given(st.sets(st.integers(0, 999), min_size=1, max_size=60), st.integers(1000, 2000))
def test_any_numbers_below_the_number_of_classes_are_followed(numbers, classes):
    names = sorted(map(str, numbers))
    assert class_numbers(names, classes).tolist() == [int(name) for name in names]


@each(
    ("folders", "classes", "expected", "rule"),
    [
        (["1", "10", "2", "3", "4", "5", "6", "7", "8", "9"], 10, [0, 9, 1, 2, 3, 4, 5, 6, 7, 8], "are numbered from 1, classes from 0 (1 is class 0, 10 is class 9)"),
        (["100", "20", "3"], 3, [2, 1, 0], "are taken in the order of their numbers"),
        (["a", "b", "c10", "c9"], 4, [0, 1, 2, 3], "are taken in the order of their letters"),
        (["n01440764", "n01443537"], 1000, [0, 1], "are named by ImageNet's identifiers"),
        (["n00005787", "n00015388"], 11821, [0, 3], "are named by ImageNet's identifiers"),
        (["n01443537", "n01440764"], 2, [1, 0], "are taken in the order of their numbers"),
        (IMAGENET, 1000, list(range(1000)), "are named by ImageNet's identifiers"),
        (IMAGENET[7::100], 1000, list(range(7, 1000, 100)), "are named by ImageNet's identifiers"),
    ],
)  # fmt: skip
def test_the_note_says_by_which_rule_folders_became_classes(folders, classes, expected, rule):
    found = class_map(folders, classes)
    assert found.numbers.tolist() == expected and rule in found.note


@each(
    ("name", "text", "expected"),
    [
        ("a.txt", "dog\ncat\nox\n", [1, 0]),
        ("a.txt", "\ufeffcat\r\ndog\r\n", [0, 1]),
        ("a.json", '["ox", "dog", "cat"]', [2, 1]),
        ("a.json", '{"cat": 9, "dog": 4, "ox": 0}', [9, 4]),
    ],
)
def test_a_file_of_classes_has_the_last_word(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text, encoding="utf-8")
    found = class_map(["cat", "dog"], 10, tmp_path / name)
    assert found.numbers.tolist() == expected and f"that {tmp_path / name} says (cat is class {expected[0]}" in found.note


@each(
    ("name", "text", "expected"),
    [
        ("a.txt", "dog\n", "does not name the folder cat"),
        ("a.txt", "dog\ncat\ndog\n", "names 'dog' twice"),
        ("a.txt", "a\nb\nc\ncat\ndog\n", "dog is class 4, but the network knows 4 classes, 0 to 3"),
        ("a.json", '{"cat": "0", "dog": 1}', "expected a list of names of folders, or names with numbers"),
        ("a.json", "cat", "is no JSON"),
        ("gone.txt", None, "cannot be read"),
    ],
)
def test_faults_of_a_file_of_classes(tmp_path, name, text, expected):
    if text is not None:
        (tmp_path / name).write_text(text)
    found = message(lambda: class_map(["cat", "dog"], 4, tmp_path / name))
    assert found.startswith(str(tmp_path / name)) and expected in found


# ---- files of all kinds ---------------------------------------------------------------------------------------------

GREY = photographs(["camera"])["camera"][::4, ::4, 0]
COLOURS = photographs(["coffee"])["coffee"][::4, ::4]


def written(path, image, **options):
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


def white_is_zero(path):
    from PIL import TiffImagePlugin

    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[262] = 0
    data = written(path, 65535 - GREY.astype(np.uint16) * 257, tiffinfo=tags)
    with Image.open(data) as image:
        assert image.tag_v2[262] == 0
    return data


def pgm(path, white):
    values = np.rint(GREY / 255 * white).astype(">u2")
    path.write_bytes(f"P5 {GREY.shape[1]} {GREY.shape[0]} {white}\n".encode() + values.tobytes())
    return path


def png_of_16_bits(path, pixels, kind):
    """A PNG of 16 bits a channel: Pillow writes none in colours."""
    import struct
    import zlib

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    rows, columns = pixels.shape[:2]
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", columns, rows, 16, kind, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b""))
    return path


def with_alpha(values):
    return np.concatenate([values, np.full((*values.shape[:2], 1), 65535)], axis=2)


DEEP = COLOURS.astype(np.int64) * 257
SAME = {
    "16.png": lambda path: written(path, GREY.astype(np.uint16) * 257),
    "16.tif": lambda path: written(path, GREY.astype(np.uint16) * 257),
    "16-packed.tif": lambda path: written(path, GREY.astype(np.uint16) * 257, compression="tiff_lzw"),
    "16-white-is-zero.tif": white_is_zero,
    "16.pgm": lambda path: pgm(path, 65535),
    "12.pgm": lambda path: pgm(path, 4095),
    "float.tif": lambda path: written(path, GREY.astype(np.float32) / 255),
    "grey-alpha.png": lambda path: written(
        path, Image.merge("LA", [Image.fromarray(GREY), Image.new("L", GREY.shape[::-1], 255)])
    ),
    "palette.png": lambda path: written(path, Image.fromarray(GREY).convert("P")),
    "palette.gif.bmp": lambda path: written(path, Image.fromarray(GREY).convert("P")),
    "cmyk.tif": lambda path: written(path, Image.fromarray(COLOURS).convert("CMYK")),
    "cmyk.jpg": lambda path: written(path, Image.fromarray(COLOURS).convert("CMYK"), quality=98),
    "16-colours.png": lambda path: png_of_16_bits(path, DEEP, 2),
    "16-alpha.png": lambda path: png_of_16_bits(path, with_alpha(DEEP), 6),
    "16-grey-alpha.png": lambda path: png_of_16_bits(path, with_alpha(GREY[..., None].astype(np.int64) * 257), 4),
}


@each("name", list(SAME))
def test_a_file_is_shown_as_its_picture(name, tmp_path):
    picture = np.array(open_image(SAME[name](tmp_path / name)), dtype=float)
    expected = (
        COLOURS if "cmyk" in name or "colours" in name or name == "16-alpha.png" else np.repeat(GREY[..., None], 3, axis=2)
    )
    assert picture.shape == expected.shape and np.abs(picture - expected).mean() < (3 if name == "cmyk.jpg" else 0.51)


REFUSED = {
    "12-in-16.png": (lambda path: written(path, GREY.astype(np.uint16) * 16), "has 16 bits a pixel and no value above 4080 of 65535: 12 bits in 16"),
    "8-in-16.tif": (lambda path: written(path, GREY.astype(np.uint16)), "no value above 255 of 65535: 8 bits in 16"),
    "12-in-16-colours.png": (lambda path: png_of_16_bits(path, COLOURS.astype(np.int64) * 16, 2), "12 bits in 16, or a very dark picture"),
    "integers.tif": (lambda path: written(path, GREY.astype(np.int32) * 257), "has integers of 32 bits a pixel, and nothing says which is white"),
    "floats.tif": (lambda path: written(path, GREY.astype(np.float32)), "expected 0 (black) to 1 (white)"),
    "negative.tif": (lambda path: written(path, GREY.astype(np.float32) / 255 - 0.5), "has floats from -0.492157 to 0.5"),
    "nan.tif": (lambda path: written(path, np.where(GREY > 9, GREY / 255, np.nan).astype(np.float32)), "has floats from nan to nan"),
}  # fmt: skip


@each("name", list(REFUSED))
def test_a_file_whose_white_is_not_known_is_refused(name, tmp_path):
    make, expected = REFUSED[name]
    path = make(tmp_path / name)
    text = message(lambda: open_image(path))
    assert text.startswith(f"{path} ") and expected in text


def test_black_white_and_half_of_it_are_what_they_are_at_any_depth(tmp_path):
    for name, kind in (("16.png", np.uint16), ("float.tif", np.float32)):
        assert not np.array(open_image(written(tmp_path / name, np.zeros((8, 8), kind)))).any()
    picture = np.array(open_image(written(tmp_path / "1.png", GREY > 100)))
    assert (picture == np.where(GREY > 100, 255, 0)[..., None]).all()
    assert shown(Image.new("RGBA", (1, 1), (0, 0, 0, 127))).getpixel((0, 0)) == (128, 128, 128)


@each("mode", ["RGBA", "LA", "P", "RGB", "L", "1"])
def test_what_is_transparent_lies_on_white(mode, tmp_path):
    """The colour under transparent pixels, black here, is not seen."""
    clear = np.arange(20) < 10
    if mode in ("RGBA", "LA"):
        grey, alpha = (
            Image.fromarray(np.tile(v, (5, 1)).astype(np.uint8)) for v in (np.where(clear, 0, 90), np.where(clear, 0, 255))
        )
        image, options = Image.merge(mode, [grey] * (len(mode) - 1) + [alpha]), {}
    else:
        image = Image.fromarray(np.tile(np.where(clear, 0, 255 if mode == "1" else 90).astype(np.uint8), (5, 1))).convert(mode)
        options = {"transparency": {"RGB": (0, 0, 0), "L": 0, "1": 0, "P": image.getpixel((0, 0))}[mode]}
    picture = np.array(open_image(written(tmp_path / "1.png", image, **options)))
    assert (
        (picture[:, clear] == 255).all()
        and np.ptp(picture[:, ~clear]) == 0
        and abs(int(picture[0, -1, 0]) - (255 if mode == "1" else 90)) < 4
    )


@each("orientation", range(1, 9))
@each("name", ["a.jpg", "a.png", "a.tif", "a.webp"])
def test_a_photograph_is_shown_upright(name, orientation, tmp_path):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[274] = orientation
    image = Image.fromarray(COLOURS[:90, :60])
    path = written(tmp_path / name, image, exif=exif, **({"quality": 95} if name.endswith(("jpg", "webp")) else {}))
    turned = image.copy()
    turned.getexif()[274] = orientation
    ImageOps.exif_transpose(turned, in_place=True)
    picture = open_image(path)
    assert picture.size == ((60, 90) if orientation < 5 else (90, 60))
    assert np.abs(np.array(picture, dtype=float) - np.array(turned)).mean() < 8
    # Broken data of the camera leave a picture as it is.
    broken = open_image(written(tmp_path / "broken.jpg", COLOURS, exif=b"Exif\0\0II*\0\xff\xff\xff\xff"))
    assert broken.size == COLOURS.shape[1::-1]


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
    assert pair == whole == single == orders((images, labels)) == orders((images.numpy(), labels.numpy()))
    assert all(sorted(order) == list(range(10)) for order in pair)
    assert (pair[0] != pair[1]) == shuffle and (pair != orders((images, labels), seed=1)) == shuffle
