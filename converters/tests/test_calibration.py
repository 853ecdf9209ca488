"""Calibration pictures from videos and folders, and what is said where there are none."""

import numpy as np
import pytest
from PIL import Image

from eyrie_convert.calibration import Calibration
from eyrie_convert.errors import ConversionError
from eyrie_convert.network import PictureInput

SPEC = PictureInput(64, 64, "letterbox", "bilinear", embedded=False, stride=32)


def frame(number, width=96, height=64):
    """Return a picture that tells its number: the grey of its left half."""
    picture = np.full((height, width, 3), 128, np.uint8)
    picture[:, : width // 2] = number
    return picture


def numbers(pictures):
    """Return the numbers that frames tell, which a video codec may move a little."""
    return [int(picture[32, 10].mean().round()) for picture in pictures]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Return a video of 240 frames, 10 a second, each one grey level lighter."""
    cv2 = pytest.importorskip("cv2")
    path = tmp_path_factory.mktemp("video") / "grey film %d ü.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10.0, (96, 64))
    for number in range(240):
        writer.write(frame(number))
    writer.release()
    return path


def write_pictures(folder, count):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(frame(number)).save(folder / f"{number:03}.png")
    return folder


def test_video_is_spread_and_split_with_gaps(video):
    result = Calibration.read(video, SPEC, calibration=40, held_out=20)
    first, second = numbers(result.calibration), numbers(result.held_out)
    assert (len(first), len(second)) == (40, 20)
    assert result.calibration[0].shape == (64, 64, 3)
    assert result.calibration[0].dtype == np.uint8
    # Six stretches of four seconds: an eighth of one, five frames, lies between (grey levels move by one).
    assert min(abs(a - b) for a in first for b in second) >= 4
    assert first == sorted(first)
    assert first[0] <= 3
    assert first[-1] >= 200
    assert second[-1] >= 225
    assert max(np.diff(first)) <= 40


def test_short_video_gives_what_it_has(video):
    # All that 240 frames can give: half of them, and a quarter.
    result = Calibration.read(video, SPEC, calibration=10_000, held_out=10_000)
    assert len(result.calibration) <= 120
    assert len(result.held_out) <= 60
    assert 170 <= len(result.calibration) + len(result.held_out) + result.equal <= 180
    assert result.describe() == {
        "source": video.name,
        "kind": "video",
        "calibration": len(result.calibration),
        "held_out": len(result.held_out),
        "skipped": 0,
        "equal": result.equal,
    }


def test_video_is_read_in_rgb(tmp_path):
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "red.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25.0, (64, 64))
    for number in range(40):
        picture = np.zeros((64, 64, 3), np.uint8)
        picture[..., 2] = 160 + 2 * number  # OpenCV's order is BGR
        writer.write(picture)
    writer.release()
    red, green, blue = Calibration.read(path, SPEC, least=(8, 4)).calibration[0][32, 32]
    assert red > 120
    assert max(green, blue) < 60


def test_truncated_video_gives_its_beginning(tmp_path):
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "cut.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (96, 64))
    for number in range(240):
        writer.write(frame(number))
    writer.release()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    result = Calibration.read(path, SPEC)
    assert numbers(result.calibration)[-1] < 130
    path.write_bytes(whole[:3000])
    with pytest.raises(ConversionError, match=r"cut\.avi"):
        Calibration.read(path, SPEC)


def test_still_video_is_no_calibration(tmp_path):
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "still.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25.0, (96, 64))
    for _ in range(100):
        writer.write(frame(80))
    writer.release()
    with pytest.raises(ConversionError, match=r"equal to others\), but 16 and 8 are needed"):
        Calibration.read(path, SPEC)


def test_folder_is_split_in_turns(tmp_path):
    folder = write_pictures(tmp_path / "a" / "b", 60)
    result = Calibration.read(tmp_path / "a", SPEC)
    first, second = numbers(result.calibration), numbers(result.held_out)
    assert first == [number for number in range(60) if number % 3 != 1]
    assert second == [number for number in range(60) if number % 3 == 1]
    some = Calibration.read(folder, SPEC, calibration=20, held_out=10)
    assert (len(some.calibration), len(some.held_out)) == (20, 10)
    assert numbers(some.calibration)[-1] >= 55


def test_damaged_and_equal_pictures_are_counted(tmp_path):
    folder = write_pictures(tmp_path, 60)
    (folder / "030.png").write_bytes((folder / "030.png").read_bytes()[:60])
    (folder / "031.jpg").write_text("no picture")
    (folder / "032.png").write_bytes((folder / "003.png").read_bytes())
    (folder / ".hidden.png").write_text("not looked at")
    (folder / "notes.txt").write_text("not looked at")
    result = Calibration.read(folder, SPEC)
    assert (result.skipped, result.equal) == (2, 1)
    assert len(result.calibration) + len(result.held_out) == 61 - 3
    # Where not all are taken, another stands in for a damaged one.
    assert len(Calibration.read(folder, SPEC, calibration=16, held_out=8).calibration) == 16


def test_too_few_pictures_are_refused_with_the_numbers(tmp_path):
    folder = write_pictures(tmp_path / "few", 10)
    with pytest.raises(ConversionError, match="of its pictures 7 can be had to calibrate and 3 to measure on") as error:
        Calibration.read(folder, SPEC)
    assert "give at least 24 different pictures" in str(error.value)
    with pytest.raises(ConversionError, match="1 can be had to calibrate and 0 to measure"):
        Calibration.read(folder / "000.png", SPEC)
    assert len(Calibration.read(folder / "000.png", SPEC, least=(1, 0)).calibration) == 1
    assert Calibration.read(write_pictures(tmp_path / "enough", 24), SPEC).held_out


@pytest.mark.parametrize("kind", ["missing", "empty folder", "text", "empty file"])
def test_unusable_paths_are_refused_in_one_line(tmp_path, capfd, kind):
    pytest.importorskip("cv2")
    path = tmp_path / "there"
    if kind == "empty folder":
        path.mkdir()
    elif kind != "missing":
        path.write_text("words\n" if kind == "text" else "")
    expected = {"missing": "no such file", "empty folder": "no picture in it"}.get(kind, "no video that can be read")
    with pytest.raises(ConversionError, match=expected) as error:
        Calibration.read(path, SPEC)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    # OpenCV and FFmpeg have nothing to add.
    assert capfd.readouterr() == ("", "")


def test_pictures_of_one_row_are_skipped(tmp_path):
    write_pictures(tmp_path, 30)
    Image.fromarray(np.zeros((1, 3000, 3), np.uint8)).save(tmp_path / "999.png")
    assert Calibration.read(tmp_path, SPEC).skipped <= 1
