import io

import numpy as np
from rich.console import Console
from rich.progress import Progress

from fer_tf.faces.pictures import Frame, Picture
from fer_tf.inference.outputs import count_frames
from tests.fer_tf.faces.test_pictures import write_video


def test_the_frames_of_each_video_are_counted(tmp_path):
    image = np.zeros((4, 4, 3), np.uint8)
    clips = [write_video(tmp_path / f"[final] {number}.avi", [0] * 6) for number in range(2)]
    pictures = [
        Picture(str(clips[0]), image, Frame(0, 0.0)),
        Picture(str(clips[0]), image, Frame(3, 0.6)),
        Picture("photo.jpg", image),
        Picture(str(clips[1]), image, Frame(0, 0.0)),
    ]
    bar = Progress(console=Console(file=io.StringIO()))
    shown = []

    for picture in count_frames(pictures, bar):
        tasks = [(task.description, task.completed, task.total) for task in bar.tasks]
        shown.append((picture, tasks))

    assert [picture for picture, _ in shown] == pictures
    assert [tasks for _, tasks in shown] == [
        [("[final] 0.avi", 1, 6)],
        [("[final] 0.avi", 4, 6)],
        [],
        [("[final] 1.avi", 1, 6)],
    ]
