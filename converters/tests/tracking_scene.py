"""A street scene with known truth, and what a detector would see of it: the input of the tracker's accuracy test.

Objects enter at the edges of a 1920×1080 picture, change speed and direction, stop, cross one another and pass behind
pillars, and leave. The motion is computed once at a fine step, so that the same scene can be filmed at any rate.
"""

from dataclasses import dataclass

import numpy as np

WIDTH, HEIGHT = 1920, 1080
STEPS_PER_SECOND = 120
# An object of which less can be seen is neither detected nor counted as missed.
LEAST_VISIBLE = 0.3
# Nobody is hidden for longer: after that the detector sees him again, as if by half.
LONGEST_OCCLUSION_S = 1.0
PERSON, BICYCLE, CAR, TRUCK = 0, 1, 2, 7
PILLARS = np.array([[580, 0, 650, 1080], [1290, 0, 1350, 1080]], float)
# Overlap above which the detector's own suppression removes the weaker box of a class.
NMS_IOU = 0.7


@dataclass
class Frame:
    """One frame that arrived: its time in ns, the truth in sight, and the detections."""

    time: int
    ids: np.ndarray
    boxes: np.ndarray
    detections: list[tuple[int, float, np.ndarray]]


class Motion:
    """Where each object is at each step: boxes as left, top, right, bottom, not clipped, NaN where it is not there."""

    def __init__(self, seed: int, seconds: float, crowd: int):
        self.seconds = seconds
        rng = np.random.default_rng(seed)
        steps = int(seconds * STEPS_PER_SECOND)
        self.boxes, self.classes = [], []
        for slot in range(crowd):
            step = int(rng.uniform(0, 2) * STEPS_PER_SECOND) if slot % 3 == 0 else 0
            first = True
            while step < steps:
                path, class_id = self._path(rng, inside=first and step == 0)
                track = np.full((steps, 4), np.nan)
                count = min(len(path), steps - step)
                track[step : step + count] = path[:count]
                self.boxes.append(track)
                self.classes.append(class_id)
                step += count + int(rng.uniform(0.2, 2) * STEPS_PER_SECOND)
                first = False
        self.boxes = np.stack(self.boxes, 1)
        self.classes = np.array(self.classes)

    @staticmethod
    def _path(rng: np.random.Generator, inside: bool) -> tuple[np.ndarray, int]:
        is_car = rng.random() < 0.25
        bottom = rng.uniform(350, HEIGHT)
        height = (0.10 if is_car else 0.22) * bottom * rng.uniform(0.85, 1.15)
        width = height * (rng.uniform(1.6, 2.4) if is_car else rng.uniform(0.34, 0.45))
        pace = height * (rng.uniform(1.0, 3.0) if is_car else rng.uniform(0.4, 1.0))
        direction = rng.choice([-1, 1])
        x = rng.uniform(0.05, 0.95) * WIDTH if inside else (-width / 2 if direction > 0 else WIDTH + width / 2)
        velocity = np.array([direction * pace, 0.0])
        target, until, age, dt = velocity.copy(), rng.uniform(1, 4), 0.0, 1 / STEPS_PER_SECOND
        boxes = []
        while age < 40 and -width / 2 - 1 <= x <= WIDTH + width / 2 + 1:
            behind = ((x + width > PILLARS[:, 0]) & (x - width < PILLARS[:, 2])).any()
            if age >= until and not behind:
                # Goes on at another pace and slant; a person may also stop, or turn round. Not where nobody sees it.
                until = age + rng.uniform(1.5, 5)
                change = rng.random()
                if not is_car and change < 0.15:
                    target = np.zeros(2)
                else:
                    direction *= -1 if not is_car and change < 0.25 and age < 15 else 1
                    target = np.array([direction * pace * rng.uniform(0.6, 1.3), rng.normal(0, 0.12) * pace])
            if age > 25:
                target = np.array([direction * pace, 0.0])
            velocity += (target - velocity) * dt / (1.0 if is_car else 0.5)
            moved = np.clip(bottom + velocity[1] * dt, 330, HEIGHT + 20)
            # What comes nearer grows.
            width, height, bottom = width * moved / bottom, height * moved / bottom, moved
            x += velocity[0] * dt
            age += dt
            boxes.append((x - width / 2, bottom - height, x + width / 2, bottom))
        return np.array(boxes), CAR if is_car else PERSON


def clip(boxes: np.ndarray) -> np.ndarray:
    """Cut boxes off at the edges of the picture."""
    return np.clip(boxes, 0, [WIDTH, HEIGHT, WIDTH, HEIGHT])


def visibility(boxes: np.ndarray) -> np.ndarray:
    """Tell what share of each box is inside the picture and not behind a pillar or a box that is nearer."""
    u, v = (grid.ravel() for grid in np.meshgrid((np.arange(8) + 0.5) / 8, (np.arange(8) + 0.5) / 8))
    x = boxes[:, None, 0] + u * (boxes[:, 2] - boxes[:, 0])[:, None]
    y = boxes[:, None, 1] + v * (boxes[:, 3] - boxes[:, 1])[:, None]
    seen = (x >= 0) & (x < WIDTH) & (y >= 0) & (y < HEIGHT)
    nearest = boxes[:, 3]
    # Bodies do not fill the corners of their boxes.
    trim = 0.06 * (boxes[:, 2] - boxes[:, 0])
    covers = np.vstack([boxes + np.stack([trim, 0 * trim, -trim, 0 * trim], 1), PILLARS])
    depth = np.concatenate([nearest, np.full(len(PILLARS), 800.0)])
    hidden = (
        (depth[None, :, None] > nearest[:, None, None])
        & (x[:, None] > covers[None, :, None, 0])
        & (x[:, None] < covers[None, :, None, 2])
        & (y[:, None] > covers[None, :, None, 1])
        & (y[:, None] < covers[None, :, None, 3])
    ).any(1)
    return (seen & ~hidden).mean(1)


def overlaps(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Compute the intersection over union of one box with others."""
    size = np.clip(np.minimum(one[2:], others[:, 2:]) - np.maximum(one[:2], others[:, :2]), 0, None)
    shared = size[:, 0] * size[:, 1]
    areas = np.prod(others[:, 2:] - others[:, :2], 1) + np.prod(one[2:] - one[:2])
    return shared / np.maximum(areas - shared, 1e-9)


def frame_steps(rng: np.random.Generator, seconds: float, rate: float, variable: bool, dropped: float) -> list[int]:
    """Choose the steps at which frames arrive: at a rate, which wanders if it is variable, less the dropped ones."""
    steps, time, pace = [], 0.1, 1.0
    while time < seconds - 0.01:
        if rng.random() >= dropped:
            steps.append(int(time * STEPS_PER_SECOND))
        if variable and rng.random() < 0.02:
            pace = rng.uniform(0.5, 1.0)
        time += 1 / (rate * pace) * (rng.uniform(0.7, 1.3) if variable else 1)
    return sorted(set(steps))


def film(
    motion: Motion, seed: int, rate: float = 30, variable: bool = True, dropped: float = 0.2, noise: float = 1
) -> list[Frame]:
    """Film a motion and run a detector with realistic faults over each frame that arrives."""
    rng = np.random.default_rng((seed, int(rate * 1000), 17))
    frames = []
    hidden_since = {}
    for step in frame_steps(rng, motion.seconds, rate, variable, dropped):
        time = step / STEPS_PER_SECOND
        there = np.flatnonzero(~np.isnan(motion.boxes[step, :, 0]))
        boxes = motion.boxes[step, there]
        seen = visibility(boxes)
        inside = (np.prod(np.diff(clip(boxes).reshape(-1, 2, 2), axis=1)[:, 0], 1)) / np.prod(
            boxes[:, 2:] - boxes[:, :2], 1
        )
        candidates, counted = [], []
        for index, box, share, edge in zip(there, boxes, seen, inside, strict=True):
            if edge < LEAST_VISIBLE:
                continue
            if share < LEAST_VISIBLE:
                since = hidden_since.setdefault(index, time)
                if time - since < LONGEST_OCCLUSION_S:
                    continue
                share = 0.5
            else:
                hidden_since.pop(index, None)
            counted.append((index, box))
            # A detector misses 2 % of what is in full sight and a quarter of what is nearly hidden.
            if rng.random() < noise * (0.02 + 0.25 * (1 - share) ** 2):
                continue
            confidence = float(np.clip(0.25 + 0.65 * share**0.7 + noise * rng.normal(0, 0.05), 0.12, 0.98))
            candidates.append((int(index), confidence, jitter(rng, box, noise * (0.02 + 0.04 * (1 - share)))))
        frames.append(
            Frame(
                round(time * 1e9),
                np.array([index for index, _ in counted], int),
                clip(np.array([box for _, box in counted]).reshape(-1, 4)),
                detections(rng, motion, candidates, noise),
            )
        )
    return frames


def jitter(rng: np.random.Generator, box: np.ndarray, deviation: float) -> np.ndarray:
    """Shake the edges of a box by a share of its size."""
    size = box[2:] - box[:2]
    return clip(box + rng.normal(0, deviation, 4) * np.concatenate([size, size]))


def detections(rng, motion, candidates, noise) -> list[tuple[int, float, np.ndarray]]:
    """Classify what was found, add what is not there, and suppress as a detector does; best first."""
    found = []
    for index, confidence, box in candidates:
        class_id = int(motion.classes[index])
        if class_id == CAR and rng.random() < 0.05 * noise:
            class_id = TRUCK
        found.append((class_id, confidence, box))
    for _ in range(rng.poisson(0.3 * noise)):
        x, y, height = rng.uniform(0, WIDTH - 100), rng.uniform(200, HEIGHT - 250), rng.uniform(50, 220)
        found.append((PERSON, float(rng.uniform(0.15, 0.7)), np.array([x, y, x + 0.4 * height, y + height])))
    found.sort(key=lambda item: -item[1])
    kept = []
    for class_id, confidence, box in found:
        if box[2] - box[0] < 2 or box[3] - box[1] < 2:
            continue
        rivals = np.array([other for known, _, other in kept if known == class_id]).reshape(-1, 4)
        if not (overlaps(box, rivals) > NMS_IOU).any():
            kept.append((class_id, confidence, box))
    return kept
