"""Folders of pairs: whole or not there, the same whoever made them, several as one, bounded on disk."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from dataclasses import replace
from glob import glob
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from geco.cli.main import main
from geco.errors import ConfigError
from geco.model_files.card import MULTIVIEW, RECONSTRUCTOR, Usage, write_model_card
from geco.multiview.small.weights import save_small
from geco.reconstruct.small.model import SmallReconstructor
from geco.render.shade_torch import render_mesh
from geco.sampling import Sampling
from geco.training.pair_files import decode, encode
from geco.training.pair_folder import read_index
from geco.training.pair_work import Bounds, bytes_a_pair, foretold
from geco.training.pairs import Pairs, pairs_digest
from tests.training.build_pairs import PAIRS, ball, mesh_of, write
from tests.training.record_curves import SEED, Stages, random_network
from tests.training.test_kill_nine import started

Files = dict[str, bytes]


def files(folder: Path, inside: str = "chunks") -> Files:
    found = (path for path in sorted((folder / inside).rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_pairs_are_restartable_and_a_last_chunk_that_was_not_full_is_made_again(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole")
    assert (whole.pairs, whole.empty, whole.full) == (4, 0, False)
    write(tmp_path / "again", 3)
    assert len(Pairs(tmp_path / "again")) == 3
    write(tmp_path / "again", 4)
    assert files(tmp_path / "again") == files(tmp_path / "whole")
    assert {path.name for path in (tmp_path / "again").iterdir()} == {"chunks", "index.json", "pairs.json"}
    pairs = Pairs(tmp_path / "whole")
    assert pairs.keys == ["object-0", "object-1", "object-2", "object-0"]
    assert list(pairs.numbers) == [0, 1, 2, 3]
    assert pairs[1]["rgb"].shape == (5, 16, 16, 3) and pairs[1]["mask"].max() == 255


def test_a_folder_is_read_with_an_index_without_one_and_with_an_old_one(tmp_path: Path) -> None:
    write(tmp_path, 2)
    old = (tmp_path / "index.json").read_bytes()
    write(tmp_path, 4)
    assert len(read_index(tmp_path)) == 2
    (tmp_path / "index.json").write_bytes(old)
    assert list(Pairs(tmp_path).numbers) == [0, 1, 2, 3]
    (tmp_path / "index.json").unlink()
    assert list(Pairs(tmp_path).numbers) == [0, 1, 2, 3]
    (tmp_path / "index.json").write_text('{"name": ["../../elsewhere"]}')
    with pytest.raises(ConfigError, match=r"index\.json"):
        Pairs(tmp_path)


def test_some_renders_alone_are_those_of_the_whole_pair(tmp_path: Path) -> None:
    write(tmp_path, 1, replace(PAIRS, geometry=True))
    pair = Pairs(tmp_path)[0]
    some = pair.renders([3, 0], ("rgb", "mask", "normal", "depth"))
    for name, values in some.items():
        np.testing.assert_array_equal(values, pair[name][[3, 0]])
    model = ball()
    vertices, faces, color = mesh_of(model)(  # type: ignore[operator]
        *(torch.from_numpy(pair[name]).float() / 255 for name in ("views", "picture"))
    )
    with torch.no_grad():
        true = render_mesh(vertices, faces, torch.from_numpy(pair["poses"]), 30.0, 16, color)
    seen = true.depth.numpy() > 0
    assert seen.any() and np.abs(pair["depth"] - true.depth.numpy())[seen].mean() < 0.02
    assert np.abs(pair["normal"] - true.normal.numpy()).mean() < 0.02  # the views had been 256 levels
    (tmp_path / "chunks" / "00000000-00000001" / "00000000" / "00.webp").write_bytes(b"RIFF")
    with pytest.raises(ConfigError, match=r"00\.webp"):
        pair.renders([0])


def test_a_picture_comes_back_as_it_went_even_where_nothing_is_opaque(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (8, 8, 4), np.uint8)
    for alpha in (picture[..., 3], 0, 255):
        picture[..., 3] = alpha
        (tmp_path / "a.webp").write_bytes(encode(picture))
        np.testing.assert_array_equal(decode(tmp_path / "a.webp", 4), picture)
    Image.new("RGB", (9, 9)).save(tmp_path / "b.webp")
    with pytest.raises(ConfigError, match="not 8 a side"):
        decode(tmp_path / "b.webp", 4, 8)


def test_folders_are_one_input_and_a_pair_in_two_of_them_counts_once(tmp_path: Path) -> None:
    write(tmp_path / "a", range(3))
    write(tmp_path / "b", range(2, 6))
    write(tmp_path / "seed", 2, replace(PAIRS, seed=7))
    both = Pairs([tmp_path / "a", tmp_path / "b", tmp_path / "seed"])
    assert list(both.numbers) == [0, 1, 2, 3, 4, 5, 0, 1] and both.duplicates == 1
    assert both.facts["duplicates"] == 1
    own = Pairs(tmp_path / "seed")
    assert torch.equal(both.noise(7, (3, 2)), own.noise(1, (3, 2)))
    assert not torch.equal(both.noise(1, (3, 2)), own.noise(1, (3, 2)))
    np.testing.assert_array_equal(both[4]["x0"], Pairs(tmp_path / "b")[2]["x0"])
    write(tmp_path / "other", 2, replace(PAIRS, guidance_scale=3.0))
    with pytest.raises(ConfigError, match=r"guidance_scale 2\.0 and 3\.0"):
        Pairs([tmp_path / "a", tmp_path / "other"])
    digest = pairs_digest([tmp_path / "a"])
    write(tmp_path / "a", range(4))
    assert pairs_digest([tmp_path / "a"]) != digest


def test_the_budget_of_the_disk_is_kept_and_more_of_it_goes_on(tmp_path: Path) -> None:
    options = replace(PAIRS, chunk=1)
    one = write(tmp_path / "one", 1, options).size
    assert one == sum(-(-len(data) // 4096) * 4096 for data in files(tmp_path / "one").values())
    made = write(tmp_path / "some", 5, options, bounds=Bounds(disk=int(2.5 * one), shown=False))
    assert made.full and made.pairs == 2 and made.size <= 2.5 * one
    again = write(tmp_path / "some", 5, options, bounds=Bounds(disk=int(9 * one), shown=False))
    assert not again.full and again.pairs == 5
    write(tmp_path / "whole", 5, options)
    assert files(tmp_path / "some") == files(tmp_path / "whole")
    none = write(tmp_path / "none", 5, options, bounds=Bounds(disk=4096, shown=False))
    assert none.full and none.pairs == 0
    line = foretold(options, range(1000), tmp_path / "one")
    assert f"1000 pairs take about {one / 1e6:.3g} GB" in line and "as the 1 that" in line
    assert f"{bytes_a_pair(options) / 1e6:.3g} GB" in foretold(options, range(1000), tmp_path / "new")
    assert "--disk-budget" in foretold(options, range(10**12), tmp_path / "one")


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Stages:
    """Shards; a teacher with a reconstructor in ``start``, the same called a generator in ``one``."""
    stages = Stages(tmp_path_factory.mktemp("workers"))
    torch.manual_seed(SEED)
    usage = {"distilled": True, **Usage(16, 64, Sampling()).to_dict()}
    for folder, facts in ((stages.start, {}), (stages.folder / "one", usage)):
        save_small(random_network(stages.recipe), folder / MULTIVIEW)
        SmallReconstructor(stages.recipe.reconstructor).save(folder / RECONSTRUCTOR)
        write_model_card(folder, "small", "test", facts)
    return stages


def command(room: Stages, output: Path, *more: str) -> list[str]:
    where = ["--recipe", "tiny", "--data", room.views, "--init", room.start, "--device", "cpu"]
    return [str(word) for word in ("distill", "pairs", *where, "--set", "chunk=1", "-o", output, *more)]


def test_two_workers_one_of_them_killed_make_the_bytes_of_one(room: Stages, tmp_path: Path) -> None:
    count = ["--count", "12"]
    assert main(command(room, tmp_path / "one", *count)) == 0
    two = tmp_path / "two"
    process = started(command(room, two, *count))
    other = threading.Thread(target=main, args=[command(room, two, *count)])

    def killed() -> None:
        """As soon as it has made something and is at the next."""
        while process.poll() is None:
            mine = glob(f"{two}/.claims/*/*-{process.pid}-*")  # Path.glob stumbles over folders that go
            if mine and glob(f"{two}/chunks/*"):
                process.send_signal(signal.SIGSTOP)  # at whatever it does, with the claim in its hands
                if os.path.exists(mine[0]):
                    process.kill()
                process.send_signal(signal.SIGCONT)
            time.sleep(0.001)

    try:
        until = time.monotonic() + 60
        while not glob(f"{two}/.claims/*/*") and time.monotonic() < until:
            time.sleep(0.002)
        other.start()
        killed()
    finally:
        process.kill()
        told, _ = process.communicate()
        other.join()
    assert process.returncode == -signal.SIGKILL, told
    assert files(two) == files(tmp_path / "one")
    assert len(Pairs(two)) == len(Pairs(tmp_path / "one")) > 0
    assert not (two / ".claims").exists() and not (two / ".work").exists()


@pytest.mark.slow
def test_workers_of_one_command_make_the_bytes_of_one(room: Stages, tmp_path: Path) -> None:
    count = ["--count", "5"]
    assert main(command(room, tmp_path / "one", *count)) == 0
    assert main(command(room, tmp_path / "two", *count, "--workers", "2")) == 0
    assert files(tmp_path / "two") == files(tmp_path / "one")


def test_a_generators_views_are_stored_with_the_pairs(
    room: Stages, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from geco.training.family import load_generator
    from geco.training.generators import generator_id
    from geco.training.small_family import SMALL

    run, made = room.folder / "one", tmp_path / "pairs"
    assert main(command(room, made, "--count", "3")) == 0
    name = generator_id(run)
    assert not Pairs(made).has_generated(name)
    views = ["distill", "pairs", "-o", str(made), "--add-generator-views", str(run), "--device", "cpu"]
    assert main(views) == 0
    pairs = Pairs(made)
    assert pairs.has_generated(name) and f"{len(pairs)} pairs with views" in capsys.readouterr().out
    generator, codec = load_generator(SMALL, run, torch.device("cpu"))
    with torch.no_grad():
        for row in range(len(pairs)):
            condition = codec.condition(torch.from_numpy(pairs[row]["picture"])[None].float() / 255)
            z = pairs.noise(row, generator.network.sample_shape)
            wanted = codec.decode(generator.from_noise(z, condition, codec))[0].clamp(0, 1)
            assert np.abs(pairs.generated(row, name) / 255 - wanted.numpy()).max() < 0.51 / 255
    kept = files(made, "generated")
    shutil.rmtree(next((made / "generated" / name).iterdir()))
    assert not Pairs(made).has_generated(name)
    assert main(views) == 0 and files(made, "generated") == kept
    assert main([*views, "--data", str(room.views)]) == 2 and "--data is given" in capsys.readouterr().err
    # pairs of a generator's own samples have its views from the beginning
    assert main(command(room, tmp_path / "own", "--count", "2", "--generator", str(run), "--steps", "6")) == 0
    assert Pairs(tmp_path / "own").has_generated(name)


def test_every_setting_stands_with_the_pairs(room: Stages, tmp_path: Path) -> None:
    assert main(command(room, tmp_path, "--count", "1")) == 0
    settings = json.loads((tmp_path / "pairs.json").read_text())["settings"]
    assert settings.keys() >= {"init", "data", "resolution", "steps", "seed", "truth", "jitter", "geometry"}
    assert os.path.basename(str(room.views)) not in json.dumps(settings)  # contents, not places
